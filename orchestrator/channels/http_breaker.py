"""A circuit breaker for each host, so that a dead one costs a few time-outs and not one for every call.

After FAILURES in a row without an answer the circuit is open: calls fail at once. After REST seconds one call is let
through; if it gets an answer, whatever its status, the circuit is closed, else the next one may try after REST more.
The state is this process's: each process learns for itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

FAILURES: Final = 5
REST: Final = 30.0
"""Real seconds."""
MOST_HOSTS: Final = 10_000
"""Hosts with failures that are remembered; beyond it the one that failed first is forgotten."""


class HostBreaker:
    """Safe to use from several threads. `clock` counts real seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}
        self._opens_at: dict[str, float] = {}
        """When the next trial may go, of those whose circuit is open."""

    def admits(self, host: str) -> bool:
        """Whether a call may be tried now. Saying so to the first after a rest keeps the others waiting."""
        with self._lock:
            opens_at = self._opens_at.get(host)
            if opens_at is None:
                return True
            now = self._clock()
            if now < opens_at:
                return False
            self._opens_at[host] = now + REST
            return True

    def note(self, host: str, answered: bool) -> None:
        """What became of a call."""
        with self._lock:
            if answered:
                self._failures.pop(host, None)
                self._opens_at.pop(host, None)
                return
            failures = self._failures.get(host, 0) + 1
            self._failures[host] = failures
            if failures >= FAILURES:
                self._opens_at[host] = self._clock() + REST
            if len(self._failures) > MOST_HOSTS:
                oldest = next(iter(self._failures))
                self._failures.pop(oldest)
                self._opens_at.pop(oldest, None)
