"""What did not fit the tracking plan, on SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.stores import violation_rows
from orchestrator.stores.protocol_sources import ViolationCount
from orchestrator.stores.sqlite.base import SqliteBase
from orchestrator.stores.sqlite.erasing import run_on


class SqliteSources(SqliteBase):
    """The part of the store that counts what sources send."""

    def keep_violations(self, found: Sequence[ViolationCount]) -> None:
        """Add to what is counted."""
        if found:
            with self.db.write() as c:
                violation_rows.keep(run_on(c), self.db.sealer, found)

    def violations(self, limit: int) -> Sequence[ViolationCount]:
        """What was counted."""
        with self.db.read() as c:
            return violation_rows.kept(run_on(c), self.db.sealer, limit)

    def clear_violations(self, event: str | None = None) -> int:
        """Forget it."""
        with self.db.write() as c:
            return violation_rows.clear(run_on(c), event)
