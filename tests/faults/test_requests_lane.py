"""Calls to the outside on SQLite, several at once, while turns and arrivals go on writing to the same file."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.index import Index
from orchestrator.core.ledger import Request
from orchestrator.runtime.requests import WIDTH, requests_once
from orchestrator.stores.sqlite.requests import LEASE
from orchestrator.stores.sqlite.store import SqliteStore, open_store
from tests.small_projects import project_of
from tests.stores.driving import START, arrive, create, event, turns

CUSTOMERS = 40
PATIENCE = 60.0
"""Real seconds: machines that run tests are busy."""
JOURNEY: dict[str, Any] = {
    "topic": "orders",
    "enter": {"event": "go", "reentry": "always"},
    "steps": [
        {"fetch": {"url": "https://{{ customer.id }}.example/", "as": "found", "timeout": "2s"}},
        {"if": "found_status == 200", "then": [{"email": "hello"}], "else": [{"email": "second"}]},
    ],
}


class Hosts:
    """Answers at once, but for `hanging` hosts, which answer when they are let go."""

    def __init__(self, *hanging: str) -> None:
        self.go_on = threading.Event()
        self.calls: Counter[str] = Counter()
        self.most_at_once = 0
        self._hanging = hanging
        self._lock = threading.Lock()
        self._now = 0

    def call(self, request: Request) -> tuple[int | None, Any, str | None]:
        with self._lock:
            self.calls[request.customer_id] += 1
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            if request.customer_id in self._hanging:
                assert self.go_on.wait(PATIENCE)
            return 200, {"who": request.customer_id}, None
        finally:
            with self._lock:
                self._now -= 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = open_store(tmp_path / "shop.sqlite", salt="7")
    made.deploy(Index(project_of(tmp_path, {"asks": JOURNEY}).project), START)
    create(made, *(f"u{number}" for number in range(CUSTOMERS)))
    for number in range(CUSTOMERS):
        arrive(made, f"u{number}", event(id=f"e{number}"))
    turns(made, START)
    yield made
    made.close()


def mailed(store: SqliteStore) -> dict[str, list[str]]:
    """Templates by customer, as far as a message was written."""
    cards = {f"u{number}": store.card(f"u{number}") for number in range(CUSTOMERS)}
    return {id: [m.row.template for m in card.messages] for id, card in cards.items() if card and card.messages}


def wait_until_answered(store: SqliteStore, count: int) -> None:
    """Decide, as the other lane does, until so many customers went on."""
    reached = threading.Event()
    for _ in range(int(PATIENCE / 0.05)):
        turns(store, START)
        if len(mailed(store)) >= count:
            return
        reached.wait(0.05)
    raise AssertionError(f"only {len(mailed(store))} of {count} customers went on")


def test_one_that_hangs_holds_up_neither_the_other_calls_nor_the_turns(store: SqliteStore) -> None:
    hosts = Hosts("u3")
    with ThreadPoolExecutor(2) as lanes:
        try:
            under_way = lanes.submit(requests_once, store, hosts, START, real_at=START)
            wait_until_answered(store, CUSTOMERS - 1)
            assert not under_way.done() and "u3" not in mailed(store)
            arrive(store, "u5", event(id="again"))  # the file is free for whoever writes
            turns(store, START)
            # Another pass, while the lease lasts, leaves it alone; u5 asks anew.
            assert lanes.submit(requests_once, store, hosts, START, real_at=START + LEASE / 2).result(PATIENCE) == 1
            hosts.go_on.set()
            assert under_way.result(PATIENCE) == CUSTOMERS
        finally:
            hosts.go_on.set()
    turns(store, START)
    assert hosts.calls == Counter([f"u{number}" for number in range(CUSTOMERS)] + ["u5"])
    assert 1 < hosts.most_at_once <= WIDTH
    assert mailed(store) == {f"u{n}": ["hello"] * (2 if n == 5 else 1) for n in range(CUSTOMERS)}


def test_one_that_hangs_beyond_its_lease_is_called_again_and_answered_once(store: SqliteStore) -> None:
    """As after a process that was frozen in the middle of a call: its key is the same, and one answer counts."""
    frozen, heir = Hosts("u3", "u7"), Hosts()
    with ThreadPoolExecutor(1) as lane:
        try:
            under_way = lane.submit(requests_once, store, frozen, START, real_at=START)
            wait_until_answered(store, CUSTOMERS - 2)
            later = START + LEASE + timedelta(seconds=1)
            assert requests_once(store, heir, START, real_at=later) == 2
            turns(store, START)
            assert mailed(store)["u3"] == mailed(store)["u7"] == ["hello"]
            frozen.go_on.set()
            under_way.result(PATIENCE)
        finally:
            frozen.go_on.set()
    turns(store, START)
    assert heir.calls == {"u3": 1, "u7": 1}
    assert mailed(store) == {f"u{number}": ["hello"] for number in range(CUSTOMERS)}
    assert store.claim_requests(START, 10, START + 10 * LEASE) == []
