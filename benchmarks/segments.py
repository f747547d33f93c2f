"""Segments over many customers: a full build of ten, a preview, and what upkeep costs as events arrive.

Customers and their events (twenty each) are made by SQL in the database itself, so that their shards are not those that
the engine would give them; each shard has as many. The build is that of a first deploy with ten segments; the preview
is of a condition that is deployed nowhere; upkeep is ingest and turns of events of random customers, once with the ten
segments and once without any.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.machine import cpu_of
from orchestrator.core.index import Index
from orchestrator.definitions.expressions import build_expr
from orchestrator.definitions.load import load_project
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.segments import preview
from orchestrator.runtime.turns import turn_once

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENTS: Final = 20
"""For each customer, over 400 days."""
SEGMENTS: Final = {
    "gold": "customer.tier == 'gold'",
    "rich": "customer.tier in ['gold', 'platinum'] and customer.points >= 500",
    "active": "did('product_viewed', within='30d')",
    "buyers": "count('order_placed', within='90d') >= 2",
    "spenders": "sum('order_placed', 'total', within='365d') > 500",
    "lapsed": "did('order_placed') and not did('order_placed', within='180d')",
    "browsers": "count('product_viewed', within='7d') > 0 and not did('order_placed', within='30d')",
    "renewing": "days_until(customer.renewal) >= 0 and days_until(customer.renewal) <= 30",
    "fans": "'vip' in customer.tags or in_segment('buyers')",
    "best": "in_segment('gold') and in_segment('spenders') and not in_segment('lapsed')",
}
PREVIEWED: Final = "customer.points > 250 and count('order_placed', within='60d') >= 1"
_SCHEMA: Final = """
customer:
  tier: {type: string}
  points: {type: integer}
  renewal: {type: date}
events:
  order_placed: {total: {type: number}, order_id: {type: string}}
  product_viewed: {sku: {type: string}}
"""
_PROJECT: Final = 'brand: {name: Harbour, url: "https://example.com", address: "1 Road"}\ntimezone: Europe/Lisbon\n'
_JOURNEY: Final = "journey: waits\nenter: {event: never}\nsteps:\n  - wait: 1h\n"
_TIERS: Final = "CASE n % 10 WHEN 0 THEN 'platinum' WHEN 1 THEN 'gold' WHEN 2 THEN 'gold' ELSE 'basic' END"
_DAY: Final = 86_400_000_000


def index_of(folder: Path, segments: dict[str, str]) -> Index:
    """The look-ups of a small project with these segments."""
    journeys = folder / "journeys"
    journeys.mkdir(parents=True, exist_ok=True)
    (journeys / "project.yaml").write_text(_PROJECT)
    (journeys / "schema.yaml").write_text(_SCHEMA)
    (journeys / "waits.yaml").write_text(_JOURNEY)
    text = "".join(f"{name}:\n  where: {json.dumps(where)}\n" for name, where in segments.items())
    (journeys / "segments.yaml").write_text(text or "{}\n")
    return Index(load_project(folder).project)


def seed(store: Any, customers: int) -> None:
    """Customers and their past, in one go."""
    postgres = store._dialect.name == "postgresql"

    def run(c: Any, sql: str) -> None:
        c.execute(sql.encode() if postgres else sql)

    rows = f"generate_series(0, {customers - 1}) AS g (n)" if postgres else "g"
    head = "" if postgres else (
        f"WITH RECURSIVE g (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM g WHERE n < {customers - 1}) "
    )  # fmt: skip
    at = int(NOW.timestamp()) * 1_000_000
    days = (
        "to_char(date '2026-01-01' + n % 200, 'YYYY-MM-DD')" if postgres else "date('2026-01-01', (n % 200) || ' days')"
    )
    state = (
        f'\'[{{"tier":"\' || {_TIERS} || \'","points":\' || (n * 7919 % 1000) || \',"renewal":"\' || {days} || '
        '\'"},"c\' || n || \'@example.com",null,null,null,"PT",null,\' || CASE n % 50 WHEN 0 THEN \'["vip"]\' '
        "ELSE '[]' END || ',\"use\",[],[],false]'"
    )
    with store.db.write() as c:
        if postgres:
            run(c, "SET LOCAL statement_timeout = 0")
        order = "n % 1024, n + 1000000"
        run(
            c,
            f"INSERT INTO customers (shard, id, external_id, created_at, known_from, zone, state) {head}"
            f"SELECT {order}, 'C' || n, {at - 400 * _DAY}, {at - 400 * _DAY}, 'Europe/Lisbon', {state} FROM {rows}",
        )
        run(
            c,
            "INSERT INTO identifiers (kind, value, shard, customer) "
            f"{head}SELECT 'external', 'C' || n, {order} FROM {rows}",
        )
        # Each customer's rows lie together, as after some reorganisation;
        # how far back they go is spread by two primes.
        when = f"{at} - ((n * 31 + k * 7919) % 400) * {_DAY} - k * 1000000"
        name = "CASE k % 4 WHEN 0 THEN 'order_placed' ELSE 'product_viewed' END"
        properties = (
            "CASE k % 4 WHEN 0 THEN '{\"total\":' || ((n + k * 13) % 200) || ',\"order_id\":\"o' || n || '\"}' "
            "ELSE '{\"sku\":\"A' || (n % 100) || '\"}' END"
        )
        inner = f"generate_series(0, {EVENTS - 1}) AS h (k)" if postgres else "h"
        more = "" if postgres else f", h (k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM h WHERE k < {EVENTS - 1}) "
        run(
            c,
            "INSERT INTO events (shard, customer, name, at, seq, id, properties) "
            f"{head}{more}SELECT {order}, {name}, {when}, k, 'E' || n || '.' || k, {properties} "
            f"FROM {rows} CROSS JOIN {inner}",
        )
    with store.db.read() as c:
        if postgres:
            c.execute("SET statement_timeout = 0")
            c.execute("VACUUM ANALYZE customers")
            c.execute("VACUUM ANALYZE events")
            c.execute("RESET statement_timeout")
        else:
            c.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def upkeep(store: Any, customers: int, events: int) -> float:
    """Events a second of random customers, taken in and decided, by the time that this thread and the server took."""
    draw = random.Random(1)
    now = NOW + timedelta(minutes=1)
    names = ["order_placed", "product_viewed", "product_viewed", "product_viewed"]
    made = [
        Incoming(f"C{draw.randrange(customers)}", names[n % 4], {"total": n % 100}, now, f"up:{draw.random()}")
        for n in range(events)
    ]
    began = time.perf_counter()
    for first in range(0, events, 1_000):
        ingest_once(store, made[first : first + 1_000], now)
        while turn_once(store, now).customers:
            pass
    return events / (time.perf_counter() - began)


def settle(store: Any) -> None:
    """As if everybody had heard of the deploy: their turns are another benchmark's."""
    with store.db.write() as c:
        run = store._run(c)
        run("DELETE FROM inbox")
        run("DELETE FROM fanout_shards")
        run("UPDATE fanout SET done = 1")


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Any]:
    """A new database."""
    if kind == "sqlite":
        from orchestrator.stores.sqlite.store import open_store

        store: Any = open_store(folder / "segments.db")
        try:
            yield store
        finally:
            store.close()
        return
    from benchmarks.machine import production_postgres
    from orchestrator.stores.postgres.store import open_store as open_postgres

    with production_postgres() as server:
        store = open_postgres(server.url())
        try:
            yield store
        finally:
            store.close()


def main() -> None:
    """Print the figures as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="postgresql")
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--events", type=int, default=20_000, help="of the upkeep")
    args = parser.parse_args()
    with TemporaryDirectory() as name, opened(args.store, Path(name)) as store:
        bare, index = index_of(Path(name) / "bare", {}), index_of(Path(name) / "ten", dict(SEGMENTS))
        store.deploy(bare, NOW)
        began = time.perf_counter()
        seed(store, args.customers)
        figures: dict[str, Any] = {
            "store": args.store, "customers": args.customers, "events": args.customers * EVENTS,
            "seed_seconds": round(time.perf_counter() - began, 1),
        }  # fmt: skip
        settle(store)
        upkeep(store, args.customers, 2_000)
        figures["upkeep_without"] = round(upkeep(store, args.customers, args.events))
        store.deploy(index, NOW)
        settle(store)
        began, cpu = time.perf_counter(), cpu_of([os.getpid()])
        width = min(2, os.cpu_count() or 1)
        while any(build.phase == "counting" for build in store.segment_builds()):
            store.build_segments(NOW, 32 * width, width)
        figures["build_seconds"] = round(time.perf_counter() - began, 2)
        figures["build_cpu_seconds"] = round(cpu_of([os.getpid()]) - cpu, 2)
        figures["members"] = sum(store.segment_sizes().values())
        types = index.project.segments[0].where.types
        assert types is not None
        began = time.perf_counter()
        found = preview(store, build_expr(PREVIEWED, types=types), index, NOW, 1.0, 10, PREVIEWED)
        figures["preview_seconds"] = round(time.perf_counter() - began, 2)
        figures["preview"] = {"members": found.members, "least": found.least, "most": found.most, "exact": found.exact}
        upkeep(store, args.customers, 2_000)
        figures["upkeep"] = round(upkeep(store, args.customers, args.events))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
