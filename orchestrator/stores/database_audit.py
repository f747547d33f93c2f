"""The audit log, in both databases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from orchestrator.stores import audit_chain
from orchestrator.stores.database_base import DatabaseBase
from orchestrator.stores.protocol_audit import AuditRow, Verified


class DatabaseAudit(DatabaseBase):
    """The part of the store that remembers what operators did."""

    def audit(self, at: datetime, actor: str, action: str, detail: str = "") -> None:
        """Write down what an operator did."""
        with self.db.write() as c:
            audit_chain.add(self.run_on(c), self.salt, at, actor, action, detail, shared=bool(self.row_lock))

    def audit_rows(self, after: int, limit: int) -> Sequence[AuditRow]:
        """Rows with greater ids."""
        with self.db.read() as c:
            return audit_chain.rows_after(self.run_on(c), after, limit)

    def audit_tail(self, limit: int) -> Sequence[AuditRow]:
        """The last rows."""
        with self.db.read() as c:
            return audit_chain.newest(self.run_on(c), limit)

    def verify_audit(self, head: str | None = None) -> Verified:
        """Look at every row."""
        return audit_chain.checked(self._all_rows(), self.salt, head)

    def verify_audit_tail(self, limit: int) -> Verified:
        """Look at the last rows."""
        return audit_chain.checked(iter(self.audit_tail(limit)), self.salt, begin=None)

    def _all_rows(self) -> Iterator[AuditRow]:
        after = 0
        while page := self.audit_rows(after, audit_chain.PAGE):
            yield from page
            after = page[-1].id
