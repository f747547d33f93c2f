"""The audit log in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orchestrator.stores.audit_chain import chained, checked
from orchestrator.stores.protocol_audit import AuditRow, Verified


class MemoryAudit:
    """A part of the memory store."""

    salt: str

    def __init__(self) -> None:
        super().__init__()
        self._audit: list[AuditRow] = []

    def audit(self, at: datetime, actor: str, action: str, detail: str = "") -> None:
        """Write down what an operator did."""
        previous = self._audit[-1].hash if self._audit else ""
        row = chained(self.salt, at, actor, action, detail, previous)
        self._audit.append(AuditRow(len(self._audit) + 1, at, actor, action, detail, row[0], previous, row[1]))

    def audit_rows(self, after: int, limit: int) -> Sequence[AuditRow]:
        """Rows with greater ids."""
        return self._audit[after : after + limit]

    def audit_tail(self, limit: int) -> Sequence[AuditRow]:
        """The last rows."""
        return self._audit[-limit:]

    def verify_audit(self, head: str | None = None) -> Verified:
        """Look at every row."""
        return checked(iter(self._audit), self.salt, head)

    def verify_audit_tail(self, limit: int) -> Verified:
        """Look at the last rows."""
        return checked(iter(self.audit_tail(limit)), self.salt, begin=None)
