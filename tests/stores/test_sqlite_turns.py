"""Turns on SQLite: what cannot be stored, who kills the process, and callers in many threads."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.decide import decide
from orchestrator.core.inbox import ConsentChanged
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.protocol import Arrival, Ingested, SaveRefused, Snapshot, StoreBusy
from orchestrator.stores.sqlite.store import SqliteStore, open_store
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, lines, turns, types
from tests.stores.sqlite_files import opened, plan_of, rows_in, statements

NAMES = [f"u{n:02}" for n in range(16)]
FILES = Snapshot("the same files", {})


def restarted(path: Path) -> SqliteStore:
    """The store of a process that begins; what it commits is durable, and turns are written down before they begin."""
    store = open_store(path, drains=True)
    store.deploy(index_of(), START, FILES)
    return store


def killed(store: SqliteStore) -> None:
    """The process ends here: nothing is released, nothing closed properly."""
    store.db.close()


# --- what cannot be stored --------------------------------------------------------------------------------------------


def refuse(path: Path, *customers: str) -> None:
    """Let the database refuse enrollments of some customers."""
    c = sqlite3.connect(path)
    names = ", ".join(f"'{name}'" for name in customers)
    with c:
        c.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON enrollments WHEN NEW.customer IN "
            f"(SELECT id FROM customers WHERE external_id IN ({names})) BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
    c.close()


def test_a_refused_save_parks_the_one_it_is_about_and_the_others_go_on(store: SqliteStore, path: Path) -> None:
    for name in NAMES:
        arrive(store, name, event(order=name))
    refuse(path, "u03", "u11")
    counts = turn_once(store, START)
    assert (counts.customers, counts.parked, counts.transitions) == (16, 2, 28)
    assert turn_once(store, START).customers == 0
    assert {customer for customer, _ in types(store)} == {*NAMES} - {"u03", "u11"}
    parked = store.overview().parked
    assert [(who.customer, who.reason, who.parked_at, who.waiting) for who in parked] == [
        ("u03", "exception", START, 1), ("u11", "exception", START, 1),
    ]  # fmt: skip
    assert all("not this one" in who.detail for who in parked)
    card = store.card("u03")
    assert card is not None and list(card.enrollments) == []
    c = sqlite3.connect(path)
    c.execute("DROP TRIGGER refuse")
    c.close()
    store.operate("waits", "resume", later(1))
    turns(store, later(1))
    assert {line["customer"] for line in lines(store) if line["type"] == "entered"} == {"u03", "u11"}


def test_a_value_that_is_no_data_is_refused_like_a_constraint(store: SqliteStore) -> None:
    arrive(store, "u1", event(order="1"))
    arrive(store, "u2", event(order="2"))
    changes = decide(store.load(START, 10), START)
    changes.customers[1].enrollments[0].results["odd"] = object()
    with pytest.raises(SaveRefused, match="is no data"):
        store.save(changes)
    assert not store.db.holding
    assert rows_in(store, "enrollments") == 0
    assert turns(store, START) == 2


def test_what_breaks_a_decision_ends_the_claim(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator.runtime import turns as runtime_turns

    arrive(store, "u1", event(order="1"))

    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(runtime_turns, "decide", broken)
    with pytest.raises(MemoryError):
        turn_once(store, START)
    monkeypatch.undo()
    assert not store.db.holding
    assert turns(store, START) == 1


def test_a_save_without_its_claim_writes_nothing(store: SqliteStore) -> None:
    arrive(store, "u1", event(order="1"))
    changes = decide(store.load(START, 10), START)
    store.abandon()
    with pytest.raises(StoreBusy, match="claim"):
        store.save(changes)
    assert turns(store, START) == 1


def test_what_else_was_written_during_a_refused_turn_stands(store: SqliteStore, path: Path) -> None:
    refuse(path, "u1")
    arrive(store, "u1", event(order="1"))
    changes = decide(store.load(START, 10), START)
    arrive(store, "u2", event(order="2"))
    with pytest.raises(SaveRefused):
        store.save(changes)
    assert [record.customer.id for record in store.load(START, 10).customers] == ["u1", "u2"]


# --- who kills the process --------------------------------------------------------------------------------------------


def test_a_process_that_dies_in_a_turn_loses_nothing(path: Path) -> None:
    store = restarted(path)
    for name in NAMES:
        arrive(store, name, event(order=name))
    store.save(decide(store.load(START, 3), START))
    decide(store.load(START, 5), START)
    killed(store)
    store = restarted(path)
    turns(store, START)
    told = types(store)
    assert sorted(told) == sorted((name, type_) for name in NAMES[3:] for type_ in ("entered", "waiting"))
    assert rows_in(store, "enrollments") == 16
    assert rows_in(store, "attempts") == 0
    store.close()


@pytest.mark.parametrize("poison", ["u00", "u07", "u15"])
def test_who_kills_the_process_is_found_and_parked_and_the_others_go_on(path: Path, poison: str) -> None:
    store = restarted(path)
    for name in NAMES:
        arrive(store, name, event(order=name))
    deaths, decided = 0, set[str]()
    for _ in range(100):
        view = store.load(START, 10)
        if not view.customers:
            break
        if any(record.customer.id == poison for record in view.customers):
            killed(store)
            deaths += 1
            store = restarted(path)
        else:
            store.save(decide(view, START))
            decided |= {record.customer.id for record in view.customers}
    assert decided == {*NAMES} - {poison}
    assert deaths <= 4 + 3, "halved four times, and three times alone"
    [parked] = store.overview().parked
    assert (parked.customer, parked.reason, parked.waiting) == (poison, "exception", 1)
    assert "ended 3 times" in parked.detail
    assert rows_in(store, "attempts") == 0
    store.operate("waits", "resume", later(1))
    store.drain_journal()
    turns(store, later(1))
    assert (poison, "entered") in types(store)
    store.close()


def test_suspects_and_others_take_turns(path: Path) -> None:
    store = restarted(path)
    for name in NAMES[:4]:
        arrive(store, name, event(order=name))
    store.load(START, 4)
    killed(store)
    store = restarted(path)
    for name in NAMES[4:]:
        arrive(store, name, event(order=name))
    taken = []
    while view := store.load(START, 6).customers:
        taken.append([record.customer.id for record in view])
        store.save(decide(store.load(START, 6, [record.customer.id for record in view]), START))
    assert taken[0] == NAMES[4:10]
    assert sorted(name for names in taken for name in names) == NAMES
    store.close()


# --- whose turn it is -------------------------------------------------------------------------------------------------


def test_where_many_are_due_neighbours_are_taken_together_and_the_longest_due_first(path: Path) -> None:
    store = restarted(path)
    everyone = [f"c{n:04}" for n in range(1_000)]
    for n, name in enumerate(everyone):
        store.ingest([Arrival(name, later(seconds=n), event(order=name))])
    left, sizes = set(everyone), []
    while view := store.load(later(60), 100).customers:
        names = [record.customer.id for record in view]
        assert names == sorted(names)
        assert min(left) in names, "who is due longest is always among them"
        with store.db.read() as c:
            shards = [shard for (shard,) in c.execute("SELECT shard FROM customers WHERE external_id IN "
                                                      f"({','.join('?' * len(names))})", names)]  # fmt: skip
        if len(left) > 200:
            assert max(shards) - min(shards) < 1_024 // 2
        store.save(decide(store.load(later(60), 100, names), later(60)))
        assert left >= {*names}
        left -= {*names}
        sizes.append(len(names))
    assert not left
    assert len(sizes) <= 20
    store.close()


def test_turns_that_were_planned_ahead_take_everybody_once_and_nobody_who_was_parked_meanwhile(path: Path) -> None:
    store = restarted(path)
    everyone = [f"c{n:04}" for n in range(1_000)]
    store.ingest([Arrival(name, START, event(order=name)) for name in everyone])
    taken: list[str] = []
    turns = 0
    while view := store.load(later(60), 100):
        names = [record.customer.id for record in view.customers]
        if not names:
            break
        turns += 1
        if turns == 3:  # its claim ends with the next one, and it is due still
            continue
        assert names == sorted(names)
        taken += names
        store.save(decide(view, later(60)))
        if turns == 5:
            left = sorted({*everyone} - {*taken})
            store.park(left[0], "exception", "", START)
            other = restarted(path)
            other.park(left[-1], "exception", "", START)
            other.close()
    assert sorted(taken) == sorted({*everyone} - {left[0], left[-1]})
    assert turns <= 14
    store.close()


# --- callers in many threads ------------------------------------------------------------------------------------------


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """Call them at once, each in a thread of its own. Returns what they returned."""
    found: list[Any] = [None] * len(calls)
    together = threading.Barrier(len(calls))

    def run(place: int, call: Callable[[], Any]) -> None:
        together.wait()
        found[place] = call()

    threads = [threading.Thread(target=run, args=(place, call)) for place, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_arrivals_of_many_threads_are_each_kept_once_and_share_commits(store: SqliteStore) -> None:
    def bring(thread: int) -> list[Ingested]:
        answers = []
        for n in range(30):
            own = Arrival(f"c{thread}", START, event(order=f"{thread}.{n}"), f"{thread}.{n}")
            shared = Arrival("all", START, event(id=f"s{n}", n=n), f"s{n}")
            answers.append(store.ingest([own, shared]))
        return answers

    with statements(store) as asked:
        answers = in_threads(*(lambda thread=thread: bring(thread) for thread in range(8)))
    everything = [answer for mine in answers for answer in mine]
    assert sum(answer.accepted for answer in everything) == 8 * 30 + 30
    assert sum(answer.duplicates for answer in everything) == 7 * 30
    assert not any(answer.conflicts for answer in everything)
    batches = sum(bool(re.search(r"json_each.*JOIN seen", sql)) for sql in asked)
    assert batches < 8 * 30, "each caller committed alone"
    views = store.load(START, 100).customers
    assert {view.customer.id: len(view.inbox) for view in views} == {**{f"c{n}": 30 for n in range(8)}, "all": 30}
    for view in views[1:]:
        assert [item.body.event.properties["order"][2:] for item in view.inbox] == [str(n) for n in range(30)]  # type: ignore[union-attr]


def test_a_batch_that_cannot_be_stored_fails_alone(store: SqliteStore, path: Path) -> None:
    c = sqlite3.connect(path)
    with c:
        c.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON customers WHEN NEW.external_id LIKE 'bad%' "
            "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
    c.close()

    def bring(name: str) -> str:
        try:
            return f"{store.ingest([Arrival(name, START, event())]).accepted}"
        except Exception as error:
            return str(error)

    names = [f"{kind}{n}" for n in range(6) for kind in ("good", "bad")]
    store.db.hold()  # so that all of them wait, and are written together
    threads = threading.Thread(
        target=lambda: answers.update(zip(names, in_threads(*(lambda name=name: bring(name) for name in names))))
    )
    answers: dict[str, str] = {}
    threads.start()
    threads.join(0.3)
    store.db.release(commit=True)
    threads.join()
    assert answers == {name: "1" if name.startswith("good") else "not this one" for name in names}
    assert len(store.load(START, 100).customers) == 6


def test_arrivals_wait_for_the_end_of_a_turn_and_are_not_lost(store: SqliteStore) -> None:
    store.deploy(index_of({"writes": WRITES}), START)
    create(store, "u1")
    arrive(store, "u1", event(order="1"))
    view = store.load(START, 10)
    out = Arrival("u1", START, ConsentChanged("orders", "email", "out"))
    other = threading.Thread(target=store.ingest, args=([out],))
    other.start()
    other.join(0.2)
    assert other.is_alive()
    store.save(decide(view, START))
    other.join()
    [claimed] = store.claim_messages(START, 10)
    assert claimed.customer.consents["orders", "email"] == "out"
    assert turns(store, START) == 1


def test_turns_of_many_threads_take_each_customer_once(store: SqliteStore) -> None:
    for name in NAMES:
        arrive(store, name, event(order=name))

    def work() -> int:
        taken = 0
        while counts := turn_once(store, START, 3).customers:
            taken += counts
        return taken

    assert sum(in_threads(*[work] * 4)) == 16
    assert sorted(types(store)) == sorted((name, type_) for name in NAMES for type_ in ("entered", "waiting"))


# --- however large the file is ----------------------------------------------------------------------------------------

BOUNDED = ("SELECT EXISTS (SELECT 1 FROM ", "ix_inbox_waiting", "ix_fanout_pending", "ix_tasks_open", "FROM meta")
"""What looks at the first entries of a table, or at an index that holds nothing but work that is open."""
FIRED: Sequence[tuple[str, datetime]] = [("go", START), ("go", later(1)), ("bought", later(2))]


def test_no_turn_walks_through_a_table(path: Path) -> None:
    asks = {
        "enter": {"event": "go", "key": "event.order", "reentry": "always"},
        "goal": {"event": "bought", "within": "1d"},
        "topic": "promotions",
        "steps": [
            {"if": "did('bought') or received('hello', within='1d')", "then": [{"wait": "1m"}]},
            {"coupon": {"offer": "ten", "as": "coupon"}},
            {"email": "hello"},
            {"task": {"queue": "desk", "title": "Call"}},
            {"fetch": {"url": "https://x.example/", "as": "w"}},
        ],
    }
    offer = {"ten": {"discount": {"percent": 10}, "codes": {"prefix": "T", "length": 6}, "limits": {"total": 50}}}
    caps = {"caps": [{"max": 5, "per": "1h"}]}
    with opened(path) as store:
        store.deploy(index_of({"asks": asks}, offers=offer, project=caps), START)
        create(store, *NAMES)
        with store.db.write() as c:
            c.execute("INSERT INTO suppressions VALUES ('email', 'x@example.com', 'bounced', 0)")
        with statements(store) as asked:
            for name, at in FIRED:
                for customer in NAMES[:4]:
                    arrive(store, customer, event(name, at=at, order="1"), at, f"{customer}{name}{at}")
                turns(store, at)
            turn_once(store, later(9))
        for sql in asked:
            for line in plan_of(store, sql):
                walks = line.startswith("SCAN") and "VIRTUAL TABLE" not in line and "CONSTANT" not in line
                assert not walks or any(part in sql or part in line for part in BOUNDED), f"{line}\n{sql}"
        assert len({re.sub(r"'(?:[^']|'')*'|-?\d+", "?", sql) for sql in asked}) > 30
