"""What lets messages through to the channels: rates, circuits, and how many messages a pass can hand over in time.

Kept from pass to pass by whoever runs delivery; all of it is in real time. Where other processes hand over from the
same store, rates and circuits are shared with them (orchestrator.runtime.shared_gates); else they are this process's.
Without gates (in a simulation) every message goes at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from orchestrator.channels.circuit import Circuit, CircuitState
from orchestrator.channels.protocol import Answer, Channel
from orchestrator.channels.rate import TokenBucket
from orchestrator.runtime.shared_gates import SharedGate, SharedState
from orchestrator.stores.protocol import Settlement, Store

HAND_OVER_WITHIN: Final = 2.0
"""Seconds after its claim in which a message is handed over, or claimed anew: so long may an opt-out take to bind."""
FIRST_PACE: Final = 0.01
"""Seconds a message, until measured."""


class Gate:
    """One channel's rate and circuit."""

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


class Gates:
    """The gates of all channels. Safe for several threads. `clock` counts real seconds and never goes back.

    `store`, where other processes may hand over from it, too; `real_now` tells the actual instant that they share.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        store: Store | None = None,
        real_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.clock = clock
        self.sleep = sleep
        state = SharedState(store, clock, real_now) if store is not None and store.shared else None
        # Channels that share an adapter share its gate: it is one provider.
        one: dict[int, Gate | SharedGate] = {}
        for name, channel in sorted(channels.items()):
            if id(channel) not in one:
                rate = channel.rate
                one[id(channel)] = Gate(name, rate) if state is None else SharedGate(name, rate, state)
        self._gates = {name: one[id(channel)] for name, channel in channels.items()}
        self._pace = FIRST_PACE
        self._lock = threading.Lock()
        self._owed: list[tuple[Sequence[Settlement], datetime]] = []

    def gate(self, channel: str) -> Gate | SharedGate:
        """The gate of a channel."""
        return self._gates[channel]

    def states(self) -> dict[str, CircuitState]:
        """How the channels stand, for people."""
        now = self.clock()
        return {name: gate.state(now) for name, gate in self._gates.items()}

    def room(self, limit: int) -> int:
        """How many messages a pass may claim: what it can hand over in time, and what the gates let through."""
        now = self.clock()
        rooms = [gate.room(now) for gate in dict.fromkeys(self._gates.values())]
        let_through = limit if None in rooms else sum(room or 0 for room in rooms)
        in_time = max(1, int(HAND_OVER_WITHIN / 2 / self._pace))
        return min(limit, let_through, in_time)

    def measured(self, messages: int, seconds: float) -> None:
        """How long a pass took."""
        with self._lock:
            self._pace = max(1e-6, (self._pace + seconds / messages) / 2)

    def owe(self, settlements: Sequence[Settlement], now: datetime) -> None:
        """Settlements that the database would not take: they are written before anything else is claimed."""
        with self._lock:
            self._owed.append((settlements, now))

    def take_owed(self) -> list[tuple[Sequence[Settlement], datetime]]:
        """What is owed, with the journey time at which it happened."""
        with self._lock:
            owed, self._owed = self._owed, []
            return owed
