"""What is forgotten, when, and what never is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.core.inbox import Event
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Arrival, RefusedItem, Settlement, Store
from orchestrator.stores.sqlite import retention
from orchestrator.stores.sqlite.pools import load_pools
from orchestrator.stores.sqlite.store import SqliteStore
from tests.stores.driving import START, WAITS_AN_HOUR, WRITES, arrive, create, event, index_of, later, turns
from tests.stores.sqlite_files import opened, rows_in

HISTORY = timedelta(days=400)
DEDUPE = timedelta(days=35)
NEVER_FULL = 1_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with opened(tmp_path / "store.db") as store:
        store.deploy(index_of({"writes": WRITES}), START)
        yield store


def test_a_young_store_forgets_nothing(store: SqliteStore) -> None:
    _write(store)
    assert store.retain(START + HISTORY, NEVER_FULL) == 0 + rows_in(store, "seen")
    assert store.journal("u1") != []


def test_ids_of_events_are_forgotten_when_they_are_new_again(store: SqliteStore) -> None:
    arrive(store, "u1", event(), START, "m1")
    arrive(store, "u1", event(), later(1), "m2")
    assert store.retain(START + DEDUPE, NEVER_FULL) == 0
    assert store.retain(later(1) + DEDUPE, NEVER_FULL) == 1
    again = store.ingest([Arrival("u1", START + DEDUPE, event(), "m2")])
    assert again.duplicates == 1


def test_the_journal_goes_after_the_history_and_the_ledger_stays(store: SqliteStore) -> None:
    _write(store)
    [claimed] = store.claim_messages(START, 10)
    past = START + HISTORY + timedelta(minutes=5)
    store.settle_messages([Settlement(claimed.row.id, "u1", "sent")], START)
    store.retain(past, NEVER_FULL)
    assert (rows_in(store, "transitions"), rows_in(store, "messages")) == (0, 1)
    found = store.ledger(claimed.row.id)
    assert found is not None and found.status == "sent"
    assert dict(store.overview().messages) == {("email", "sent"): 1}


def test_stories_that_ended_go_and_those_that_run_stay(store: SqliteStore) -> None:
    long = {**WAITS_AN_HOUR, "enter": {"event": "ping"}, "steps": [{"wait": "900d"}]}
    store.deploy(index_of({"waits": WAITS_AN_HOUR, "long": long}), START)
    for name in ("go", "ping"):
        arrive(store, "u1", event(name, order="1"))
    turns(store, START)
    turns(store, later(60))
    assert rows_in(store, "enrollments") == 2
    store.retain(later(61) + HISTORY, NEVER_FULL)
    card = store.card("u1")
    assert card is not None
    assert [e.journey for e in card.enrollments] == ["long"]
    assert rows_in(store, "enrollments") == 1


@pytest.mark.parametrize("within", ["2h", None])
def test_who_ended_and_can_reach_the_goal_no_more_is_nobodys_concern(tmp_path: Path, within: str | None) -> None:
    """On both stores: up to the last event that may be the goal, and an hour for whoever decides late."""
    goal = {"event": "bought", **({"within": within} if within else {})}
    index = index_of({"waits": {**WAITS_AN_HOUR, "goal": goal}})
    over, bought_at = START + HISTORY + timedelta(days=1), later(90)
    with opened(tmp_path / "goals.db") as on_disk:
        for store in (on_disk, MemoryStore("0", keep_journal=True)):
            store.deploy(index, START)
            for name in ("u1", "u2"):
                arrive(store, name, event(order="1"))
            turns(store, START)
            turns(store, later(60))
            store.retain(over, NEVER_FULL)
            assert _held(store, "u1") == _held(store, "u2") == 1
            arrive(store, "u1", event("bought", at=bought_at, id="late"), over)  # the last that counts
            turns(store, over)
            assert [t.type for t in store.journal("u1") if t.type == "goal"] == ["goal"]
            assert (_held(store, "u1"), _held(store, "u2")) == (0, 1)
            store.retain(over + timedelta(hours=1), NEVER_FULL)
            assert _held(store, "u2") == 0
            arrive(store, "u2", event("bought", at=bought_at, id="too late"), over + timedelta(hours=1))
            turns(store, over + timedelta(hours=1))
            assert [t for t in store.journal("u2") if t.type == "goal"] == []


def _held(store: Store, customer: str) -> int:
    card = store.card(customer)
    assert card is not None
    return len(card.enrollments)


def test_events_go_but_for_the_first_the_last_and_those_counted_without_end(store: SqliteStore) -> None:
    where = "count('bought') > 5 or did('ping', within='30d')"
    store.deploy(index_of({"writes": WRITES}, segments={"buyers": {"where": where}}), START)
    for name in ("bought", "ping"):
        store.lay_history("u1", [Event(name, later(n), {"n": n}, f"{name}{n}") for n in range(5)])
    turns(store, later(10))
    assert rows_in(store, "events") == 10
    store.retain(later(10) + HISTORY, NEVER_FULL)
    assert rows_in(store, "events") == 7
    arrive(store, "u1", event("ping", at=later(20)), later(20))
    [view] = store.load(later(20), 10).customers
    assert view.history is not None
    assert [e.properties["n"] for e in view.history.events("bought")] == [0, 1, 2, 3, 4]
    assert [e.properties.get("n") for e in view.history.events("ping")] == [0, 4]
    store.abandon()


def test_fetched_answers_refusals_and_days_go(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "REFUSED_KEPT", 3)
    store.keep_reply("https://x.example/a", 200, None, later(10))
    store.keep_reply("https://x.example/b", 200, None, later(30))
    store.keep_refused([RefusedItem(START, "http", f"{n}") for n in range(5)])
    assert store.retain(later(20), NEVER_FULL) == 3
    assert [item.reason for item in store.refused(10)] == ["4", "3", "2"]
    assert store.overview().refused == 3
    store.deploy(index_of({"writes": {**WRITES, "limits": {"entries_per_day": 1}}}), START)
    _write(store)
    arrive(store, "u1", event(order="2"))
    turns(store, START)
    assert store.retain(later(days=1), NEVER_FULL) == 1  # the other answer
    assert _entries_left(store) == {"writes": 0}
    assert store.retain(later(days=3), NEVER_FULL) == 1
    assert _entries_left(store) == {"writes": 1}


def test_hand_overs_are_kept_as_far_back_as_a_throttle_looks(store: SqliteStore) -> None:
    store.deploy(index_of({"writes": {**WRITES, "throttle": {"max": 5, "per": "3d"}}}), START)
    _write(store)
    [claimed] = store.claim_messages(START, 10)
    store.settle_messages([Settlement(claimed.row.id, "u1", "sent", handed_over=True)], START)
    assert store.retain(later(days=3, minutes=-1), NEVER_FULL) == 0
    assert store.room("writes", later(days=2)) == (4, None)
    assert store.retain(later(days=3), NEVER_FULL) == 1


def test_a_pass_is_bounded_and_the_next_goes_on(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SLICE", 2)
    monkeypatch.setattr(retention, "SLICES", 2)
    customers = [f"u{n}" for n in range(7)]
    for customer in customers:
        create(store, customer)
        arrive(store, customer, event(order="1"))
    turns(store, START)
    before = rows_in(store, "transitions")
    past = START + HISTORY + timedelta(days=1)
    sizes = [_passed(store, past, 3) for _ in range(60)]
    assert max(sizes) <= 3
    assert rows_in(store, "transitions") == 0
    assert sum(sizes) == before


def _entries_left(store: SqliteStore) -> Mapping[str, int]:
    with store.db.read() as c:
        return load_pools(c, store.index.project, START).entries_left


def _passed(store: SqliteStore, now: datetime, limit: int) -> int:
    before = rows_in(store, "transitions")
    store.retain(now, limit)
    return before - rows_in(store, "transitions")


def _write(store: SqliteStore) -> None:
    create(store, "u1")
    arrive(store, "u1", event(order="1"))
    turns(store, START)
