"""A running `up` whose database cannot be written for a while: it says so, sends nothing, and goes on by itself."""

from __future__ import annotations

import json
import resource
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.chaos.feeding import Refusal
from tests.chaos.process import UpProcess
from tests.faults.conftest import LiveShop
from tests.in_full import IN_FULL

pytestmark = [pytest.mark.slow, pytest.mark.chaos]
AWAY_FOR = 20.0 if IN_FULL else 6.0
"""Seconds."""
_ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets us limit another process")


@contextmanager
def locked(up: UpProcess) -> Iterator[None]:
    """Another process writes to the file, and does not come to an end."""
    with closing(sqlite3.connect(up.place.database, timeout=30, isolation_level=None)) as c:
        c.execute("BEGIN IMMEDIATE")
        yield
        c.execute("ROLLBACK")


@contextmanager
def full(up: UpProcess) -> Iterator[None]:
    """No file of the process can grow, as on a disk that is full; what is written already can be written over."""
    log = Path(f"{up.place.database}-wal")
    up.eventually(lambda: log.stat().st_size > up.log.stat().st_size + 500_000)
    before = resource.prlimit(up.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(up.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, before[1]))
    yield
    resource.prlimit(up.pid, resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    "fault",
    [
        locked,
        pytest.param(full, marks=_ONLY_LINUX),
    ],
)
def test_what_cannot_be_recorded_is_neither_taken_nor_sent(
    live_shop: Callable[..., LiveShop], fault: Callable[[UpProcess], Iterator[None]]
) -> None:
    shop = live_shop()
    up = shop.start()
    shop.client.start()
    up.eventually(lambda: len(shop.mailbox.accepted) > 20)
    with fault(up):  # type: ignore[attr-defined]
        time.sleep(2)  # hand-overs that were written down before may still end
        sent, taken = len(shop.mailbox.accepted), len(shop.client.placed)
        time.sleep(AWAY_FOR - 2)
        assert len(shop.mailbox.accepted) == sent
        assert len(shop.client.placed) == taken
        up.eventually(lambda: bool(shop.client.refusals))
    up.eventually(lambda: len(shop.client.placed) > taken and len(shop.mailbox.accepted) > sent)
    shop.settle(up)
    up.end()
    _check_refusals(shop.client.refusals)
    verdict = shop.check()
    assert verdict.faults == []
    assert verdict.orders > 30 and verdict.twice == verdict.missing_unknown == 0
    assert "Traceback" not in up.log.read_text()


def _check_refusals(refusals: list[Refusal]) -> None:
    """Each is a 503 that says when to come again, and what is the matter."""
    assert {refusal.status for refusal in refusals} == {503}
    for refusal in refusals:
        assert int(refusal.retry_after or 0) > 0
        assert json.loads(refusal.text)["detail"]
