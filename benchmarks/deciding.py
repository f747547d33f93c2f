"""What `decide` alone costs a customer of the workload: one view of each of its turns, decided over and over.

The core is pure, so that the same view may be decided as often as one likes. Figures are microseconds of this thread's
CPU for a customer, the least of many runs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from benchmarks.workload import PROJECT, START, create, event_of
from orchestrator.core.decide import decide
from orchestrator.core.index import Index
from orchestrator.core.view import View
from orchestrator.definitions.collector import seldom_collected
from orchestrator.definitions.load import load_project
from orchestrator.runtime.ingest import ingest_once
from orchestrator.stores.memory import MemoryStore


def views(customers: int) -> dict[str, tuple[View, datetime]]:
    """One view of each turn of the workload, with the instant at which it is decided."""
    entered_at = START + timedelta(hours=1)
    left_at = entered_at + timedelta(days=2)
    second = _entered(customers, entered_at)
    second.save(decide(second.load(entered_at, customers), entered_at))
    return {
        "turn 1": (_entered(customers, entered_at).load(entered_at, customers), entered_at),
        "turn 2": (second.load(left_at, customers), left_at),
    }


def _entered(customers: int, at: datetime) -> MemoryStore:
    """A store in which every customer's event has just arrived."""
    store = MemoryStore()
    store.deploy(Index(load_project(PROJECT).project), START)
    ids = [f"C{number}" for number in range(customers)]
    create(store, ids)
    ingest_once(store, [event_of(id) for id in ids], at)
    return store


def microseconds(views: Sequence[View], now: datetime, runs: int) -> float:
    """For a customer of the views, the least of several runs. The first warms what is remembered between turns."""
    least = float("inf")
    with seldom_collected():
        for _ in range(runs + 1):
            started = time.thread_time()
            decided = [decide(view, now) for view in views]
            least = min(least, time.thread_time() - started)
            assert len(decided[0].customers[0].transitions) > 1
            del decided  # outside of the measure, as in a turn
    return least / sum(len(view.customers) for view in views) * 1e6


def one_by_one(view: View) -> list[View]:
    """The same customers, each in a view of its own, as when little happens at once."""
    return [replace(view, customers=[record]) for record in view.customers]


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=500)
    parser.add_argument("--runs", type=int, default=40)
    given = parser.parse_args()
    prepared = views(given.customers)
    figures = {name: microseconds([view], now, given.runs) for name, (view, now) in prepared.items()}
    figures["decide"] = sum(figures.values())
    figures["one by one"] = sum(microseconds(one_by_one(view), now, given.runs) for view, now in prepared.values())
    print(json.dumps({name: round(figure, 2) for name, figure in figures.items()}))


if __name__ == "__main__":
    main()
