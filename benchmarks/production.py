"""Workload W as it runs in production: PostgreSQL, Redis, two Celery workers, and its floor in the same run.

N customers are there before. Each enters by an event, waits, has a condition on an attribute and one windowed count
evaluated, gets one promotional message (consent, suppression, quiet hours, caps, claim, ledger, null channel) and ends.
Taking the events in and handing the messages over by the same two workers are inside the clock: it runs from the first
event until the last message is settled and the last journey has ended. Journey time is real time, and the wait really
passes; it is so long that everybody is waiting before the first has waited, and while nobody has anything to do, the
clock (and that of the CPU) stands. `seconds_idle` says for how long it stood.

CPU is that of every process: workers, beat, the server with all its sessions, Redis, and the process that brings the
events. Each slice of the floor follows a slice of the engine, so that the machine is as busy for the one as for the
other.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any, Final

import psycopg

from benchmarks.machine import children, cpu_of, described, load, production_postgres, resident, until
from benchmarks.postgres_floor import PostgresFloor, written
from benchmarks.workload import _traits as traits_of
from benchmarks.workload import event_of
from orchestrator.core.inbox import Identified
from orchestrator.definitions.load import load_project
from orchestrator.runtime.deployment import deploy, snapshot_of
from orchestrator.runtime.ingest import ingest_once
from orchestrator.stores.postgres.store import open_store
from orchestrator.tasks.app import make_app
from orchestrator.tasks.sending import sender
from tests.servers.postgres import PostgresServer
from tests.servers.redis import new_redis
from tests.tasks.installation import Installation

PROJECT: Final = Path(__file__).resolve().parent / "windowed"
BATCH: Final = 500
"""Events of one request."""
ENTERED_A_SECOND: Final = 1_500
"""So slow may a machine be, that the wait is long enough for all customers of a slice."""
DONE: Final = "SELECT coalesce(sum(count), 0) FROM counts WHERE name = 'message:email:sent'"
LEFT: Final = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM inbox ORDER BY shard, customer LIMIT 1) AS i)
    + (SELECT count(*) FROM (SELECT 1 FROM due ORDER BY shard, at LIMIT 1) AS d)
    + (SELECT count(*) FROM (SELECT 1 FROM outbox ORDER BY shard, customer LIMIT 1) AS o)
"""
UNREAD: Final = "SELECT count(*) FROM (SELECT 1 FROM inbox ORDER BY shard, customer LIMIT 1) AS i"
FIRST_DUE: Final = "SELECT min(at) - (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM due"
"""Microseconds from now."""


class Windowed(Installation):
    """The project of the workload, with quiet hours that are surely not now: they are asked, and let pass."""

    def write(self, wait: int) -> None:
        """Its files; `wait` in seconds."""
        copytree(PROJECT, self.root, dirs_exist_ok=True)
        path = self.root / "journeys" / "project.yaml"
        quiet = [f"{(datetime.now(UTC).hour + hours) % 24:02}:00" for hours in (9, 15)]
        text = path.read_text().replace('{from: "21:00", to: "08:00"}', f'{{from: "{quiet[0]}", to: "{quiet[1]}"}}')
        path.write_text(text)
        path = self.root / "journeys" / "quote_offer.yaml"
        path.write_text(path.read_text().replace("wait: 1s", f"wait: {wait}s"))


class Production:
    """The processes, and who brings customers and events to them."""

    def __init__(self, server: PostgresServer, folder: Path, redis_url: str, redis_pid: int, wait: int) -> None:
        self.server = server
        server.execute("CREATE DATABASE bench")
        self.url = server.url("bench")
        self.root = folder
        self.redis_pid = redis_pid
        self.store = open_store(self.url)
        self.installation = Windowed(
            folder, redis_url, database=self.url, ORCHESTRATOR_SMTP_URL="null:", ORCHESTRATOR_SMS_URL="null:"
        )
        self.installation.write(wait)
        now = datetime.now(UTC)
        deploy(self.store, load_project(folder).require_valid(), now, snapshot_of(folder), now)
        self.installation.store = self.store
        self._app = make_app(redis_url)
        self._nudge = sender(self._app)
        self._random = random.Random(7)
        self.taken = 0
        self.seconds = self.idle = 0.0
        self.cpu: dict[str, float] = {}
        self.watch = psycopg.connect(self.url, autocommit=True, options="-c enable_seqscan=off")

    def start(self, workers: int) -> None:
        """Workers and beat."""
        self.installation.start("worker", "--concurrency", str(workers))
        self.installation.start("beat")

    def create(self, customers: int) -> None:
        """Customers as an import brings them, before the clock runs; returns when the workers have taken them."""
        ids = [f"C{number}" for number in range(customers)]
        self._random.shuffle(ids)
        self._bring([(id, Identified(traits_of(id), silent=True)) for id in ids])
        until(lambda: self.asked(LEFT) == 0, 60 + customers / 100, self.installation.told())

    def take(self, customers: int) -> None:
        """Let so many more customers go through."""
        ids = [f"C{number}" for number in range(self.taken, self.taken + customers)]
        self.taken += customers
        self._random.shuffle(ids)
        with self._measured():
            self._bring([event_of(id) for id in ids])
            until(lambda: self.asked(UNREAD) == 0, 60 + customers / 50, self.installation.told())
        idle = max(0, self.asked(FIRST_DUE)) / 1e6
        self.idle += idle
        time.sleep(idle)
        with self._measured():
            until(lambda: self.asked(DONE) >= self.taken, 60 + customers / 50, self.installation.told())
            until(lambda: self.asked(LEFT) == 0, 60, self.installation.told())

    @contextmanager
    def _measured(self) -> Iterator[None]:
        before, began = self._cpu(), time.monotonic()
        yield
        self.seconds += time.monotonic() - began
        for kind, value in self._cpu().items():
            self.cpu[kind] = self.cpu.get(kind, 0.0) + value - before[kind]

    def _bring(self, items: Sequence[Any]) -> None:
        for first in range(0, len(items), BATCH):
            ingest_once(self.store, items[first : first + BATCH], self.store.real_now())
            self._nudge("turn")

    def asked(self, query: str) -> int:
        """The first value of a query."""
        row = self.watch.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])

    def _cpu(self) -> dict[str, float]:
        """Seconds so far by kind of process."""
        workers = [process.pid for process in self.installation.processes]
        own = os.times()
        return {
            "workers": cpu_of(workers),
            "postgres": cpu_of([self.server.pid]),
            "redis": cpu_of([self.redis_pid]),
            "bringing": own.user + own.system,
        }

    def workers_memory(self) -> float:
        """MiB of the largest process of a worker."""
        return max(resident(pid) for pid in children(self.installation.processes[0].pid))

    def stop(self) -> None:
        """End all of them."""
        self._nudge.close()
        self.watch.close()
        self.installation.__exit__()


@contextmanager
def production(wait: int, workers: int = 2) -> Iterator[Production]:
    """Everything, started in a temporary folder."""
    redis = new_redis().start()
    try:
        with production_postgres() as server, TemporaryDirectory(prefix="bench-") as folder:
            with redis.client() as client:
                info: Any = client.info("server")
            made = Production(server, Path(folder), redis.url, int(info["process_id"]), wait)
            made.start(workers)
            try:
                yield made
            finally:
                made.stop()
    finally:
        redis.remove()


_Counts = dict[str, tuple[int, int, int]]


def measure(customers: int, slice: int, floor: bool = True, pace: int = ENTERED_A_SECOND) -> dict[str, Any]:
    """The figures of one run. `pace`: customers who surely enter in a second, so that the wait is long enough."""
    with production(max(5, slice // pace)) as made:
        beside = PostgresFloor(made.url) if floor else None
        floor_cpu, loads, memory = 0.0, [], []
        made.create(customers)
        if beside is not None:
            beside.create()
        before = _written(made)
        for first in range(0, customers, slice):
            made.take(min(slice, customers - first))
            loads.append(load())
            memory.append(round(made.workers_memory(), 1))
            if beside is not None:
                beside.prepare()
                began = _floor_cpu(made)
                beside.take()
                floor_cpu += _floor_cpu(made) - began
        ours, theirs = (_gained(*pair) for pair in zip(before, _written(made), strict=True))
        cpu, seconds = made.cpu, made.seconds
        figures: dict[str, Any] = {
            "customers": customers,
            "customers_a_second": customers / seconds,
            "seconds": seconds,
            "seconds_idle": made.idle,
            "cpu_us": sum(cpu.values()) / customers * 1e6,
            **{f"cpu_us_{kind}": value / customers * 1e6 for kind, value in cpu.items()},
            "worker_mib": memory,
            "rows": {table: [round(n / customers, 3) for n in counts] for table, counts in sorted(ours.items())},
            "loads": loads,
        }
        if beside is not None:
            figures |= {
                "floor_a_second": customers / beside.seconds,
                "floor_cpu_us": floor_cpu / customers * 1e6,
                "of_floor": beside.seconds / seconds,
                "times_its_cpu": sum(cpu.values()) / floor_cpu,
                "floor_rows": {t: [round(n / customers, 3) for n in counts] for t, counts in sorted(theirs.items())},
                "floor_statements": {n: round(s / customers * 1e6, 1) for n, s in beside.by_statement.items()},
            }
            _same_rows(ours, theirs)
    return figures


def _same_rows(ours: _Counts, theirs: _Counts) -> None:
    """The floor must not do more than the engine did."""
    for table, counts in theirs.items():
        for kind, ours_, theirs_ in zip(
            ("inserts", "updates", "deletes"), ours.get(table, (0, 0, 0)), counts, strict=True
        ):
            if theirs_ > ours_:
                raise SystemExit(
                    f"the floor has {theirs_} {kind} of {table}, and the engine {ours_}; where the wait was over "
                    "before everybody waited, give a smaller --pace"
                )


def _written(made: Production) -> tuple[_Counts, _Counts]:
    """What was written so far, by the engine and by the floor. Idle sessions say so within ten seconds."""
    time.sleep(11)
    return written(made.url, "public"), written(made.url, "floor")


def _gained(before: _Counts, after: _Counts) -> _Counts:
    gained = {}
    for table, (inserted, updated, deleted) in after.items():
        then = before.get(table, (0, 0, 0))
        gained[table] = (inserted - then[0], updated - then[1], deleted - then[2])
    return {table: counts for table, counts in gained.items() if any(counts)}


def _floor_cpu(made: Production) -> float:
    own = os.times()
    return cpu_of([made.server.pid]) + own.user + own.system


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--slice", type=int, default=50_000, help="customers of the engine between two of the floor")
    parser.add_argument("--no-floor", action="store_true")
    parser.add_argument(
        "--pace",
        type=int,
        default=ENTERED_A_SECOND,
        help="customers who enter in a second at least: the wait is as long",
    )
    given = parser.parse_args()
    figures = measure(given.customers, given.slice, not given.no_floor, given.pace)
    print(json.dumps({**_rounded(figures), **described()}))
    return 0


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in figures.items()}


if __name__ == "__main__":
    sys.exit(main())
