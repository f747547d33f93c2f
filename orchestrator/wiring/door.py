"""Whether the keys that close an installation's doors stand in its database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.settings import Settings
from orchestrator.wiring.databases import database_of, open_database


def has_write_keys(settings: Settings, project: Path) -> Callable[[], bool]:
    """Asks the database whether a write key was ever made in it. One that cannot be asked yet has none."""

    def asked() -> bool:
        database = database_of(settings, project)
        try:
            if not database.exists:
                return False
            store = open_database(database)
        except UsageError:  # it has not this version's tables: whoever starts says so
            return False
        try:
            return any(key.kind == "write" for key in store.all_keys())
        finally:
            store.close()

    return asked
