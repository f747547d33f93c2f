"""The shipped journeys' own scenarios in memory, on PostgreSQL with the turns of many processes, and through Celery's
tasks over it: every line of every journal is the same.

Random journeys and clocks are compared in tests/core/properties; these are the journeys that people start from. Every
sixth scenario of a file is run, and by tasks the first one of every sixth file; with TEST_IN_FULL=1 all scenarios are,
and by tasks one of each file.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from celery.signals import task_postrun

from orchestrator.definitions.expectation import JourneyTest
from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.runtime.clock import JourneyClock
from orchestrator.runtime.loop import CLASSES, Engine
from orchestrator.stores.postgres.store import PostgresStore, open_store
from orchestrator.tasks.app import make_app
from orchestrator.tasks.process import Process
from orchestrator.testing import scenario_run
from orchestrator.testing.journey_tests import collect
from orchestrator.testing.scenario_run import simulate_scenario
from orchestrator.testing.simulation import Simulation
from orchestrator.wiring import worker as workers
from tests.in_full import IN_FULL
from tests.servers.postgres import clean_database
from tests.shipped import ROOT, shipped_project

PROJECTS = (ROOT, ROOT / "orchestrator" / "project_template")
FILES = [(root, path) for root in PROJECTS for path in sorted((root / "journeys" / "tests").glob("*.yaml"))]
EVERY = 1 if IN_FULL else 6
Lines = list[dict[str, Any]]

pytestmark = pytest.mark.slow
PARAMETERS = [
    pytest.param(*each, id=f"{each[0].name if each[0] != ROOT else 'shipped'}-{each[1].stem}") for each in FILES
]


@cache
def project(root: Path) -> LoadedProject:
    return (shipped_project() if root == ROOT else load_project(root)).require_valid()


def scenarios_of(root: Path, path: Path) -> list[JourneyTest]:
    found = list(collect(project(root), [path]))
    assert found, "a file of tests holds some"
    return found


def journal(root: Path, test: JourneyTest, *, on_postgres: bool) -> Lines:
    """What a scenario prints, its journey and those that it names being live, as in `orchestrator test`."""
    lines: Lines = []
    only = frozenset({test.journey, *test.live})
    if not on_postgres:
        simulate_scenario(project(root), test.scenario, lines.append, only=only)
        return lines
    opened: list[PostgresStore] = []
    with clean_database() as url:

        def open_on_postgres(salt: str | None, forced: Mapping[str, str | bool]) -> PostgresStore:
            opened.append(open_store(url, salt=salt or "0", forced=forced, drains=True))
            return opened[0]

        try:
            simulate_scenario(project(root), test.scenario, lines.append, only=only, open_store=open_on_postgres)
        finally:
            for store in opened:
                store.close()
    return lines


@pytest.mark.parametrize(("root", "path"), PARAMETERS)
def test_the_turns_of_many_processes_give_the_journal_of_memory(root: Path, path: Path) -> None:
    for test in scenarios_of(root, path)[::EVERY]:
        expected = journal(root, test, on_postgres=False)
        assert journal(root, test, on_postgres=True) == expected, test.name


class ByTasks(Simulation):
    """A run whose every pass is a Celery task, taken by a worker; the clock stands where the run is."""

    run_task: Callable[..., int]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._clock = JourneyClock(self.now, self.now)
        self._clock.stand(self.now, self.now)
        engine = Engine(self.store, self._channels, self.http, self._renderer, self._clock, real_now=self._real_now)
        workers._opened[os.getpid()] = SimpleNamespace(engine=engine)  # type: ignore[assignment]

    def _real_now(self) -> datetime:
        return self.now

    def run_engine(self) -> None:
        if self._stalled_until is not None:
            return
        self._clock.stand(self.now, self.now)
        while True:
            work = self.run_task("orchestrator.sweep") + self.run_task("orchestrator.turn")
            work += self.run_task("orchestrator.requests")
            work += sum(self.run_task("orchestrator.deliver", klass) for klass in CLASSES)
            if not work:
                break

    def _turns(self) -> int:
        self._clock.stand(self.now, self.now)
        return self.run_task("orchestrator.turn")


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker that takes tasks from a broker; passes are sent by the run alone, one after another."""
    app = make_app()
    app.loader.import_default_modules()
    done: queue.Queue[Any] = queue.Queue()

    def ended(retval: Any = None, **_: Any) -> None:
        done.put(retval)

    def run_task(self: ByTasks, name: str, *args: str) -> int:
        app.send_task(name, args)
        found = done.get(timeout=60)
        if isinstance(found, BaseException):
            raise found
        return int(found)

    monkeypatch.setattr(ByTasks, "run_task", run_task, raising=False)
    monkeypatch.setattr(scenario_run, "Simulation", ByTasks)
    monkeypatch.setattr(Process, "nudge", lambda *_: None)
    task_postrun.connect(ended, weak=False)
    try:
        with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
            yield
    finally:
        task_postrun.disconnect(ended)
        workers._opened.clear()


@pytest.mark.parametrize(("root", "path"), PARAMETERS[::EVERY])
def test_celerys_tasks_give_the_journal_of_memory(
    root: Path, path: Path, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    [test, *_] = scenarios_of(root, path)
    by_tasks = journal(root, test, on_postgres=True)
    with monkeypatch.context() as patch:
        patch.setattr(scenario_run, "Simulation", Simulation)
        assert by_tasks == journal(root, test, on_postgres=False), test.name
