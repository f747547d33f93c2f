"""The checker itself: honest books of a small shop pass, and books that were doctored by one line are found out."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from shutil import copyfile

import pytest

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.core.inbox import Event, Identified, Occurred
from orchestrator.core.index import Index
from orchestrator.definitions.load import load_project
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.stores.protocol import Arrival
from orchestrator.stores.sqlite.store import open_store
from orchestrator.templating.failure import RenderError
from tests.chaos.checking import Verdict, check
from tests.chaos.feeding import Cancellation
from tests.chaos.mailbox import Accepted
from tests.chaos.shop import CARE_AFTER, OFFER_AFTER, write_shop
from tests.stores.driving import START, turns

ORDERS = ("o1", "o2", "o3", "o4")
IN_TIME, TOO_LATE = "o3", "o4"
"""Cancelled a second after it was placed; cancelled when its care mail had gone."""
PLACED_AT = START.timestamp()


class Mailbox:
    """Takes everything, at `at`."""

    idempotent, width, rate = False, 1, None

    def __init__(self) -> None:
        self.at = 0.0
        self.accepted: list[Accepted] = []

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Writes them down."""
        self.accepted += [Accepted(self.at, m.to, m.subject or "", m.id) for m in messages]
        return [Answer("accepted")] * len(messages)

    def close(self) -> None:
        """There is nothing to give back."""


@dataclass
class Books:
    """What the checker is shown."""

    database: Path
    placed: dict[str, float] = field(default_factory=lambda: dict.fromkeys(ORDERS, PLACED_AT))
    cancelled: dict[str, Cancellation] = field(
        default_factory=lambda: {
            IN_TIME: Cancellation(PLACED_AT + 1, PLACED_AT + 1.2),
            TOO_LATE: Cancellation(PLACED_AT + 4, PLACED_AT + 4.2),
        }
    )
    accepted: list[Accepted] = field(default_factory=list)

    def check(self) -> Verdict:
        return check(self.database, self.placed, self.cancelled, self.accepted)

    def mail(self, subject: str) -> int:
        """Where a mail stands in the accept log."""
        return next(place for place, mail in enumerate(self.accepted) if mail.subject == subject)

    def write(self, sql: str) -> None:
        """Change the database."""
        with closing(sqlite3.connect(self.database, isolation_level=None)) as c:
            c.execute(sql)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Books:
    """Four orders through the real engine, on a clock of our own."""
    folder = tmp_path_factory.mktemp("books")
    loaded = load_project(write_shop(folder / "shop"))
    books, mailbox = Books(folder / "shop.db"), Mailbox()
    store = open_store(books.database, salt="7")
    store.deploy(Index(loaded.project), START)
    renderer = LedgerRenderer(loaded.templates, loaded.project, "https://example.com", b"tests")
    for order in ORDERS:
        traits = {"email": f"{order}@example.com", "consents": {"promotions": {"email": "in"}}}
        placed = Occurred(Event("order_placed", START, {"order_id": order}, f"{order}-placed"))
        store.ingest([Arrival(order, START, Identified(traits)), Arrival(order, START, placed)])
    for second in range(OFFER_AFTER + 1):
        now = START + timedelta(seconds=second)
        for order, (tried_at, _) in books.cancelled.items():
            if now.timestamp() == tried_at:
                body = Occurred(Event("order_cancelled", now, {"order_id": order}, f"{order}-cancelled"))
                store.ingest([Arrival(order, now, body)])
        turns(store, now)
        mailbox.at = now.timestamp()
        deliver_once(store, {"email": mailbox}, renderer, now, 100, RenderError, real_at=now)
    store.close()
    books.accepted = mailbox.accepted
    return books


@pytest.fixture
def books(honest: Books, tmp_path: Path) -> Books:
    """Books of one's own to doctor."""
    copy = copyfile(honest.database, tmp_path / "doctored.db")
    return Books(copy, accepted=list(honest.accepted))


def test_honest_books_pass(books: Books) -> None:
    verdict = books.check()
    assert verdict.faults == []
    assert (verdict.orders, verdict.accepted, verdict.cancelled, verdict.unknown) == (4, 11, 1, 0)


def _lose_a_mail(books: Books) -> None:
    del books.accepted[books.mail("offer o2")]


def _lose_a_row(books: Books) -> None:
    books.write("delete from messages where journey = 'receipt' and customer = (select min(customer) from messages)")


def _lose_an_order(books: Books) -> None:
    books.placed["o5"] = PLACED_AT


def _double_a_mail(books: Books) -> None:
    books.accepted.append(books.accepted[books.mail("receipt o1")])


def _double_an_enrollment(books: Books) -> None:
    books.write("""insert into enrollments select shard, customer, id || '-2', journey, version, key, status, reason,
        ended_by_rule, step, entered_at, ended_at, due_at, live, seq + 1, state
        from enrollments where journey = 'offer' and key = 'o1'""")


def _hurry_a_mail(books: Books) -> None:
    place = books.mail("care o1")
    books.accepted[place] = books.accepted[place]._replace(at=PLACED_AT + CARE_AFTER - 0.01)


def _misdirect_a_mail(books: Books) -> None:
    place = books.mail("offer o1")
    books.accepted[place] = books.accepted[place]._replace(to="o2@example.com")


def _forge_a_mail(books: Books) -> None:
    place = books.mail("offer o1")
    books.accepted[place] = books.accepted[place]._replace(id="made up")


def _send_to_an_order_that_nobody_placed(books: Books) -> None:
    books.accepted.append(Accepted(PLACED_AT, "o9@example.com", "receipt o9", "m9"))


def _write_after_a_cancellation(books: Books) -> None:
    books.accepted.append(Accepted(PLACED_AT + CARE_AFTER, f"{IN_TIME}@example.com", f"care {IN_TIME}", "m"))


def _overhear_a_cancellation(books: Books) -> None:
    """The engine behaved as it has to without one, and the client says that there was one in time."""
    books.cancelled["o1"] = Cancellation(PLACED_AT + 1, PLACED_AT + CARE_AFTER - 0.01)


def _leave_by_a_cancellation_that_came_too_late(books: Books) -> None:
    books.cancelled[IN_TIME] = Cancellation(PLACED_AT + CARE_AFTER + 0.01, PLACED_AT + 4)


def _leave_without_a_cancellation(books: Books) -> None:
    del books.cancelled[IN_TIME]


def _leave_one_waiting(books: Books) -> None:
    books.write("update enrollments set status = 'running' where journey = 'offer' and key = 'o2'")


@pytest.mark.parametrize(
    ("doctor", "told"),
    [
        (_lose_a_mail, ["o2: the mail 'offer' came 0 times"]),
        (_lose_a_row, ["o1: the mail 'receipt' is not in the ledger"]),
        (_lose_an_order, [f"o5: never entered '{kind}'" for kind in ("receipt", "care", "offer")]
            + [f"o5: the mail '{kind}' is not in the ledger" for kind in ("receipt", "care", "offer")]),
        (_double_a_mail, ["o1: the mail 'receipt' came 2 times"]),
        (_double_an_enrollment, ["enrollments: "]),
        (_hurry_a_mail, ["o1: the mail 'care' came early"]),
        (_misdirect_a_mail, ["o1: the mail 'offer' went to o2@example.com"]),
        (_forge_a_mail, ["o1: a mail 'offer' that the ledger does not have"]),
        (_send_to_an_order_that_nobody_placed, ["o9: 1 mails 'receipt' for an order"]),
        (_write_after_a_cancellation, [f"{IN_TIME}: cancelled in time, and got a care mail"]),
        (_overhear_a_cancellation, ["o1: its cancellation was confirmed in time, and it did not leave"]),
        (_leave_by_a_cancellation_that_came_too_late, [f"{IN_TIME}: left by a cancellation that came after"]),
        (_leave_without_a_cancellation, [f"{IN_TIME}: left, and nobody had cancelled"]),
        (_leave_one_waiting, ["1 enrollments never came to an end"]),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)  # fmt: skip
def test_doctored_books_are_found_out(books: Books, doctor: Callable[[Books], None], told: list[str]) -> None:
    doctor(books)
    faults = books.check().faults
    assert len(faults) == len(told), faults
    for expected in told:
        assert any(fault.startswith(expected) for fault in faults), faults


def test_a_cancellation_whose_answer_came_late_may_go_either_way(books: Books) -> None:
    for order in (IN_TIME, TOO_LATE):
        books.cancelled[order] = Cancellation(PLACED_AT + 2, PLACED_AT + CARE_AFTER + 1)
    assert books.check().faults == []
