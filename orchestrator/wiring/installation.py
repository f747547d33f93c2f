"""One installation as a command finds it: settings, database, clock, and what was deployed there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.core.project import Project
from orchestrator.errors import UsageError
from orchestrator.runtime.clock import resumed
from orchestrator.runtime.deployment import Revived, deploy, load_snapshot, revive
from orchestrator.settings import Settings, read_settings
from orchestrator.stores.protocol import Store
from orchestrator.wiring.databases import ENDINGS, Database, database_of, open_database


def settings_of(database: str | None = None, broker: str | None = None) -> Settings:
    """The settings of this run: the command line's URLs before the environment's. Raises UsageError."""
    if database is not None and "://" not in database and database.lower().endswith(ENDINGS):
        database = f"sqlite:///{database}"
    return read_settings(database_url=database, broker_url=broker)


def real_now() -> datetime:
    """The machine's clock: the only place where it is asked."""
    return datetime.now(UTC)


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
        deploy(self.store, revived.live, self.journey_now(), revived.snapshot, real_now())
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
    place.file  # noqa: B018  (refuses a database in memory)
    store = open_database(place)
    try:
        yield Installation(settings, project, place, store)
    finally:
        store.close()
