"""An `up` that is frozen for longer than its leases, and wakes: a zombie, beside an engine that took over, or alone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest

from tests.chaos.launch import Blow
from tests.chaos.mailbox import free_port
from tests.chaos.process import Place, UpProcess
from tests.faults.conftest import LiveShop
from tests.in_full import long_form

pytestmark = [pytest.mark.slow, pytest.mark.chaos]
MAIL_TIMEOUT = 2
WIDTH = 8
"""Messages in the mail server's hands at once."""


def _let_leases_run_out(place: Place) -> None:
    """As after a minute, which a test does not wait for; what a hand-over and a mail may take does pass."""
    time.sleep(MAIL_TIMEOUT + 0.5)
    with closing(connect(place.database, timeout=30)) as c:
        c.execute("UPDATE outbox SET lease_until = 1 WHERE lease_until IS NOT NULL")
        c.commit()


def _lock_of(place: Place) -> Path:
    return place.database.with_name(place.database.name + ".lock")


def _wake(up: UpProcess) -> None:
    os.kill(up.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("after_claim", marks=long_form),
        "after_begin",
        pytest.param("in_dialog", marks=long_form),
        "after_send",
    ],
)
def test_one_that_another_engine_took_over_from_sends_and_writes_nothing_twice(
    live_shop: Callable[..., LiveShop], point: str
) -> None:
    shop = live_shop()
    shop.place = shop.place._replace(mail_timeout=MAIL_TIMEOUT)
    zombie = shop.start(Blow("stop", point, 3))
    shop.client.start()
    zombie.wait_stopped()
    elsewhere = shop.place._replace(port=free_port())

    refused = shop.start(place=elsewhere)  # a frozen process still holds the lock
    assert refused.process.wait(30) == 2
    assert f"process {zombie.pid}" in refused.said

    _lock_of(shop.place).unlink()  # somebody takes it for a left-over
    _let_leases_run_out(shop.place)
    heir = shop.start(place=elsewhere)
    heir.eventually(lambda: not shop.place.rows("SELECT 1 FROM outbox WHERE lease_until IS NOT NULL"))
    before = {mail.id for mail in shop.mailbox.accepted}
    woken_at, orders = time.time(), len(shop.client.placed)
    _wake(zombie)
    zombie.eventually(lambda: len(shop.client.placed) > orders + 30)  # it lives, and takes orders beside the other one
    shop.settle(zombie)
    for up in (zombie, heir):
        up.end()
    verdict = shop.check()
    assert verdict.faults == []
    assert [mail for mail in shop.mailbox.accepted if mail.at > woken_at and mail.id in before] == []
    # What it was handing over when it froze may have gone: a receipt is sent again and counted. On a busy machine
    # another group may have been answered too late.
    assert verdict.twice <= verdict.unknown <= 2 * WIDTH
    assert point != "after_begin" or verdict.twice == 0


@pytest.mark.parametrize("point", [pytest.param("after_load", marks=long_form), "in_commit"])
def test_one_that_froze_inside_a_transaction_stops_everybody_and_loses_nothing(
    live_shop: Callable[..., LiveShop], point: str
) -> None:
    """SQLite has one writer: nobody can take over from it, and when it wakes its transaction is still its own."""
    shop = live_shop()
    zombie = shop.start(Blow("stop", point, 12))
    shop.client.start()
    zombie.wait_stopped()
    _lock_of(shop.place).unlink()
    heir = shop.start(place=shop.place._replace(port=free_port()))
    assert heir.process.wait(60) == 2
    assert "cannot be used just now" in heir.said and "Traceback" not in heir.said
    _wake(zombie)
    zombie.eventually(lambda: len(shop.client.placed) > 50)
    shop.settle(zombie)
    zombie.end()
    verdict = shop.check()
    assert verdict.faults == []
    assert verdict.twice == verdict.missing_unknown == 0
