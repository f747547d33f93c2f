"""However large the file is: what runs each second finds its rows by an index, and never walks through a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.core.inbox import Receipt, Replied
from orchestrator.core.transition import Transition
from orchestrator.core.view import Switches
from orchestrator.stores.protocol import Settlement
from orchestrator.stores.sqlite import fanout
from orchestrator.stores.sqlite.store import SqliteStore
from tests.stores.contract_leases import FETCHES
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, turns
from tests.stores.sqlite_files import opened, plan_of, statements

BOUNDED = ("meta", "marks", "versions", "deployments", "found", "ours", "CONSTANT")
"""Tables and lists that do not grow with the customers; nor do lists in JSON, which are virtual tables."""
WORK_ALONE = ("ix_inbox_waiting", "ix_fanout_pending", "ix_customers_parked")
"""Indexes that hold nothing but what is to be done now, in its order: their first entries are what is asked for."""
TOLD = {**WRITES, "throttle": {"max": 1, "per": "1h"}, "enter": {**WRITES["enter"], "event": "slow"}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with opened(tmp_path / "store.db") as store:
        store.deploy(index_of({"writes": WRITES, "slow": TOLD, "fetches": FETCHES}), START)
        create(store, *(f"u{n}" for n in range(5)))
        for number in range(12):
            arrive(store, f"u{number % 5}", event(("go", "slow")[number % 2], order=str(number)))
        turns(store, START)
        yield store


def deliver(store: SqliteStore) -> None:
    """Everything that a delivery may do to a message."""
    claimed = store.claim_messages(START, 8, klass="transactional")
    assert len(claimed) == 7
    assert len(store.begin_hand_over(claimed, START)) == 7
    line = Transition(START, claimed[0].row.customer_id, 1, "message")
    receipt = Receipt("bounce", "email", claimed[0].row.id)
    ends = [
        {"status": "sent", "transitions": [line], "handed_over": True, "receipts": [receipt],
         "suppress": ("email", "a@b.c", "bounced")},
        {"status": "queued", "retry_at": START},
        {"status": "queued", "available_at": START},
        {"status": "queued"},
    ]  # fmt: skip
    ended = [Settlement(c.row.id, c.row.customer_id, **end, fence=c.fence) for c, end in zip(claimed, ends)]  # type: ignore[arg-type]
    sent = Settlement(claimed[-1].row.id, claimed[-1].row.customer_id, "sent", handed_over=True)
    store.settle_messages([*ended, sent], START)
    store.claim_messages(START, 8)
    store.throttled(START)
    store.room("slow", START)
    store.ledger(claimed[0].row.id)
    store.message("u1", "email", None)


def call(store: SqliteStore) -> None:
    requests = store.claim_requests(START, 8)
    store.settle_requests([(request, Replied(request.id, 200, None)) for request in requests], START)


def fan_out(store: SqliteStore) -> None:
    """An occurrence for everyone, in chunks."""
    store.zones()
    store.fan_out("writes", 0, "o", "UTC", None, START)
    store.fan_out("writes", 0, "o", None, "some", START)
    with store.db.write() as c:
        assert fanout.expand_fan_outs(c, START, 100) > 0


def operate(store: SqliteStore) -> None:
    store.set_switches(Switches(paused=frozenset({"writes"})))
    store.set_switches(Switches())
    store.operate("slow", "resume", START)
    store.overview()


@pytest.mark.parametrize("work", [deliver, call, fan_out, operate, SqliteStore.next_due_at])
def test_nothing_walks_through_a_table(
    store: SqliteStore, work: Callable[[SqliteStore], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "AT_ONCE", 1)
    arrive(store, "u1", event("ask", at=later(1)))
    with statements(store) as asked:
        work(store)
    assert asked
    for sql in asked:
        for line in plan_of(store, sql):
            found = re.match(r"SCAN (\w+)(?: .*INDEX (\w+))?", line)
            if found is None or "VIRTUAL TABLE" in line:
                continue
            if found[1] not in BOUNDED and found[2] not in WORK_ALONE and not counted(sql, found[2]):
                raise AssertionError(f"{line}\n{sql}")


def counted(sql: str, index: str | None) -> bool:
    """The figures of a status page count through narrow indexes."""
    return index is not None and "count(*)" in sql and "outbox" not in sql and "messages" not in sql


def test_a_batch_takes_a_handful_of_statements(store: SqliteStore) -> None:
    with statements(store) as asked:
        claimed = store.claim_messages(START, 100)
    assert len(claimed) == 7
    assert len(asked) <= 20
    with statements(store) as asked:
        store.begin_hand_over(claimed, START + timedelta(seconds=1))
    assert len(asked) == 1
