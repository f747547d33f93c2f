"""Delivery from PostgreSQL by many at once: every message is one claimer's, an opt-out orders itself before or after a
claim, late settlements write nothing, limits hold, and whatever runs each second finds its rows by an index."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from orchestrator.core.claim import Claimed
from orchestrator.core.inbox import ConsentChanged, Receipt
from orchestrator.core.transition import Transition
from orchestrator.core.view import Switches
from orchestrator.stores.postgres import fanout
from orchestrator.stores.postgres.store import PostgresStore, open_store
from orchestrator.stores.protocol import Arrival, Settlement
from tests.servers.postgres import clean_database
from tests.stores.contract_leases import FETCHES
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, turns

REAL = datetime(2030, 1, 1, tzinfo=UTC)
PROMOTES = {**WRITES, "topic": "promotions"}
SLOW = {**WRITES, "throttle": {"max": 5, "per": "1h"}, "enter": {**WRITES["enter"], "event": "slow"}}
THREADS = 8


def after(seconds: float) -> datetime:
    return REAL + timedelta(seconds=seconds)


@pytest.fixture
def stores() -> Iterator[Callable[[int], list[PostgresStore]]]:
    """So many processes on one database: each a store of its own."""
    with ExitStack() as stack:

        def make(count: int, journeys: dict[str, Any] | None = None) -> list[PostgresStore]:
            url = stack.enter_context(clean_database())
            made = [open_store(url, salt="0") for _ in range(count)]
            for store in made:
                stack.callback(store.close)
            index = index_of(journeys or {"writes": WRITES})
            made[0].deploy(index, START)
            for store in made[1:]:
                store.adopt(index)
            return made

        yield make


def queue(store: PostgresStore, customers: int, name: str = "go", **traits: Any) -> None:
    """A message for each of so many customers."""
    create(store, *(f"u{n}" for n in range(customers)), **traits)
    store.ingest([Arrival(f"u{n}", START, event(name, order="1", id=f"{name}{n}")) for n in range(customers)])
    turns(store, START)


def end(claimed: Claimed, status: str, **more: Any) -> Settlement:
    return Settlement(claimed.row.id, claimed.row.customer_id, status, fence=claimed.fence, **more)


def at_once(work: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all at the same time; what any of them raises is raised."""
    with ThreadPoolExecutor(len(work)) as pool:
        return [done.result() for done in [pool.submit(each) for each in work]]


# --- many claimers ----------------------------------------------------------------------------------------------------


def test_eight_claimers_get_each_message_once(stores: Any) -> None:
    processes = stores(4)
    queue(processes[0], 2_000)

    def claim(store: PostgresStore, size: int) -> list[str]:
        mine: list[str] = []
        while found := store.claim_messages(START, size, REAL, "transactional"):
            mine += [claimed.row.id for claimed in found]
            store.settle_messages([end(claimed, "sent") for claimed in found[::2]], START)
        return mine

    parts = at_once([lambda n=n: claim(processes[n % 4], 20 + n) for n in range(THREADS)])
    assert max(Counter(id for part in parts for id in part).values()) == 1
    assert sum(map(len, parts)) == 2_000
    assert sum(1 for part in parts if part) > 1
    counted = processes[0].overview().messages
    assert sum(counted.values()) == 2_000
    assert counted["email", "sent"] >= 1_000


def test_several_claimers_never_pass_a_throttle(stores: Any) -> None:
    processes = stores(4, {"slow": SLOW})
    queue(processes[0], 60, "slow")

    def claim(store: PostgresStore) -> int:
        gone = 0
        for _ in range(25):
            found = store.claim_messages(START, 3, REAL)
            store.settle_messages([end(claimed, "sent", handed_over=True) for claimed in found], START)
            gone += len(found)
        return gone

    assert sum(at_once([lambda n=n: claim(processes[n % 4]) for n in range(THREADS)])) == 5
    assert processes[0].room("slow", START) == (0, later(60))
    told = at_once([lambda n=n: processes[n].throttled(START) for n in range(4)])
    assert sorted(Counter(row.key + row.customer_id for part in told for row, _ in part).values()) == [1] * 55


def test_a_quota_is_never_exceeded(stores: Any) -> None:
    processes = stores(4)
    began = time.monotonic()

    def draw(store: PostgresStore, number: int) -> int:
        gone = 0
        for step in range(60):
            gone += store.take_quota("email", 200.0, 50.0, 1 + (number + step) % 9, after(step / 100)).granted
        return gone

    given = sum(at_once([lambda n=n: draw(processes[n % 4], n) for n in range(THREADS)]))
    assert time.monotonic() - began < 60
    assert 50 + 200 * 0.59 - 10 <= given <= 50 + 200 * 0.59


def test_one_of_many_sends_the_probe(stores: Any) -> None:
    from orchestrator.core.circuit import failed, probed

    processes = stores(4)
    at = REAL.timestamp()
    processes[0].change_circuit("email", lambda record: failed(record, "down", 3, at, "x"))
    probes = at_once(
        [
            lambda n=n: processes[n % 4].change_circuit("email", lambda r: probed(r, at + 15, f"p{n}")).prober
            for n in range(THREADS)
        ]
    )
    assert len(set(probes)) == 1


# --- opt-outs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen_before", [True, False])
def test_nothing_is_claimed_for_somebody_who_has_opted_out(stores: Any, chosen_before: bool) -> None:
    """A claim that began after the opt-out's answer never says `send`, and one that is committed after it neither."""
    rounds = 250
    topic = "promotions" if chosen_before else "care"
    claimer, api = stores(2, {"writes": {**WRITES, "topic": topic}})
    queue(claimer, rounds, consents={topic: {"email": "in"}} if chosen_before else {})
    order: list[str] = []
    violations: list[str] = []
    start = threading.Barrier(2)
    lock = threading.Lock()

    def opt_out() -> None:
        for n in range(rounds):
            start.wait()
            time.sleep((n % 7) / 5_000)
            api.ingest([Arrival(f"u{n}", START, ConsentChanged(topic, "email", "out"))])
            with lock:
                order.append(f"out{n}")

    def claim() -> None:
        for n in range(rounds):
            start.wait()
            time.sleep((n % 5) / 5_000)
            with lock:
                out_before = f"out{n}" in order
            found = claimer.claim_messages(START, 1, REAL)
            consents = [claimed.customer.consents.get((topic, "email")) for claimed in found]
            if [claimed.row.customer_id for claimed in found] != [f"u{n}"] or (out_before and consents != ["out"]):
                violations.append(f"{n}: {consents}")

    with claimer.db.write() as c:  # one after another, in the order of the rounds
        c.execute("UPDATE outbox SET available_at = (SELECT substr(external_id, 2)::int FROM customers AS c "
                  "WHERE c.shard = outbox.shard AND c.id = outbox.customer)")  # fmt: skip
    at_once([opt_out, claim])
    assert violations == []


def test_a_claim_and_an_opt_out_wait_for_each_other(stores: Any) -> None:
    """What decides is the row's lock: an opt-out that comes during a claim ends after it."""
    [claimer] = stores(1, {"writes": PROMOTES})
    queue(claimer, 1)
    ended: list[str] = []
    with claimer.db.write() as c:
        c.execute("SELECT 1 FROM consents FOR SHARE")  # as a claim that is not over holds it

        def opt_out() -> None:
            claimer.ingest([Arrival("u0", START, ConsentChanged("promotions", "email", "out"))])
            ended.append("opt-out")

        thread = threading.Thread(target=opt_out)
        thread.start()
        time.sleep(0.3)
        ended.append("claim")
    thread.join()
    assert ended == ["claim", "opt-out"]
    [claimed] = claimer.claim_messages(START, 1, REAL)
    assert claimed.customer.consents["promotions", "email"] == "out"


def test_suppressions_and_switches_are_those_of_the_claim(stores: Any) -> None:
    claimer, other = stores(2)
    queue(claimer, 2)
    first, second = claimer.claim_messages(START, 2, REAL)
    assert not claimer.suppressions()  # known from the claim
    claimer.settle_messages([end(first, "sent", suppress=("email", second.row.to, "bounced"))], START)
    assert claimer.suppressions()["email", second.row.to] == {"bounced"}  # what this thread did itself
    assert other.suppressions()["email", second.row.to] == {"bounced"}
    other.set_switches(Switches(killed_all=True))
    assert claimer.switches().killed_all


# --- fences -----------------------------------------------------------------------------------------------------------


def test_a_stopped_worker_whose_lease_ran_out_writes_nothing(stores: Any) -> None:
    stopped, other = stores(2)
    queue(stopped, 20)
    late = stopped.claim_messages(START, 20, REAL)
    assert len(other.claim_messages(START, 20, after(59))) == 0
    mine = other.claim_messages(START, 20, after(60))
    assert len(mine) == 20
    assert stopped.begin_hand_over(late, after(61)) == frozenset()
    line = Transition(START, "u0", 7, "message")
    receipt = Receipt("bounce", "email", late[0].row.id)
    for status, more in (("sent", {}), ("rejected", {}), ("queued", {"retry_at": after(900)}), ("queued", {})):
        stopped.settle_messages(
            [
                end(claimed, status, transitions=[line._replace(customer=claimed.row.customer_id)], receipts=[receipt],
                    handed_over=True, suppress=("email", claimed.row.to, "bounced"), **more)
                for claimed in late
            ],
            START,
        )  # fmt: skip
    assert [t.type for t in stopped.journal("u0")].count("message") == 0
    assert not stopped.suppressions()
    assert stopped.overview().messages == {("email", "queued"): 20}
    assert stopped.overview().inbox == 0
    assert list(stopped.dead_letters(9)) == []
    assert other.begin_hand_over(mine, after(61)) == {claimed.row.id for claimed in mine}
    other.settle_messages([end(claimed, "sent") for claimed in mine], START)
    assert other.overview().messages == {("email", "sent"): 20}


def test_settlements_of_two_claims_in_one_batch_are_told_apart(stores: Any) -> None:
    one, other = stores(2)
    queue(one, 4)
    old = one.claim_messages(START, 2, REAL)
    new = other.claim_messages(START, 4, after(60))
    other.settle_messages([end(claimed, "sent") for claimed in [*old, *new[2:]]], START)
    counted = other.overview().messages
    assert counted == {("email", "queued"): 2, ("email", "sent"): 2}


def test_a_settlement_whose_answer_was_lost_may_be_written_again(stores: Any) -> None:
    [store] = stores(1)
    queue(store, 3)
    claimed = store.claim_messages(START, 3, REAL)
    line = Transition(START, "u0", 7, "message")
    ends = [end(c, "sent", transitions=[line._replace(customer=c.row.customer_id)]) for c in claimed]
    store.settle_messages(ends, START)
    store.settle_messages(ends, START)  # nobody knew whether the first was committed
    assert store.overview().messages == {("email", "sent"): 3}
    assert [t.type for t in store.journal("u0")].count("message") == 1


def test_a_receipt_that_is_quicker_than_the_settlement_stands(stores: Any) -> None:
    [store] = stores(1)
    queue(store, 1)
    [claimed] = store.claim_messages(START, 1, REAL)
    arrive(store, "u0", Receipt("bounce", "email", claimed.row.id), later(1))
    turns(store, later(1))
    store.settle_messages([end(claimed, "sent")], later(1))
    found = store.ledger(claimed.row.id)
    assert found is not None and found.status == "bounced"
    assert store.overview().messages == {("email", "bounced"): 1}
    assert list(store.claim_messages(later(1), 1, after(100))) == []


# --- limits of all customers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["total", "imported", "entries", "messages"])
def test_turns_at_once_never_give_too_much_and_give_all(stores: Any, kind: str) -> None:
    gives: dict[str, Any] = {**WRITES, "steps": [{"coupon": {"offer": "ten", "as": "coupon"}}]}
    offer: dict[str, Any] = {"discount": {"percent": 10}, "codes": {"prefix": "T", "length": 8}}
    if kind == "total":
        offer["limits"] = {"total": 300}
    elif kind == "imported":
        offer["codes"] = {"import": True}
    else:
        gives["limits"] = {"entries_per_day": 300} if kind == "entries" else {"messages_total": 300}
        gives["steps"] = [{"email": "hello"}]
    processes = stores(4)
    index = index_of({"j": gives}, offers={"ten": offer})
    processes[0].deploy(index, START)
    for process in processes[1:]:
        process.adopt(index)
    processes[0].import_codes("ten", [f"C{n}" for n in range(300)])
    create(processes[0], *(f"u{n}" for n in range(500)))
    processes[0].ingest([Arrival(f"u{n}", START, event(order="1", id=f"e{n}")) for n in range(500)])

    def decide(store: PostgresStore) -> None:
        from orchestrator.runtime.turns import turn_once
        from orchestrator.stores.protocol import StoreBusy

        idle = 0
        while idle < 5:
            try:
                idle = 0 if turn_once(store, START, 60).customers else idle + 1
            except StoreBusy:
                time.sleep(0.01)

    at_once([lambda store=store: decide(store) for store in processes])
    with processes[0].db.read() as c:
        codes = [code for (code,) in c.execute("SELECT code FROM coupons").fetchall()]
        messages = c.execute("SELECT count(*) FROM messages").fetchall()[0][0]
    if kind in ("total", "imported"):
        assert (len(codes), len(set(codes))) == (300, 300)
    else:
        assert messages == 300


# --- plans ------------------------------------------------------------------------------------------------------------

FEW = {"shards", "fanout", "fanout_shards", "meta", "marks", "circuits", "rates", "quotas", "counts", "versions"}
"""Tables that do not grow with customers, messages or events."""


def test_nothing_that_runs_each_second_walks_through_a_table(stores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    [store] = stores(1, {"writes": WRITES, "slow": SLOW, "fetches": FETCHES})
    create(store, *(f"u{n}" for n in range(40)))
    names = ("go", "slow")
    store.ingest([Arrival(f"u{n % 40}", START, event(names[n % 2], order=str(n))) for n in range(120)])
    turns(store, START)
    arrive(store, "u1", event("ask", at=later(1)))
    monkeypatch.setattr(fanout, "AT_ONCE", 3)
    asked: dict[str, Any] = {}
    execute = psycopg.Connection.execute

    def noted(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        if re.match(r"\s*(WITH|SELECT|INSERT|UPDATE|DELETE)", str(query)):
            asked[str(query)] = params
        return execute(self, query, params, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", noted)
    claimed = store.claim_messages(START, 30, REAL, "transactional")
    store.begin_hand_over(claimed, REAL)
    line = Transition(START, claimed[0].row.customer_id, 1, "message")
    kinds: list[dict[str, Any]] = [
        {"status": "sent", "transitions": [line], "handed_over": True, "suppress": ("email", "a@b.c", "bounced")},
        {"status": "queued", "retry_at": REAL},
        {"status": "rejected"},
        {"status": "queued", "available_at": START},
    ]
    store.settle_messages([end(c, **kind) for c, kind in zip(claimed, kinds * 8, strict=False)], START)
    store.settle_messages([Settlement(claimed[-1].row.id, claimed[-1].row.customer_id, "sent")], START)
    store.claim_messages(START, 30, REAL)
    store.throttled(START)
    store.room("slow", START)
    store.next_due_at()
    store.dead_letters(5)
    store.take_quota("email", 10.0, 10.0, 1, REAL)
    store.retry_message(claimed[2].row.id, START)
    store.settle_requests(
        [(request, Receipt("open", "email", "x")) for request in store.claim_requests(START, 9)], START
    )
    store.zones()
    store.fan_out("writes", 0, "o", "UTC", None, START)
    store.fan_out("writes", 0, "p", None, "some", START)
    assert fanout.expand_fan_outs(store.db, START, 100) > 0
    store.message("u1", "email", None)
    assert len(asked) > 25
    monkeypatch.undo()
    for sql, params in asked.items():
        for plan in explained(store, sql, params):
            walks = plan["Node Type"] == "Seq Scan" or (
                plan["Node Type"] in ("Index Scan", "Index Only Scan")
                and "Index Cond" not in plan
                and plan["Index Name"] != "ix_customers_parked"  # which holds the parked ones alone
                and not first(sql, plan)
            )
            assert not walks or plan["Relation Name"] in FEW, (plan, sql)


def first(sql: str, plan: dict[str, Any]) -> bool:
    """Whether only the first entries of an index are asked for, in its order."""
    return "LIMIT" in sql or "max(" in sql or plan["Relation Name"] in FEW or "EXISTS (SELECT 1 FROM" in sql


def explained(store: PostgresStore, sql: str, params: Any) -> Iterator[dict[str, Any]]:
    """The nodes of the plan that sessions of the store use: the generic one, which depends on no values."""
    names: list[str] = []
    text = re.sub(r"%(?:\((\w+)\))?s|%%", lambda m: "%" if m[0] == "%%" else _number(m[1], names), sql)
    values = [params[name] if isinstance(params, dict) else params[n] for n, name in enumerate(names)]
    if params is None:
        text = sql
    with store.db.read() as c:
        given = ", ".join(psycopg.ClientCursor(c).mogrify("%s", [value]) for value in values)
        c.execute(f"PREPARE asked AS {text}")  # type: ignore[arg-type]
        try:
            [[plan]] = c.execute(f"EXPLAIN (FORMAT JSON) EXECUTE asked{f'({given})' if given else ''}")  # type: ignore[arg-type]
        finally:
            c.execute("DEALLOCATE asked")
    waiting = [plan[0]["Plan"]]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.get("Plans", [])


def _number(name: str | None, names: list[str]) -> str:
    """`$n` for a place in a query, the same for the same name."""
    if name is None or name not in names:
        names.append(name or f"value {len(names)}")
    return f"${len(names) if name is None else names.index(name) + 1}"


def test_a_batch_takes_a_handful_of_statements(stores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    [store] = stores(1)
    queue(store, 200)
    asked: list[str] = []
    execute = psycopg.Connection.execute
    monkeypatch.setattr(
        psycopg.Connection,
        "execute",
        lambda self, sql, *rest, **more: asked.append(sql) or execute(self, sql, *rest, **more),
    )
    claimed = store.claim_messages(START, 200, REAL, "transactional")
    assert len(claimed) == 200
    assert len(asked) <= 7
    asked.clear()
    store.settle_messages([end(each, "sent") for each in claimed], START)
    assert len(asked) <= 5
