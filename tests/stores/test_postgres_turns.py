"""Turns of several processes at once: nobody decides on what another has decided already, whatever becomes of whom."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from orchestrator.core.decide import decide
from orchestrator.core.inbox import ConsentChanged, Deployed
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.postgres import choosing, database
from orchestrator.stores.postgres.store import PostgresStore
from orchestrator.stores.protocol import Arrival, Ingested, SaveRefused, StoreBusy
from tests.servers.postgres import clean_database
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, lines, turns, types
from tests.stores.postgres_stores import (
    cut_off,
    execute,
    in_threads,
    killed,
    opened,
    plan_of,
    rows_in,
    statements,
)

NAMES = [f"u{n:02}" for n in range(16)]


@pytest.fixture
def url() -> Iterator[str]:
    with clean_database() as url:
        yield url


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    with opened(url) as store:
        yield store


@pytest.fixture
def other(url: str, store: PostgresStore) -> Iterator[PostgresStore]:
    """A second process."""
    with opened(url) as other:
        yield other


def ready(store: PostgresStore) -> list[str]:
    return [record.customer.id for record in store.load(START, 100).customers]


# --- two at once ------------------------------------------------------------------------------------------------------


def test_what_one_claims_the_other_does_not_wait_for(store: PostgresStore, other: PostgresStore) -> None:
    for name in NAMES:
        arrive(store, name, event(order=name))
    mine = [record.customer.id for record in store.load(START, 5).customers]
    assert len(mine) == 5
    # A shard is claimed as a whole: what the budget left of it waits for its next turn.
    assert not {*ready(other)} & {*mine}
    other.abandon()
    store.abandon()
    assert ready(other) == NAMES


@pytest.mark.parametrize("claim", [choosing.CLAIM, choosing.CLAIM_FEW])
def test_claim_and_load_are_two_statements(url: str, store: PostgresStore, other: PostgresStore, claim: str) -> None:
    """A claim that waited for nobody, yet began before another's commit, decides on what stands after it.

    The claim takes its picture of the database first. Then another process commits a turn for the same shard, and only
    then the claim gets the shard's lock. Were the customers read by the statement that claims, this turn would take
    the item a second time."""
    arrive(store, "u1", event(order="1"))
    [[shard]] = execute(url, "SELECT shard FROM inbox")
    execute(url, "CREATE TABLE gate (n int)")
    execute(url, "INSERT INTO gate VALUES (1)")
    # A claim that is slow between its picture and its lock: it asks a function that waits at a gate first.
    execute(
        url,
        "CREATE FUNCTION slowly() RETURNS boolean LANGUAGE plpgsql VOLATILE AS "
        "$$ BEGIN PERFORM n FROM gate FOR SHARE; RETURN true; END $$",
    )
    slow = claim.replace("WHERE (", "WHERE slowly() AND (")
    assert slow != claim
    changes = decide(store.load(START, 10), START)
    views: list[Any] = []
    with pytest.MonkeyPatch.context() as patch, psycopg.connect(url) as gate:
        gate.execute("SELECT n FROM gate FOR UPDATE")
        patch.setattr(choosing, "CLAIM", slow)
        patch.setattr(choosing, "CLAIM_FEW", slow)
        late = threading.Thread(target=lambda: views.append(other.load(START, 10)))
        late.start()
        time.sleep(0.3)
        store.save(changes)
        gate.commit()
        late.join()
    assert rows_in(url, "inbox") == 0
    assert [list(view.customers) for view in views] == [[]]
    assert turns(other, START) == 0
    assert types(store) == [("u1", "entered"), ("u1", "waiting")]
    assert types(other) == []
    assert execute(url, "SELECT id FROM shards WHERE turned_at IS NOT NULL") == [(shard,)]


def test_one_statement_that_does_both_would_decide_twice(url: str, store: PostgresStore) -> None:
    """What the test above guards against, shown with plain statements."""
    arrive(store, "u1", event(order="1"))
    [[shard]] = execute(url, "SELECT shard FROM inbox")
    both_at_once = (
        "WITH mine AS (SELECT id FROM shards WHERE id = %s FOR UPDATE) "
        "SELECT i.seq FROM mine JOIN inbox AS i ON i.shard = mine.id"
    )
    seen: list[Any] = []
    with psycopg.connect(url) as first, psycopg.connect(url) as second:
        first.execute("UPDATE shards SET turned_at = 1 WHERE id = %s", (shard,))
        first.execute("DELETE FROM inbox")
        waiting = threading.Thread(target=lambda: seen.extend(second.execute(both_at_once, (shard,)).fetchall()))
        waiting.start()
        time.sleep(0.3)
        first.commit()
        waiting.join()
        assert len(seen) == 1, "if PostgreSQL no longer shows a stale row here, the two statements may become one"
        assert second.execute("SELECT count(*) FROM inbox").fetchone() == (0,)


def test_turns_of_many_processes_take_each_item_once(url: str) -> None:
    names = [f"c{n:03}" for n in range(300)]
    with opened(url) as feeder:
        feeder.ingest([Arrival(name, START, event(order=name), name) for name in names])

    def work() -> list[tuple[str, str]]:
        with opened(url) as store:
            idle = 0
            while idle < 20:
                if turn_once(store, START, 20).customers:
                    idle = 0
                else:
                    idle += 1
                    time.sleep(0.01)
            return types(store)

    told = [line for mine in in_threads(*[work] * 4) for line in mine]
    assert sorted(told) == sorted((name, type_) for name in names for type_ in ("entered", "waiting"))
    assert (rows_in(url, "inbox"), rows_in(url, "enrollments"), rows_in(url, "attempts")) == (0, 300, 0)


def test_arrivals_do_not_wait_for_a_turn(store: PostgresStore, other: PostgresStore) -> None:
    store.deploy(index_of({"writes": WRITES}), START)
    other.adopt(store.index)
    create(store, "u1")
    arrive(store, "u1", event(order="1"))
    view = store.load(START, 10)
    # An opt-out that comes while a turn decides on the consent before it stands at once, and the turn keeps it.
    other.ingest([Arrival("u1", START, ConsentChanged("orders", "email", "out"))])
    assert store.card("u1").customer.consents["orders", "email"] == "out"  # type: ignore[union-attr]
    store.save(decide(view, START))
    [claimed] = store.claim_messages(START, 10)
    assert claimed.customer.consents["orders", "email"] == "out"
    assert turns(store, START) == 1


def test_an_opt_out_is_not_lost_when_the_turn_changes_consents_too(store: PostgresStore, other: PostgresStore) -> None:
    create(store, "u1")
    arrive(store, "u1", ConsentChanged("promotions", "push", "in"))
    changes = decide(store.load(START, 10), START)
    other.ingest([Arrival("u1", START, ConsentChanged("promotions", "sms", "out"))])
    store.save(changes)
    consents = store.card("u1").customer.consents  # type: ignore[union-attr]
    assert (consents["promotions", "push"], consents["promotions", "sms"]) == ("in", "out")


def test_arrivals_of_many_processes_are_each_kept_once(url: str, store: PostgresStore) -> None:
    def bring(worker: int) -> list[Ingested]:
        with opened(url) as own:
            answers = []
            for n in range(15):
                arrivals = [Arrival(f"new{n}.{k}", START, event(id=f"s{n}.{k}", n=n), f"s{n}.{k}") for k in range(5)]
                answers.append(own.ingest(arrivals if worker % 2 else arrivals[::-1]))
            return answers

    answers = [answer for mine in in_threads(*(lambda w=w: bring(w) for w in range(4))) for answer in mine]
    assert sum(answer.accepted for answer in answers) == 75
    assert sum(answer.duplicates for answer in answers) == 3 * 75
    assert not any(answer.conflicts for answer in answers)
    assert (rows_in(url, "customers"), rows_in(url, "identifiers"), rows_in(url, "inbox")) == (75, 75, 75)


def test_a_nudge_names_its_shards(url: str, store: PostgresStore) -> None:
    for name in NAMES:
        arrive(store, name, event(order=name))
    [[shard, name], *_] = execute(url, "SELECT shard, external_id FROM inbox ORDER BY shard")
    named = [record.customer.id for record in store.load(START, 100, shards=[shard]).customers]
    assert name in named
    assert {shard} == {
        found for (found,) in execute(url, "SELECT shard FROM customers WHERE external_id = ANY(%s)", named)
    }
    quiet = next(n for n in range(1024) if n not in {s for (s,) in execute(url, "SELECT shard FROM inbox")})
    assert list(store.load(START, 100, shards=[quiet]).customers) == []


def test_shards_that_waited_longest_have_their_turn_first(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "SHARDS_A_TURN", 4)
    for name in NAMES:
        arrive(store, name, event(order=name))
    seen: list[str] = []
    for _ in range(4):
        taken = ready(store)
        seen += taken
        store.abandon()  # nothing is done, and yet the others come next
    assert len(seen) == len({*seen}) >= 12


def test_next_due_at_of_a_shard_is_exact(url: str, store: PostgresStore) -> None:
    for n, name in enumerate(NAMES):
        arrive(store, name, event(at=later(n), order=name), later(n))
        turns(store, later(n))
    exact = "SELECT count(*) FROM shards WHERE next_due_at IS DISTINCT FROM (SELECT min(at) FROM due WHERE shard = id)"
    assert execute(url, exact) == [(0,)]
    for n in (60, 61, 67, 90):
        turns(store, later(n))
        assert execute(url, exact) == [(0,)]
    assert rows_in(url, "due") == 0


# --- what fails -------------------------------------------------------------------------------------------------------


def refuse(url: str, *customers: str) -> None:
    """Let the database refuse enrollments of some customers."""
    names = ", ".join(f"'{name}'" for name in customers)
    execute(
        url,
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF EXISTS (SELECT 1 FROM customers WHERE id = NEW.customer AND external_id IN ({names})) "
        "THEN RAISE EXCEPTION 'not this one' USING ERRCODE = '23514'; END IF; RETURN NEW; END $$",
    )
    execute(url, "CREATE TRIGGER refuse BEFORE INSERT ON enrollments FOR EACH ROW EXECUTE FUNCTION refuse()")


@pytest.fixture
def refusing(url: str) -> Iterator[None]:
    """The trigger goes with the test: databases are used again."""
    yield
    execute(url, "DROP TRIGGER IF EXISTS refuse ON enrollments")
    execute(url, "DROP FUNCTION IF EXISTS slowly")
    execute(url, "DROP TABLE IF EXISTS gate")


pytestmark = pytest.mark.usefixtures("refusing")


def test_a_refused_save_parks_the_one_it_is_about_and_the_others_go_on(store: PostgresStore, url: str) -> None:
    for name in NAMES:
        arrive(store, name, event(order=name))
    refuse(url, "u03", "u11")
    counts = turn_once(store, START)
    assert (counts.customers, counts.parked, counts.transitions) == (16, 2, 28)
    assert turn_once(store, START).customers == 0
    assert {customer for customer, _ in types(store)} == {*NAMES} - {"u03", "u11"}
    parked = store.overview().parked
    assert [(who.customer, who.reason, who.parked_at, who.waiting) for who in parked] == [
        ("u03", "exception", START, 1), ("u11", "exception", START, 1),
    ]  # fmt: skip
    assert all("not this one" in who.detail for who in parked)
    assert rows_in(url, "attempts") == 0
    execute(url, "DROP TRIGGER refuse ON enrollments")
    store.operate("waits", "resume", later(1))
    turns(store, later(1))
    assert {line["customer"] for line in lines(store) if line["type"] == "entered"} == {"u03", "u11"}


@pytest.mark.parametrize("value", [object(), "\x00", "\ud800", 1 << 70])
def test_a_value_that_cannot_be_stored_is_refused(store: PostgresStore, url: str, value: object) -> None:
    arrive(store, "u1", event(order="1"))
    arrive(store, "u2", event(order="2"))
    changes = decide(store.load(START, 10), START)
    if isinstance(value, int):
        changes.customers[1].transitions[0] = changes.customers[1].transitions[0]._replace(seq=value)
    elif isinstance(value, str):
        changes.customers[1].enrollments[0].key = value
    else:
        changes.customers[1].enrollments[0].results["odd"] = value
    with pytest.raises(SaveRefused):
        store.save(changes)
    assert not store.db.holding
    assert (rows_in(url, "enrollments"), rows_in(url, "attempts")) == (0, 0)
    assert turns(store, START) == 2


def test_the_same_trigger_taken_again_goes_on_with_its_enrollment(store: PostgresStore, url: str) -> None:
    """A new row that stands there already is found, and written with care."""
    arrive(store, "u1", event(order="1"))
    turns(store, START)
    turns(store, later(60))
    arrive(store, "u1", event(order="1"), later(90))
    turns(store, later(90))
    turns(store, later(400))
    assert rows_in(url, "enrollments") in (1, 2)
    assert [line["type"] for line in lines(store)].count("entered") == 2


def test_a_save_without_its_claim_writes_nothing(store: PostgresStore) -> None:
    arrive(store, "u1", event(order="1"))
    changes = decide(store.load(START, 10), START)
    store.abandon()
    with pytest.raises(StoreBusy, match="claim"):
        store.save(changes)
    assert turns(store, START) == 1


def test_what_else_came_during_a_refused_turn_stands(store: PostgresStore, url: str) -> None:
    refuse(url, "u1")
    arrive(store, "u1", event(order="1"))
    changes = decide(store.load(START, 10), START)
    arrive(store, "u2", event(order="2"))
    with pytest.raises(SaveRefused):
        store.save(changes)
    assert ready(store) == ["u1", "u2"]


# --- what dies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["loaded", "decided", "saved"])
def test_a_session_that_the_server_ends_takes_its_turn_along(store: PostgresStore, url: str, point: str) -> None:
    arrive(store, "u1", event(order="1"))
    view = store.load(START, 10)
    if point == "loaded":
        cut_off(store)
    changes = decide(view, START)
    if point == "decided":
        cut_off(store)
    if point == "saved":
        store.save(changes)
    else:
        with pytest.raises(StoreBusy):
            store.save(changes)
    assert turns(store, START) == (0 if point == "saved" else 1)
    assert types(store) == [("u1", "entered"), ("u1", "waiting")]
    assert (rows_in(url, "enrollments"), rows_in(url, "attempts")) == (1, 0)


def test_a_turn_that_loses_its_session_before_its_decisions_is_in_nobodys_way(store: PostgresStore, url: str) -> None:
    """Who hears of a deploy makes a turn ask what is deployed: a process that was frozen until then has no session any
    more, and must find a new one for all that its thread asks from now on."""
    arrive(store, "u1", event(order="1"))
    arrive(store, "u1", Deployed())

    class Frozen:
        def is_current(self) -> bool:
            cut_off(store)
            return store.deployed() is not None

        def catch_up(self) -> bool:
            return True

    with pytest.raises(StoreBusy):
        turn_once(store, START, live=Frozen())
    assert store.deployed() is not None
    assert rows_in(url, "attempts") == 0
    assert turns(store, START) == 1


@pytest.mark.parametrize("committed", [True, False])
def test_a_lost_answer_to_commit_is_found_again_from_the_rows(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    arrive(store, "u1", event(order="1"))
    changes = decide(store.load(START, 10), START)
    commit = database.commit

    def cut(c: Any) -> None:
        if committed or c is not store.db._own.turn:
            commit(c)
        if c is store.db._own.turn:
            cut_off_session(url, c)
            c.execute("SELECT 1")  # the answer that never comes

    monkeypatch.setattr(database, "commit", cut)
    with pytest.raises(StoreBusy):
        store.save(changes)
    monkeypatch.undo()
    assert turns(store, START) == (0 if committed else 1)
    assert rows_in(url, "enrollments") == 1
    assert rows_in(url, "transitions") == 2
    assert rows_in(url, "inbox") == 0
    assert rows_in(url, "attempts") == 0


def cut_off_session(url: str, c: Any) -> None:
    with psycopg.connect(url) as somebody:
        somebody.execute("SELECT pg_terminate_backend(%s, 5000)", (c.info.backend_pid,))


def test_arrivals_whose_answer_was_lost_may_be_brought_again(store: PostgresStore, url: str) -> None:
    arrivals = [Arrival("u1", START, event(order=str(n)), str(n)) for n in range(3)]
    commit = database.commit

    def cut(c: Any) -> None:
        commit(c)
        cut_off_session(url, c)
        c.execute("SELECT 1")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "commit", cut)
        with pytest.raises(StoreBusy):
            store.ingest(arrivals)
    assert store.ingest(arrivals) == Ingested(0, 3, shards=frozenset())
    assert len(store.load(START, 10).customers[0].inbox) == 3


def test_a_frozen_worker_that_wakes_up_writes_nothing(store: PostgresStore, other: PostgresStore, url: str) -> None:
    store.db.make_durable()
    arrive(store, "u1", event(order="1"))
    changes = decide(store.load(START, 10), START)
    store.db.writer.execute("SET LOCAL idle_in_transaction_session_timeout = '100ms'")
    until = time.monotonic() + 10
    while not turn_once(other, START).customers and time.monotonic() < until:
        time.sleep(0.05)
    turns(other, START)
    with pytest.raises(StoreBusy):
        store.save(changes)
    assert types(other) == [("u1", "entered"), ("u1", "waiting")]
    assert types(store) == []
    assert (rows_in(url, "enrollments"), rows_in(url, "inbox"), rows_in(url, "attempts")) == (1, 0, 0)


def test_a_process_that_dies_in_a_turn_loses_nothing(url: str) -> None:
    with opened(url) as store:
        for name in NAMES:
            arrive(store, name, event(order=name))
        store.save(decide(store.load(START, 3), START))
        decide(store.load(START, 5), START)
        killed(store)
    with opened(url) as store:
        turns(store, START)
        assert len(types(store)) == 2 * 13
    assert (rows_in(url, "enrollments"), rows_in(url, "attempts"), rows_in(url, "inbox")) == (16, 0, 0)


def test_a_server_that_restarts_is_met_again(url: str, store: PostgresStore) -> None:
    arrive(store, "u1", event(order="1"))
    decided = decide(store.load(START, 10), START)
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    execute(url, f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")
    with pytest.raises(StoreBusy):
        store.save(decided)
    # Of the idle connections nobody hears: the next call finds that they are gone, and makes others.
    assert store.overview().inbox == 1
    assert turns(store, START) == 1


# --- however large the database is ------------------------------------------------------------------------------------

BOUNDED = ("meta", "shards", "attempts", "versions", "deployments", "quotas", "fanout", "counts", "tallies")
"""Tables that do not grow with the customers."""


def test_no_turn_walks_through_a_table(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
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
    store.deploy(index_of({"asks": asks}, offers=offer, project=caps), START)
    create(store, *NAMES)
    with store.db.write() as c:
        c.execute("INSERT INTO suppressions VALUES ('email', 'x@example.com', 'bounced', 0)")
    with statements(monkeypatch) as asked:
        for name, at in (("go", START), ("go", later(1)), ("bought", later(2))):
            for customer in NAMES[:4]:
                arrive(store, customer, event(name, at=at, order="1"), at, f"{customer}{name}{at}")
            turns(store, at)
        turn_once(store, later(9))
        store.retain(later(days=1), 10)
    checked = set()
    for sql, values in asked:
        if sql in checked or not re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", sql):
            continue
        checked.add(sql)
        for line in plan_of(store, sql, values):
            found = re.search(r"Seq Scan on (\w+)|(Hash Join|Merge Join)", line)
            assert found is None or found[1] in BOUNDED, f"{line}\n{sql}"
            assert "JOIN enrollments" not in sql or "ix_enrollments_live" not in line, f"{line}\n{sql}"
    assert len(checked) > 30


# --- what a nudge names -----------------------------------------------------------------------------------------------


def test_an_arrival_tells_the_shards_in_which_a_turn_finds_it(url: str, store: PostgresStore) -> None:
    told = store.ingest([Arrival(name, START, event(order=name), f"m-{name}") for name in NAMES]).shards
    assert told == {shard for (shard,) in execute(url, "SELECT shard FROM inbox")}
    some = sorted(told)[:4]
    names = {record.customer.id for record in store.load(START, 100, shards=some).customers}
    assert names == {name for name, shard in execute(url, "SELECT external_id, shard FROM inbox") if shard in some}
    store.abandon()
    again = store.ingest([Arrival("u00", START, event(order="u00"), "m-u00")])
    assert (again.duplicates, again.shards) == (1, frozenset())


def test_arrivals_that_share_a_commit_each_hear_of_their_own_shards(url: str, store: PostgresStore) -> None:
    found = in_threads(*[lambda name=name: (name, store.ingest([Arrival(name, START, event())])) for name in NAMES])
    places = dict(execute(url, "SELECT external_id, shard FROM inbox"))
    assert {name: answer.shards for name, answer in found} == {name: {shard} for name, shard in places.items()}


# --- the suppression list ---------------------------------------------------------------------------------------------


def test_the_list_is_asked_once_for_all_customers_of_a_turn(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(store, *NAMES)
    for name in NAMES:
        arrive(store, name, event())
    store.suppress([("email", "u03@example.com", "bounced")], START)
    view = store.load(START, 100)
    with statements(monkeypatch) as asked:
        causes = {name: view.suppressions.get(("email", f"{name}@example.com")) for name in NAMES}
        assert view.suppressions.get(("email", "elsewhere@example.com")) is None  # a step's own `to:`
    assert {name for name, found in causes.items() if found} == {"u03"} and causes["u03"] == {"bounced"}
    assert sum("suppressions" in text for text, _ in asked) == 2
    store.abandon()
