"""One installation as a command finds it: settings, database, clock, and what was deployed there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Final

from orchestrator.core.index import Index
from orchestrator.core.project import Project
from orchestrator.errors import UsageError
from orchestrator.records import dataclass
from orchestrator.runtime.clock import resumed
from orchestrator.runtime.deployment import Revived, load_snapshot, revive
from orchestrator.settings import Settings, read_settings
from orchestrator.stores.protocol import Store
from orchestrator.wiring.databases import ENDINGS, Database, database_of, open_database

ASKED_EVERY: Final = 0.25
"""Seconds for which one answer of a database server's clock does: a pass asks about once."""


def settings_of(database: str | None = None, broker: str | None = None) -> Settings:
    """The settings of this run: the command line's URLs before the environment's. Raises UsageError."""
    if database is not None and "://" not in database and database.lower().endswith(ENDINGS):
        database = f"sqlite:///{database}"
    return read_settings(database_url=database, broker_url=broker)


def real_now() -> datetime:
    """The machine's clock: the only place where it is asked."""
    return datetime.now(UTC)


def real_clock(store: Store) -> Callable[[], datetime]:
    """The real time of an installation: that of its database server, where it has one, else the machine's."""
    asked: Callable[[], datetime] | None = getattr(store, "real_now", None)
    return real_now if asked is None else ServerClock(asked)


class ServerClock:
    """The clock of a database server, asked once in ASKED_EVERY seconds and counted on in between, so that processes
    on many machines agree, and that a row costs no question. Raises StoreBusy. Never goes back within a process."""

    def __init__(self, ask: Callable[[], datetime], count: Callable[[], float] = monotonic) -> None:
        self._ask = ask
        self._count = count
        self._known: tuple[datetime, float] | None = None
        self._last: datetime | None = None

    def __call__(self) -> datetime:
        """The actual instant."""
        known = self._known
        counted = self._count()
        if known is None or not 0 <= counted - known[1] < ASKED_EVERY:
            at = self._ask()
            known = self._known = at, self._count()
            counted = known[1]
        at = known[0] + timedelta(seconds=counted - known[1])
        self._last = at if self._last is None else max(at, self._last)
        return self._last


@dataclass(frozen=True, slots=True)
class Installation:
    """An open store with what belongs to it. `project`: the folder on the command line, which need not be deployed."""

    settings: Settings
    project: Path
    database: Database
    store: Store

    def journey_now(self) -> datetime:
        """Journey time, as the engine wrote it down last."""
        return resumed(self.store, real_now()).now(real_now())

    def adopt(self) -> Revived:
        """Make what is deployed known to this process, changing nothing. Raises UsageError where nothing is."""
        revived = revive(self.store)
        if revived.live is None or revived.snapshot is None:
            raise UsageError(
                f"nothing is deployed in {self.database} yet; run `orchestrator deploy`, or `orchestrator up`",
                "nothing_deployed",
            )
        self.store.adopt(Index(revived.live.project))
        return revived

    def live_project(self) -> Project | None:
        """What is deployed, for looking at it: nothing is written. None: nothing is."""
        snapshots = self.store.snapshots()
        return load_snapshot(snapshots[-1]).project if snapshots else None


@contextmanager
def installation(project: Path, database: str | None = None, broker: str | None = None) -> Iterator[Installation]:
    """Open the installation that a command line names, beside whatever engine runs on it; closed at the end.

    Raises UsageError where there is no database, or an old one.
    """
    settings = settings_of(database, broker)
    place = database_of(settings, project)
    place.refuse_memory()
    store = open_database(place)
    try:
        yield Installation(settings, project, place, store)
    finally:
        store.close()
