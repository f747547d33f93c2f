"""Customers who wait, by the million: what a claim costs among them, and how late they are taken.

`claim`: a turn of 1,000 customers who are due among so many who wait: milliseconds until they are claimed, until they
are loaded as well, and of a look that finds nothing; the smallest of several runs. The rows of the waiting are made by
SQL, so their shards are not those that the engine would give them; each shard has as many.

`lateness`: timers that are due over one hour, of whom those of the first seconds really come due (a million over an
hour are 278 a second), with two workers, a beat, real Redis, and the messages that follow. Every 20 ms the oldest timer
that is due and not taken is looked for: its age is the lateness of the worst one at that instant, so that the 99th
percentile of these ages is no smaller than that of all timers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg

from benchmarks.machine import described, load, production_postgres
from benchmarks.production import Production, production
from benchmarks.workload import Workload, create, event_of
from benchmarks.workload import _traits as traits_of
from orchestrator.core.inbox import Identified
from orchestrator.runtime.ingest import ingest_once
from orchestrator.stores.postgres.store import PostgresStore, open_store

DUE: Final = 16_000
"""Customers who are due at once: a turn finds a thousand of them in the shards that it claims."""
BUDGET: Final = 1_000
RUNS: Final = 15
HOUR: Final = 3_600
EVERY: Final = 0.02
WAIT: Final = 86_400
"""Seconds from an entry to the timer."""
_FIRST: Final = 1_000_000
"""Internal ids of those who are copied."""
_COPIES: Final = {
    "customers": "INSERT INTO customers (shard, id, external_id, created_at, known_from, zone, state) "
    "SELECT n % 1024, n + {first}, 'T' || n, t.created_at, t.known_from, t.zone, t.state FROM customers AS t, {all} "
    "WHERE t.external_id = 'C0'",
    "consents": "INSERT INTO consents (shard, customer, state) "
    "SELECT n % 1024, n + {first}, t.state FROM consents AS t, {all} WHERE t.customer = {like}",
    "enrollments": "INSERT INTO enrollments (shard, customer, id, journey, version, key, status, reason, "
    "ended_by_rule, step, entered_at, ended_at, due_at, live, seq, state) SELECT n % 1024, n + {first}, "
    "substr(md5(n::text), 1, 16), "
    "t.journey, t.version, t.key, t.status, t.reason, t.ended_by_rule, t.step, {due} - "
    f"{WAIT}000000"
    ", t.ended_at, {due}, t.live, "
    "t.seq, t.state FROM enrollments AS t, {all} WHERE t.customer = {like}",
    "entries": "INSERT INTO entries (shard, customer, journey, key, state) "
    "SELECT n % 1024, n + {first}, t.journey, t.key, t.state FROM entries AS t, {all} WHERE t.customer = {like}",
    "events": "INSERT INTO events (shard, customer, name, at, seq, id, properties) SELECT n % 1024, n + {first}, "
    "t.name, t.at, t.seq, 'T' || n, t.properties FROM events AS t, {all} WHERE t.customer = {like}",
    "due": "INSERT INTO due (shard, customer, at) SELECT n % 1024, n + {first}, {due} FROM {all}",
}
_SHARDS: Final = "UPDATE shards SET next_due_at = (SELECT min(at) FROM due WHERE shard = shards.id)"


def lay(url: str, count: int, due: str, tables: Sequence[str]) -> None:
    """Copies of the customer C0 who wait. `due`: SQL of the instant at which number `n` is due, in microseconds."""
    with psycopg.connect(url, autocommit=True) as c:
        row = c.execute("SELECT id FROM customers WHERE external_id = 'C0'").fetchone()
        assert row is not None
        for table in tables:
            # In the order of the keys: otherwise every row would touch another page of each index.
            everybody = f"(SELECT n FROM generate_series(1, {count}) AS g (n) ORDER BY n % 1024, n) AS g"
            sql = _COPIES[table].format(first=_FIRST, all=everybody, like=int(row[0]), due=due)
            c.execute(sql.encode())
        c.execute(_SHARDS)
        c.execute("VACUUM ANALYZE due")
        c.execute("VACUUM ANALYZE customers")


def claim(waiting: int) -> dict[str, float]:
    """Milliseconds of a claim of `DUE` customers, and of a look that finds nothing."""
    with production_postgres() as server:
        server.execute("CREATE DATABASE bench")
        url = server.url("bench")
        store = open_store(url, drains=True)
        Workload(store)  # deploys
        now = datetime.now(UTC)
        create(store, ["C0"], now)
        at = int(now.timestamp() * 1e6)
        spread = timedelta(days=30) // timedelta(microseconds=1)
        # The due ones are spread over all shards, as those who wait are.
        due = (
            f"{at} + CASE WHEN n * 7919::bigint % {waiting} < {DUE} THEN -1000000 "
            f"ELSE 1000000000 + n * 7919::bigint % {spread} END"
        )
        lay(url, waiting, due, ("customers", "due"))
        then = now - timedelta(days=1)
        found = {
            "claim_ms": _least(lambda: store._claimed(at, BUDGET, None, None), store, True),
            "claim_and_load_ms": _least(lambda: store.load(now, BUDGET).customers, store, True),
            "idle_ms": _least(lambda: store.load(then, BUDGET).customers, store, False),
        }
        store.close()
        return {name: round(value, 2) for name, value in found.items()}


def _least(take: Callable[[], Any], store: PostgresStore, due: bool) -> float:
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        found = take()
        times.append(time.perf_counter() - began)
        store.abandon()
        assert bool(found) == due, found
    return min(times) * 1_000


def lateness(waiting: int, seconds: int, over: int = HOUR, ahead: float = 30) -> dict[str, Any]:
    """Seconds by percentile. `over`: seconds in which all of them come due, of which `seconds` are watched; `ahead`:
    seconds in which the rows are laid, at least."""
    with production(WAIT) as made:
        _enrolled(made)
        start = datetime.now(UTC) + timedelta(seconds=ahead + waiting / 2_000)
        at = int(start.timestamp() * 1e6)
        due = f"{at} + (n * 7919::bigint % {waiting}) * {over * 1_000_000 // waiting}"
        lay(made.url, waiting, due, ("customers", "consents", "entries", "events", "enrollments", "due"))
        ready = (start - datetime.now(UTC)).total_seconds()
        if ready < 0:
            raise SystemExit(f"laying the rows took {-ready:.0f} s too long: the first timers were late by then")
        time.sleep(ready)
        ages = sorted(_ages(made, seconds))
        sent = made.asked("SELECT coalesce(sum(count), 0) FROM counts WHERE name = 'message:email:sent'")
        at_ = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        return {
            "waiting": waiting,
            "seconds": seconds,
            "timers_a_second": round(waiting / over, 1),
            "messages": sent,
            "memory_mib": round(made.workers_memory(), 1),
            **{name: round(ages[min(len(ages) - 1, int(share * len(ages)))], 2) for name, share in at_.items()},
        }


def _enrolled(made: Production) -> None:
    """C0 is in the journey, and waits."""
    now = made.store.real_now()
    ingest_once(made.store, [("C0", Identified(traits_of("C0"), silent=True)), event_of("C0")], now)
    until = time.monotonic() + 60
    while not made.asked("SELECT count(*) FROM due"):
        if time.monotonic() > until:
            raise SystemExit(f"nobody was enrolled:\n{made.installation.told()}")
        time.sleep(0.1)


def _ages(made: Production, seconds: int) -> list[float]:
    """How old the oldest due timer is, in seconds, again and again."""
    first = "coalesce((SELECT min(next_due_at) FROM shards), 9e18)"
    query = f"SELECT greatest(0, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - {first})"
    ages, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        ages.append(made.asked(query) / 1e6)
        time.sleep(EVERY)
    return ages


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--ten-million", action="store_true", help="claims among ten times as many, too")
    parser.add_argument("--over", type=int, default=HOUR, help="seconds over which the timers are due")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--only", choices=("claim", "lateness"))
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    if given.only != "lateness":
        few = claim(given.waiting)
        figures["claim"] = {f"{given.waiting}": few}
        if given.ten_million:
            many = claim(10 * given.waiting)
            figures["claim"][f"{10 * given.waiting}"] = many
            figures["claim"]["ratio"] = round(many["claim_ms"] / few["claim_ms"], 2)
    if given.only != "claim":
        figures["lateness"] = lateness(given.waiting, given.seconds, given.over)
    print(json.dumps({**figures, "busy": load(), **described()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
