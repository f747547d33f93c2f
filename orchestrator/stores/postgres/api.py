"""Which answers of the HTTP API are kept no longer."""

from __future__ import annotations

from typing import Final

from orchestrator.stores import api_rows
from orchestrator.stores.postgres.base import run_on
from orchestrator.stores.postgres.database import Database
from orchestrator.stores.protocol_api import KEPT_FOR

_NOW: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


def forget_answers(db: Database, limit: int) -> int:
    """They are kept in real time, which a run of retention does not know: the server's clock says it."""
    with db.read() as c:
        row = c.execute(_NOW).fetchone()
        assert row is not None
        before = row[0] - int(KEPT_FOR.total_seconds() * 1_000_000)
        if not api_rows.old(run_on(c), before):
            return 0
    with db.write() as c:
        return api_rows.swept(run_on(c), before, limit)
