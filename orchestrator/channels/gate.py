"""What lets messages through to one provider: its rate and its circuit, in real time, of this process alone.

Where several processes hand over, the same methods stand over rows that all of them share
(orchestrator.runtime.shared_gates).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from orchestrator.channels.circuit import Circuit, CircuitState
from orchestrator.channels.protocol import Answer
from orchestrator.channels.rate import TokenBucket


class ProviderGate(Protocol):
    """What lets messages through to one provider. Instants are real seconds of any clock that never goes back."""

    def state(self, now: float) -> CircuitState:
        """How the circuit stands."""

    def room(self, now: float) -> int | None:
        """How many messages it would let through now; None: any number."""

    def take(self, count: int, now: float) -> int:
        """How many of `count` messages may go; so many are expected to be handed over at once."""

    def come_again(self, now: float) -> float:
        """In how many seconds a message that was not let through shall try again."""

    def note(self, answers: Sequence[Answer], now: float) -> None:
        """What the provider said."""


class Gate:
    """One provider's rate and circuit."""

    def __init__(self, name: str, rate: float | None) -> None:
        self._circuit = Circuit(name)
        self.bucket = TokenBucket(rate) if rate is not None else None

    def state(self, now: float) -> CircuitState:
        """How the circuit stands."""
        return self._circuit.state(now)

    def room(self, now: float) -> int | None:
        """How many messages it would let through now; None: any number."""
        state = self._circuit.state(now).state
        if state != "closed":
            return 0 if state == "open" else 1
        return None if self.bucket is None else self.bucket.room(now)

    def take(self, count: int, now: float) -> int:
        """How many of `count` messages may go; so many are expected to be handed over at once."""
        if self.bucket is not None:
            count = min(count, self.bucket.room(now))
        count = self._circuit.take(count, now)
        return count if self.bucket is None else self.bucket.take(count, now)

    def come_again(self, now: float) -> float:
        """In how many seconds a message that was not let through shall try again."""
        wait = self.bucket.come_again(now) if self.bucket is not None else 0.0
        return max(wait, self._circuit.state(now).probe_in, 0.05)

    def note(self, answers: Sequence[Answer], now: float) -> None:
        """What the provider said."""
        down = [answer for answer in answers if answer.down]
        if len(down) < len(answers):
            self._circuit.note(None, len(answers) - len(down), now)
        elif down:
            self._circuit.note(down[0].reason or "no reason was given", len(down), now)
