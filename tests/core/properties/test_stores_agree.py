"""Random worlds give the same journals and the same records on every store, whenever the process is restarted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.index import Index
from orchestrator.core.view import LoadedMessage
from orchestrator.definitions.load import LoadedProject
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.migrate import upgrade
from orchestrator.stores.postgres.store import open_store as open_server
from orchestrator.stores.protocol import Snapshot, Store
from orchestrator.stores.sqlite.store import open_store as open_file
from tests.core.spelled import spelled
from tests.in_full import IN_FULL
from tests.servers.postgres import clean_database
from tests.small_projects import project_of
from tests.strategies import CUSTOMERS, START, History, delays, histories, projects
from tests.world import Engine, exactly, ticking

SOME = settings(
    max_examples=settings.default.max_examples // (4 if IN_FULL else 6),  # type: ignore[union-attr]
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
FEW = settings(SOME, max_examples=settings.default.max_examples // (12 if IN_FULL else 20))  # type: ignore[union-attr]
"""For a database whose sessions take long to begin."""
RESTS: Sequence[bool] = (False,) * 6
SALT = "7"
FILES = Snapshot("the same files", {"journeys/project.yaml": b"x"})

restarts = st.lists(st.booleans(), min_size=1, max_size=9)
"""Before which turns the process is restarted: a pattern to be repeated."""
budgets = st.sampled_from([1, 2, 1_000])


@dataclass
class Restarted(Engine):
    """An engine over a database that is closed and opened again, as the pattern says, before its turns."""

    reopened: Callable[[], Store] | None = None
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
        """As after a crash between two passes: nothing is left but the database."""
        self.journal.extend(self.store.drain_journal())
        self.store.close()
        assert self.reopened is not None
        self.store = self.reopened()
        assert not self.store.deploy(Index(self.project.project), now, FILES)


Place = Callable[[Path], AbstractContextManager[Callable[[], Store]]]
"""Makes an empty database, in a folder where it needs one. Gives what opens it, as a process that begins does."""


@lru_cache(maxsize=1)
def empty_file() -> bytes:
    """A SQLite file with tables and nothing in them: making them takes longer than most examples."""
    with TemporaryDirectory() as folder:
        upgrade(Path(folder) / "empty.db")
        return (Path(folder) / "empty.db").read_bytes()


@contextmanager
def sqlite(folder: Path) -> Iterator[Callable[[], Store]]:
    (folder / "store.db").write_bytes(empty_file())
    yield lambda: open_file(folder / "store.db", salt=SALT, durable=False, drains=True)


@contextmanager
def postgres(folder: Path) -> Iterator[Callable[[], Store]]:
    """As processes that share the work use it: whole shards have their turns, and each is written down before."""
    with clean_database() as url:
        yield lambda: open_server(url, salt=SALT, drains=True)


@contextmanager
def postgres_simulating(folder: Path) -> Iterator[Callable[[], Store]]:
    """Customers are taken exactly as memory takes them, however small the budget."""
    with clean_database() as url:
        yield lambda: open_server(url, salt=SALT, durable=False, drains=True)


@contextmanager
def two_engines(place: Place, parts: Any, pattern: Sequence[bool], budget: int) -> Iterator[tuple[Engine, Engine]]:
    """One in memory, one on a database that is restarted."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        project: LoadedProject = project_of(Path(folder) / "project", **parts)
        opened = stack.enter_context(place(Path(folder)))
        if place is not sqlite:
            pattern = (*pattern, *RESTS)
        if place is postgres:  # which customers a small budget takes is each store's own affair, and so are limits then
            budget = 1_000
        memory = Restarted(MemoryStore(SALT), project, START, budget=budget)
        other = Restarted(opened(), project, START, reopened=opened, pattern=pattern, budget=budget)
        try:
            yield memory, other
        finally:
            other.store.close()


Drive = Callable[[Engine], Engine]


def agree(memory: Engine, other: Engine, drive: Drive) -> None:
    """Both are driven alike, and come to the same."""
    for engine in (memory, other):
        drive(engine)
    assert other.lines() == memory.lines()
    for customer in CUSTOMERS:
        assert _shown(other.store, customer) == _shown(memory.store, customer)
    assert other.store.next_due_at() == memory.store.next_due_at()


def _shown(store: Store, customer: str) -> dict[str, Any]:
    """Everything that is known of a customer, but for numbers of turns."""
    card = store.card(customer)
    if card is None:
        return {}
    assert card.customer is not None
    return {
        "customer": spelled(card.customer),
        "parked": card.parked,
        "messages": [_message(message) for message in card.messages],
        "coupons": [spelled(coupon) for coupon in card.coupons],
        "tasks": [spelled(task) for task in card.tasks],
        "enrollments": [spelled(e) for e in card.enrollments],
    }


def _message(m: LoadedMessage) -> tuple[Any, ...]:
    return (spelled(m.row._replace(seq=0)), m.status, m.opened_at, m.clicked_at)


def _created(engine: Engine, history: History) -> Engine:
    engine.arrive(history.created)
    return engine


same_journal = given(projects(outside=True), histories(), restarts, budgets)
same_journal_late = given(projects(outside=True), histories(), restarts, budgets, delays(timedelta(hours=30)))
on_postgres = pytest.mark.parametrize("place", [postgres, postgres_simulating])


@SOME
@same_journal
def test_sqlite_gives_the_same_journal(parts: Any, history: History, pattern: list[bool], budget: int) -> None:
    with two_engines(sqlite, parts, pattern, budget) as (memory, other):
        agree(memory, other, lambda e: exactly(_created(e, history), history.happenings, history.until))


@SOME
@same_journal_late
def test_sqlite_gives_the_same_journal_however_late_the_ticks(
    parts: Any, history: History, pattern: list[bool], budget: int, late_by: list[Any]
) -> None:
    with two_engines(sqlite, parts, pattern, budget) as (memory, other):
        agree(memory, other, lambda e: ticking(_created(e, history), history.happenings, late_by, history.until))


@on_postgres
@FEW
@same_journal
def test_postgres_gives_the_same_journal(
    place: Place, parts: Any, history: History, pattern: list[bool], budget: int
) -> None:
    with two_engines(place, parts, pattern, budget) as (memory, other):
        agree(memory, other, lambda e: exactly(_created(e, history), history.happenings, history.until))


@on_postgres
@FEW
@same_journal_late
def test_postgres_gives_the_same_journal_however_late_the_ticks(
    place: Place, parts: Any, history: History, pattern: list[bool], budget: int, late_by: list[Any]
) -> None:
    with two_engines(place, parts, pattern, budget) as (memory, other):
        agree(memory, other, lambda e: ticking(_created(e, history), history.happenings, late_by, history.until))
