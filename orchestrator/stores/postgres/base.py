"""What the parts of the PostgreSQL store share: the database, and how the SQL of both databases runs on it."""

from __future__ import annotations

from typing import Any

from orchestrator.stores.database_base import DatabaseBase
from orchestrator.stores.erasures import Run
from orchestrator.stores.postgres.database import Connection, Database


def run_on(c: Connection) -> Run:
    """Statements of orchestrator.stores.erasing and erasures on a connection."""

    def run(sql: str, *values: Any) -> Any:
        return c.execute(sql.replace("?", "%s").encode(), values)

    return run


class PostgresBase(DatabaseBase):
    """State of one process; everything that outlives it is in the database."""

    db: Database
    row_lock = " FOR UPDATE"

    @staticmethod
    def run_on(c: Any) -> Run:
        """See the function."""
        return run_on(c)
