"""What lets messages through to the channels: rates, quotas, circuits, money, and how many go in a pass.

Kept from pass to pass by whoever runs delivery; all of it is in real time. Where other processes hand over from the
same store, rates and circuits are shared with them (orchestrator.runtime.shared_gates); else they are this process's.
Without gates (in a simulation) every message goes at once.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from orchestrator.channels.circuit import CircuitState
from orchestrator.channels.daily_plan import DailyPlan, plan_of
from orchestrator.channels.failover import failover_of
from orchestrator.channels.gate import Gate, ProviderGate
from orchestrator.channels.protocol import Answer, Channel
from orchestrator.runtime.daily_quota import QuotaGate
from orchestrator.runtime.domain_gates import DomainGates
from orchestrator.runtime.shared_gates import Instants, SharedGate, SharedState
from orchestrator.runtime.spending import SPENDING, Spending
from orchestrator.stores.protocol import Settlement, Store

HAND_OVER_WITHIN: Final = 2.0
"""Seconds after its claim in which a message is handed over, or claimed anew: so long may an opt-out take to bind."""
FIRST_PACE: Final = 0.01
"""Seconds a message, until measured."""
_WORSE: Final = {"closed": 0, "half_open": 1, "open": 2}


class FailoverGate:
    """Several providers' gates as one, for whoever asks whether a message finds any of them open.

    What may go is asked of each provider's own gate at the hand-over (channels.failover), so nothing is used up here.
    """

    def __init__(self, gates: Mapping[str, ProviderGate]) -> None:
        self._gates = gates

    def state(self, now: float) -> CircuitState:
        """As that of the provider that stands best."""
        states = {name: gate.state(now) for name, gate in self._gates.items()}
        best = min(states.values(), key=lambda state: (_WORSE[state.state], state.probe_in))
        if best.state == "closed":
            return best
        reasons = "; ".join(f"{name}: {state.reason or 'no reason was given'}" for name, state in states.items())
        return best._replace(reason=reasons)

    def room(self, now: float) -> int | None:
        """How many messages all of them would let through now; None: any number."""
        rooms = [gate.room(now) for gate in self._gates.values()]
        return None if None in rooms else sum(room or 0 for room in rooms)

    def take(self, count: int, now: float) -> int:
        """How many of `count` messages find room now."""
        room = self.room(now)
        return count if room is None else min(count, room)

    def come_again(self, now: float) -> float:
        """In how many seconds the first of them may have room."""
        return min(gate.come_again(now) for gate in self._gates.values())

    def note(self, answers: Sequence[Answer], now: float) -> None:
        """Each provider's own gate has heard it."""


class CountingGate:
    """A provider's gate that counts what the provider said, for the installation's figures."""

    def __init__(self, name: str, inner: ProviderGate, count: Callable[[Counter[str]], None]) -> None:
        self._name = name
        self._count = count
        self._inner = inner
        self.state, self.room, self.take, self.come_again = inner.state, inner.room, inner.take, inner.come_again

    def note(self, answers: Sequence[Answer], now: float) -> None:
        """What the provider said."""
        self._count(Counter(f"provider:{self._name}:{answer.outcome}" for answer in answers))
        self._inner.note(answers, now)


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
        self._store = store
        self._instants = Instants(clock, real_now)
        self._state = SharedState(store, clock, real_now) if store is not None and store.shared else None
        self.spending = Spending(store, self._instants) if store is not None else None
        """The breaker of money; None: in a simulation."""
        self.domains = DomainGates(store, self._gate) if store is not None else None
        """Bounds on mail by the receiver's domain; None: in a simulation."""
        self._pace = FIRST_PACE
        self._lock = threading.Lock()
        self._owed: list[tuple[Sequence[Settlement], datetime]] = []
        self._counted: Counter[str] = Counter()
        self._providers: dict[str, ProviderGate] = {}
        # Channels that share an adapter share its gate: it is one provider.
        one: dict[int, ProviderGate] = {}
        for name, channel in sorted(channels.items()):
            if id(channel) not in one:
                one[id(channel)] = self._made(name, channel)
        self._gates = {name: one[id(channel)] for name, channel in channels.items()}

    def _made(self, name: str, channel: Channel) -> ProviderGate:
        failover = failover_of(channel)
        if failover is None:
            return self._gate_of(name, channel)
        gates: dict[str, ProviderGate] = {}
        for provider in failover.providers:
            place = f"{name}/{provider.name}"
            gate = self._gate_of(place, provider.channel)
            gates[provider.name] = self._providers[place] = CountingGate(place, gate, self._count)
        failover.use(gates, self.clock)
        return FailoverGate(gates)

    def _gate_of(self, name: str, channel: Channel) -> ProviderGate:
        return self._gate(name, channel.rate, plan_of(channel))

    def _gate(self, name: str, rate: float | None, plan: DailyPlan | None) -> ProviderGate:
        state = self._state
        gate: ProviderGate = Gate(name, rate) if state is None else SharedGate(name, rate, state)
        store = self._store
        if plan is None or store is None:
            return gate
        return QuotaGate(gate, name, plan, store, lambda: store.index.project.timezone, self._instants)

    def gate(self, channel: str) -> ProviderGate:
        """The gate of a channel."""
        return self._gates[channel]

    def states(self) -> dict[str, CircuitState]:
        """How the channels stand, for people: each, each of several providers (`email/ses`), and the breaker of money
        (`spend`)."""
        now = self.clock()
        found = {name: gate.state(now) for name, gate in (self._gates | self._providers).items()}
        spending = self.spending.state(now) if self.spending is not None else None
        return found if spending is None else {**found, SPENDING: spending}

    def waits_for_money(self) -> float:
        """For how many seconds promotional and service messages wait because too much was spent; 0: they go."""
        spending = self.spending
        return 0.0 if spending is None or spending.limit is None else spending.wait(self.clock())

    def counted(self) -> Mapping[str, int]:
        """What the providers of channels with several said since the last call: `provider:email/ses:accepted`."""
        if not self._counted:
            return {}
        with self._lock:
            counted, self._counted = self._counted, Counter()
        return counted

    def _count(self, counted: Counter[str]) -> None:
        with self._lock:
            self._counted.update(counted)

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
