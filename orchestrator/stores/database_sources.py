"""What did not fit the tracking plan, in both databases."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.stores import violation_rows
from orchestrator.stores.database_base import DatabaseBase
from orchestrator.stores.protocol_sources import ViolationCount


class DatabaseSources(DatabaseBase):
    """The part of the store that counts what sources send."""

    def keep_violations(self, found: Sequence[ViolationCount]) -> None:
        """Add to what is counted."""
        if found:
            with self.db.write() as c:
                violation_rows.keep(self.run_on(c), self.db.sealer, found)

    def violations(self, limit: int) -> Sequence[ViolationCount]:
        """What was counted."""
        with self.db.read() as c:
            return violation_rows.kept(self.run_on(c), self.db.sealer, limit)

    def clear_violations(self, event: str | None = None) -> int:
        """Forget it."""
        with self.db.write() as c:
            return violation_rows.clear(self.run_on(c), event)
