"""What the parts of the SQLite store share: the file, and how the SQL of both databases runs on it."""

from __future__ import annotations

import sqlite3
from typing import Any

from orchestrator.stores.database_base import DatabaseBase
from orchestrator.stores.erasures import Run
from orchestrator.stores.sqlite.database import Database


def run_on(c: sqlite3.Connection) -> Run:
    """Statements of orchestrator.stores.erasing and erasures on a connection."""

    def run(sql: str, *values: Any) -> sqlite3.Cursor:
        return c.execute(sql, values)

    return run


class SqliteBase(DatabaseBase):
    """State of one process; everything that outlives it is in the file."""

    db: Database

    @staticmethod
    def run_on(c: Any) -> Run:
        """See the function."""
        return run_on(c)
