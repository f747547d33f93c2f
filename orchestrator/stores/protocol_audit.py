"""What a store does with the audit log, beside writing to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol


class AuditRow(NamedTuple):
    """What somebody did. `at` is real time. `digest`: of the words in `detail`, which an erasure may replace by a hash;
    `hash`: over the row, `digest` in place of the words, and the hash of the row before (`previous`; "" for the
    first)."""

    id: int
    at: datetime
    actor: str
    action: str
    detail: str
    digest: str
    previous: str
    hash: str


class Fault(NamedTuple):
    """The first row that does not fit, and why; without an id: what is missing altogether."""

    id: int | None
    at: datetime | None
    action: str | None
    why: str


class Verified(NamedTuple):
    """What a look at the chain found. `erased`: rows whose words named a person who was erased; `head`: the last hash
    that fits."""

    rows: int
    erased: int
    head: str
    fault: Fault | None


class AuditStore(Protocol):
    """See the module's docstring."""

    def audit_rows(self, after: int, limit: int) -> Sequence[AuditRow]:
        """Rows of the log with greater ids, in their order."""

    def audit_tail(self, limit: int) -> Sequence[AuditRow]:
        """The last rows of the log, in their order."""

    def verify_audit(self, head: str | None = None) -> Verified:
        """Look at every row. `head`: a hash that was noted outside of the database, and has to be among them."""

    def verify_audit_tail(self, limit: int) -> Verified:
        """Look at the last rows only."""
