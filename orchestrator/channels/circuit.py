"""A channel's circuit in one process: the state machine of orchestrator.core.circuit, kept safely for several threads.

Where several processes hand over, they share the state through the store; see orchestrator.runtime.gates.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from orchestrator.core.circuit import (
    CLOSED,
    FAILURES,
    FIRST_REST,
    LONGEST_REST,
    CircuitRecord,
    CircuitState,
    State,
    failed,
    probed,
    state_of,
    worked,
)

__all__ = ["FAILURES", "FIRST_REST", "LONGEST_REST", "Circuit", "CircuitState", "State", "told"]

_ME: Final = "this process"
log = logging.getLogger(__name__)


class Circuit:
    """Safe for several threads. Instants are real seconds of any clock that does not go back."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._record = CLOSED
        self._lock = threading.Lock()

    def state(self, now: float) -> CircuitState:
        """How it stands."""
        return state_of(self._record, now)

    def take(self, count: int, now: float) -> int:
        """How many of `count` messages may go. A probe keeps the others waiting until it is noted, or for a rest."""
        with self._lock:
            before = self._record
            if before.probe_at is None:
                return count
            if not count:
                return 0
            self._record = probed(before, now, _ME)
            return 1 if self._record is not before else 0

    def note(self, down: str | None, count: int, now: float) -> None:
        """What became of `count` messages: None: the provider is there; else why it is out of order."""
        with self._lock:
            before = self._record
            self._record = worked(before) if down is None else failed(before, down, count, now, _ME)
            told(self._name, before, self._record)


def told(name: str, before: CircuitRecord, after: CircuitRecord) -> None:
    """Say in the log when a circuit opened or closed."""
    if before.probe_at is None and after.probe_at is not None:
        log.error("the channel '%s' is out of order; its messages wait: %s", name, after.reason)
    elif before.probe_at is not None and after.probe_at is None:
        log.warning("the channel '%s' works again", name)
