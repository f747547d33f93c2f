"""Limits of journeys that were reached, as turns tell: written down for whoever tells people (runtime.alerts)."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final

from orchestrator.core.changes import Changes
from orchestrator.core.project import Project
from orchestrator.stores.protocol import Store

REASONS: Final = {"refused": "entry_limit", "suppressed": "send_limit"}
"""By the type of the line that says so."""
HIT: Final = "limit:"
"""Before the names of marks: the real instant at which a limit last refused something."""
WRITTEN_EVERY: Final = timedelta(seconds=30)


class LimitsHit:
    """What one process saw. Safe for several threads."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._written: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def decided(self, changes: Changes, project: Project) -> None:
        """A turn was saved. Where no journey has a limit, nothing is looked at."""
        if not any(j.limits.entries_per_day or j.limits.messages_total for j in project.journeys.values()):
            return
        found = {
            f"{HIT}{line.data['reason']}:{line.journey}"
            for change in changes.customers
            for line in change.transitions
            if line.type in REASONS and line.data.get("reason") == REASONS[line.type]
        }
        if found:
            with self._lock:
                self._seen |= found

    def flush(self, store: Store, real_at: datetime) -> None:
        """Write down what was seen, each limit now and then. Raises StoreBusy."""
        with self._lock:
            seen, self._seen = self._seen, set()
        for name in sorted(seen):
            written = self._written.get(name)
            if written is None or real_at - written >= WRITTEN_EVERY:
                store.mark(name, real_at)
                self._written[name] = real_at
