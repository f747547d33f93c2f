"""Which answers of the HTTP API are kept no longer."""

from __future__ import annotations

from typing import Final

from orchestrator.stores import api_rows
from orchestrator.stores.protocol_api import KEPT_FOR
from orchestrator.stores.sqlite.base import run_on
from orchestrator.stores.sqlite.database import Database

_NOW: Final = "SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"


def forget_answers(db: Database, limit: int) -> int:
    """They are kept in real time, which a run of retention does not know: the file's own clock says it."""
    with db.read() as c:
        before = c.execute(_NOW).fetchone()[0] - int(KEPT_FOR.total_seconds() * 1_000_000)
        if not api_rows.old(run_on(c), before):
            return 0
    with db.write() as c:
        return api_rows.swept(run_on(c), before, limit)
