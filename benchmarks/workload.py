"""Workload W': what one customer of an ordinary journey costs, from the event that comes in to the message that leaves.

Each customer enters by an event, waits, has a condition on an attribute evaluated, gets one promotional message (so
consent, suppression, quiet hours and caps are asked) and ends: two turns, five transitions. Figures are microseconds of
this process's CPU for a customer: wall time would measure the neighbours.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.sql_floor import Floor
from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.core.decide import decide
from orchestrator.core.inbox import Identified
from orchestrator.core.index import Index
from orchestrator.definitions.collector import seldom_collected
from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.runtime.turns import BUDGET
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Store
from orchestrator.stores.sqlite.store import open_store

PROJECT = Path(__file__).resolve().parent / "offer"
START = datetime(2026, 3, 2, 10, tzinfo=UTC)
ZONES = ("Europe/Lisbon", "Europe/Berlin", "Europe/London", "Europe/Athens", None)
BATCH = 500
"""Events of one request."""
MakeStore = Callable[[], Store]
KINDS = ("memory", "sqlite")


class NullChannel:
    """A provider that takes everything, many messages at once."""

    idempotent = True
    width = 64
    rate: float | None = None

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Accepted, each of them."""
        return [Answer("accepted")] * len(messages)

    def close(self) -> None:
        """Nothing is held."""


class Phases:
    """CPU seconds by phase; phases may stand inside one another."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.process_time()
        yield
        self.seconds[name] += time.process_time() - started


class Workload:
    """Customers who go through the journey in one store, slice by slice."""

    def __init__(self, store: Store, seed: int = 7) -> None:
        self._store = store
        self._loaded = load_project(PROJECT)
        self._random = random.Random(seed)
        self._phase = Phases()
        self._customers = 0
        self._slices = 0
        store.deploy(Index(self._loaded.project), START)

    def take(self, customers: int) -> None:
        """Have so many more customers enter, wait, and get their message."""
        store, phase, first = self._store, self._phase, self._customers
        now = START + timedelta(days=3) * self._slices
        self._slices += 1
        ids = [f"C{number}" for number in range(first, first + customers)]
        self._customers += customers
        self._random.shuffle(ids)
        with seldom_collected():
            with phase("create"):
                create(store, ids, now)
            now += timedelta(hours=1)
            self._random.shuffle(ids)
            for first in range(0, customers, BATCH):
                incoming = [event_of(id) for id in ids[first : first + BATCH]]
                with phase("ingest"):
                    ingest_once(store, incoming, now)
                now += timedelta(milliseconds=1)
            transitions = _turns(store, now, phase, "turn 1")
            now += timedelta(days=2)
            transitions += _turns(store, now, phase, "turn 2")
            messages = _deliver(store, self._loaded, now, phase)
            transitions += len(store.drain_journal())
        assert (messages, transitions) == (customers, 5 * customers), (messages, transitions)

    def figures(self) -> dict[str, float]:
        """Microseconds for one customer, by phase. `create` is no part of `total`."""
        figures = {name: seconds / self._customers * 1e6 for name, seconds in self._phase.seconds.items()}
        figures["decide"] = figures["turn 1 decide"] + figures["turn 2 decide"]
        figures["total"] = sum(figures[name] for name in ("ingest", "turn 1", "turn 2", "deliver"))
        return figures


def run(make_store: MakeStore, customers: int) -> dict[str, float]:
    """The figures of one run on an empty store."""
    workload = Workload(make_store())
    workload.take(customers)
    return workload.figures()


def create(store: Store, ids: Sequence[str], now: datetime = START) -> None:
    """Customers as an import brings them: in silence, and known before anything happens to them."""
    for first in range(0, len(ids), BATCH):
        ingest_once(store, [(id, Identified(_traits(id), silent=True)) for id in ids[first : first + BATCH]], now)
    _turns(store, now, Phases(), "create")
    store.drain_journal()


def _traits(id: str) -> dict[str, object]:
    number = int(id[1:])
    traits: dict[str, object] = {"email": f"{id.lower()}@example.com", "first_name": f"Ana {number}"}
    traits["tier"] = "gold" if number % 2 else "platinum"
    traits["consents"] = {"promotions": {"email": "in"}}
    if (zone := ZONES[number % len(ZONES)]) is not None:
        traits["timezone"] = zone
    return traits


def event_of(id: str) -> Incoming:
    return Incoming(id, "quote_requested", {"quote_id": f"Q{id}", "total": 120 + len(id)}, None, f"m-{id}")


def _turns(store: Store, now: datetime, phase: Phases, name: str) -> int:
    """`turn_once` until nothing is due, with the pure part measured apart. Returns the transitions so far."""
    with phase(name):
        while True:
            with phase(f"{name} load"):
                view = store.load(now, BUDGET)
            if not view.customers:
                break
            with phase(f"{name} decide"):
                changes = decide(view, now)
            with phase(f"{name} save"):
                store.save(changes)
            assert not any(change.parked for change in changes.customers)
            del view, changes  # here, so that no phase of the next turn pays for it
    return len(store.drain_journal())


def _deliver(store: Store, loaded: LoadedProject, now: datetime, phase: Phases) -> int:
    renderer = LedgerRenderer(loaded.templates, loaded.project, "http://localhost:8000", b"benchmark")
    channels = {"email": NullChannel()}
    done = 0
    with phase("deliver"):
        while (counts := deliver_once(store, channels, renderer, now)).handed_over:
            done += counts.handed_over
    return done


def compared(folder: Path, customers: int, slice: int) -> dict[str, float]:
    """The figures on SQLite beside those of its floor, which takes every slice right after the engine: a machine whose
    speed varies is as fast for the one as for the other."""
    store = open_store(folder / "engine.db", salt="0", drains=True)
    workload, floor = Workload(store), Floor(folder / "engine.db", folder / "floor.db")
    for first in range(0, customers, slice):
        workload.take(min(slice, customers - first))
        floor.take()
    floor.close()
    store.close()
    return {**workload.figures(), "floor": floor.seconds / customers * 1e6}


def maker(kind: str, folder: Path) -> MakeStore:
    """Makes empty stores of a kind; their files lie in `folder`."""
    if kind == "memory":
        return MemoryStore
    numbers = count()
    return lambda: open_store(folder / f"{next(numbers)}.db", salt="0", drains=True)


def main() -> None:
    """Print the figures as JSON, and for people the customers a second that `total` comes to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--slice", type=int, default=2_500, help="customers of the engine between two of the floor")
    parser.add_argument("--store", choices=KINDS, default="memory")
    parser.add_argument("--floor", action="store_true", help="compare with the same rows by pure SQL on SQLite")
    given = parser.parse_args()
    found = []
    for _ in range(given.runs):
        with TemporaryDirectory() as name:
            folder = Path(name)
            if given.floor:
                found.append(compared(folder, given.customers, given.slice))
            else:
                found.append(run(maker(given.store, folder), given.customers))
    if given.floor:  # both sides over all runs
        figures = {name: sum(each[name] for each in found) / given.runs for name in found[0]}
        figures["of_floor"] = figures["floor"] / figures["total"]
    else:
        figures = {name: min(each[name] for each in found) for name in found[0]}
    figures["customers_a_second"] = 1e6 / figures["total"]
    print(json.dumps({name: round(figure, 2) for name, figure in figures.items()}))


if __name__ == "__main__":
    main()
