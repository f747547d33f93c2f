"""A channel's circuit: while the provider or our account is out of order, nothing is tried but a probe now and then.

closed      messages go
open        nothing goes until the rest is over
half_open   one message goes, as a probe; what becomes of it closes the circuit, or opens it again for twice as long

The state is this process's: each process learns for itself.
"""

from __future__ import annotations

import logging
import threading
from typing import Final, Literal, NamedTuple, TypeAlias

FAILURES: Final = 3
"""Answers in a row that say `down` after which the circuit opens."""
FIRST_REST: Final = 15.0
LONGEST_REST: Final = 300.0
"""Real seconds."""

log = logging.getLogger(__name__)
State: TypeAlias = Literal["closed", "open", "half_open"]


class CircuitState(NamedTuple):
    """What people are shown: the state, why it is not closed, and the seconds until the next probe."""

    state: State
    reason: str | None = None
    probe_in: float = 0.0


class Circuit:
    """Safe for several threads. Instants are real seconds of any clock that does not go back."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures = 0
        self._rest = 0.0
        self._probe_at: float | None = None
        self._probing = False
        self._reason: str | None = None
        self._lock = threading.Lock()

    def state(self, now: float) -> CircuitState:
        """How it stands."""
        with self._lock:
            if self._probe_at is None:
                return CircuitState("closed")
            if now < self._probe_at:
                return CircuitState("open", self._reason, self._probe_at - now)
            return CircuitState("half_open", self._reason)

    def take(self, count: int, now: float) -> int:
        """How many of `count` messages may go. A probe keeps the others waiting until it is noted, or for a rest."""
        with self._lock:
            if self._probe_at is None:
                return count
            if now < self._probe_at or not count:
                return 0
            self._probe_at = now + self._rest
            self._probing = True
            return 1

    def note(self, down: str | None, count: int, now: float) -> None:
        """What became of `count` messages: None: the provider is there; else why it is out of order."""
        with self._lock:
            if down is None:
                if self._probe_at is not None:
                    log.warning("the channel '%s' works again", self._name)
                self._failures, self._rest, self._probe_at, self._reason = 0, 0.0, None, None
                self._probing = False
                return
            self._failures += count
            self._reason = down
            if self._probe_at is None:
                if self._failures < FAILURES:
                    return
                log.error("the channel '%s' is out of order; its messages wait: %s", self._name, down)
                self._rest = FIRST_REST
            elif self._probing:
                self._rest = min(self._rest * 2, LONGEST_REST)
            else:
                return  # sent before the circuit opened
            self._probing = False
            self._probe_at = now + self._rest
