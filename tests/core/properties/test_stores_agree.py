"""Random worlds give the same journals and the same records on every store, whenever the process is restarted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.index import Index
from orchestrator.core.state import to_json
from orchestrator.core.view import LoadedMessage
from orchestrator.definitions.load import LoadedProject
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.migrate import upgrade
from orchestrator.stores.protocol import Snapshot, Store
from orchestrator.stores.sqlite.store import SqliteStore, open_store
from tests.small_projects import project_of
from tests.strategies import CUSTOMERS, START, History, delays, histories, projects
from tests.world import Engine, exactly, ticking

SOME = settings(
    max_examples=settings.default.max_examples // 3,  # type: ignore[union-attr]
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SALT = "7"
FILES = Snapshot("the same files", {"journeys/project.yaml": b"x"})

restarts = st.lists(st.booleans(), min_size=1, max_size=9)
"""Before which turns the process is restarted: a pattern to be repeated."""
budgets = st.sampled_from([1, 2, 1_000])


@dataclass
class Restarted(Engine):
    """An engine over a file that is closed and opened again, as the pattern says, before its turns."""

    path: Path = Path()
    pattern: Sequence[bool] = (False,)
    budget: int = 1_000

    def __post_init__(self) -> None:
        super().__post_init__()
        self.store.deploy(Index(self.project.project), self.start, FILES)
        again = cycle(self.pattern)

        def turn(store: Store, now: datetime) -> int:
            if next(again):
                self.restart(now)
            return turn_once(self.store, now, self.budget).customers

        self.turn = turn

    def restart(self, now: datetime) -> None:
        """As after a crash between two passes: nothing is left but the file."""
        self.journal.extend(self.store.drain_journal())
        self.store.close()
        self.store = opened(self.path)
        assert not self.store.deploy(Index(self.project.project), now, FILES)


def opened(path: Path) -> SqliteStore:
    return open_store(path, salt=SALT, durable=False, drains=True)


@pytest.fixture(scope="module")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agree") / "empty.db"
    upgrade(path)
    return path


@contextmanager
def two_engines(parts: Any, empty_file: Path, pattern: Sequence[bool], budget: int) -> Iterator[tuple[Engine, Engine]]:
    """One in memory, one on a file that is restarted."""
    with TemporaryDirectory() as folder:
        project: LoadedProject = project_of(Path(folder) / "project", **parts)
        path = Path(folder) / "store.db"
        shutil.copy(empty_file, path)
        memory = Restarted(MemoryStore(SALT), project, START, budget=budget)
        sqlite = Restarted(opened(path), project, START, path=path, pattern=pattern, budget=budget)
        try:
            yield memory, sqlite
        finally:
            sqlite.store.close()


Drive = Callable[[Engine], Engine]


def agree(memory: Engine, sqlite: Engine, drive: Drive) -> None:
    """Both are driven alike, and come to the same."""
    for engine in (memory, sqlite):
        drive(engine)
    assert sqlite.lines() == memory.lines()
    for customer in CUSTOMERS:
        assert _shown(sqlite.store, customer) == _shown(memory.store, customer)
    assert sqlite.store.next_due_at() == memory.store.next_due_at()


def _shown(store: Store, customer: str) -> dict[str, Any]:
    """Everything that is known of a customer, but for numbers of turns."""
    card = store.card(customer)
    if card is None:
        return {}
    assert card.customer is not None
    return {
        "customer": to_json(card.customer),
        "parked": card.parked,
        "messages": [_message(message) for message in card.messages],
        "coupons": [to_json(coupon) for coupon in card.coupons],
        "tasks": [to_json(task) for task in card.tasks],
        "enrollments": [to_json(e) for e in card.enrollments],
    }


def _message(m: LoadedMessage) -> tuple[Any, ...]:
    return (to_json(m.row._replace(seq=0)), m.status, m.opened_at, m.clicked_at)


def _created(engine: Engine, history: History) -> Engine:
    engine.arrive(history.created)
    return engine


@SOME
@given(projects(outside=True), histories(), restarts, budgets)
def test_every_store_gives_the_same_journal(
    empty_file: Path, parts: Any, history: History, pattern: list[bool], budget: int
) -> None:
    with two_engines(parts, empty_file, pattern, budget) as (memory, sqlite):
        agree(memory, sqlite, lambda e: exactly(_created(e, history), history.happenings, history.until))


@SOME
@given(projects(outside=True), histories(), restarts, budgets, delays(timedelta(hours=30)))
def test_every_store_gives_the_same_journal_however_late_the_ticks(
    empty_file: Path, parts: Any, history: History, pattern: list[bool], budget: int, late_by: list[Any]
) -> None:
    with two_engines(parts, empty_file, pattern, budget) as (memory, sqlite):
        agree(memory, sqlite, lambda e: ticking(_created(e, history), history.happenings, late_by, history.until))
