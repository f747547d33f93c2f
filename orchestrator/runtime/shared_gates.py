"""A channel's rate and circuit where several processes hand over: both are rows that all of them share.

A process asks for tokens in blocks, a tenth of a second's worth or what it has in hand, and keeps what is over for a
second at most. Of circuits it knows what they were a second ago at most. Where the database cannot be asked, nothing
goes: what could not be recorded is not sent either.
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from orchestrator.channels.circuit import told
from orchestrator.channels.protocol import Answer
from orchestrator.channels.rate import TokenBucket
from orchestrator.core.circuit import CLOSED, CircuitRecord, CircuitState, failed, probed, state_of, worked
from orchestrator.stores.protocol import Store, StoreBusy

ASKED_EVERY: Final = 0.1
"""Seconds for which a bucket that had too few tokens is not asked again."""
BELIEVED_FOR: Final = 1.0
"""Seconds for which tokens are kept, and what was read of circuits is believed."""

log = logging.getLogger(__name__)


class Instants:
    """The actual instant at a reading of a clock that counts seconds; asked once a second."""

    def __init__(self, clock: Callable[[], float], real_now: Callable[[], datetime]) -> None:
        self._clock = clock
        self._real_now = real_now
        self._anchor: tuple[float, datetime] | None = None

    def __call__(self, now: float) -> datetime:
        """The actual instant at `now` of the clock."""
        anchor = self._anchor
        if anchor is None or not 0 <= now - anchor[0] < BELIEVED_FOR:
            anchor = self._anchor = (self._clock(), self._real_now())
        return anchor[1] + timedelta(seconds=now - anchor[0])


class SharedState:
    """What one process knows of the rows that all share. Safe for several threads.

    `clock` counts real seconds and never goes back; `real_now` tells the actual instant and is asked once a second.
    """

    def __init__(self, store: Store, clock: Callable[[], float], real_now: Callable[[], datetime]) -> None:
        self.store = store
        self.me = secrets.token_hex(8)
        self.real_at = Instants(clock, real_now)
        self._circuits: dict[str, CircuitRecord] = {}
        self._read_at: float | None = None
        self._lock = threading.Lock()

    def circuit(self, name: str, now: float) -> CircuitRecord:
        """A circuit as it was a second ago at most. Raises StoreBusy."""
        with self._lock:
            if self._read_at is None or now - self._read_at >= BELIEVED_FOR:
                self._circuits = dict(self.store.circuits())
                self._read_at = now
            return self._circuits.get(name, CLOSED)

    def known(self, name: str) -> CircuitRecord:
        """A circuit as it was last heard of."""
        return self._circuits.get(name, CLOSED)

    def change(self, name: str, change: Callable[[CircuitRecord], CircuitRecord]) -> CircuitRecord:
        """Change a circuit for all. Raises StoreBusy."""
        before: list[CircuitRecord] = []

        def changed(record: CircuitRecord) -> CircuitRecord:
            before[:] = [record]
            return change(record)

        record = self.store.change_circuit(name, changed)
        with self._lock:
            self._circuits[name] = record
        told(name, before[0], record)
        return record


class SharedGate:
    """One channel's gate, over rows that all processes share. The same methods as Gate."""

    def __init__(self, name: str, rate: float | None, shared: SharedState) -> None:
        self._name = name
        self._rate = rate
        self._shared = shared
        self._promises = TokenBucket(rate) if rate is not None else None
        self._held = 0
        """Tokens that were taken for this process and not used yet."""
        self._left = 0
        self._asked_at = self._granted_at = -math.inf
        self._lock = threading.Lock()

    def state(self, now: float) -> CircuitState:
        """How the circuit stands, as far as is known."""
        try:
            record = self._shared.circuit(self._name, now)
        except StoreBusy:
            record = self._shared.known(self._name)
        return state_of(record, self._seconds(now))

    def room(self, now: float) -> int | None:
        """How many messages it would let through now; None: any number."""
        try:
            stands = state_of(self._shared.circuit(self._name, now), self._seconds(now)).state
            if stands != "closed":
                return 0 if stands == "open" else 1
            if self._rate is None:
                return None
            with self._lock:
                if self._in_hand(now):
                    return self._held
                if now - self._asked_at >= ASKED_EVERY:
                    self._ask(0, now)
                return self._left
        except StoreBusy as error:
            return self._shut(error)

    def take(self, count: int, now: float) -> int:
        """How many of `count` messages may go; so many are expected to be handed over at once."""
        try:
            if count and self._shared.circuit(self._name, now).probe_at is not None:
                count = min(count, 1) if self._rate is None else self._tokens(min(count, 1), now)
                return count if count and self._probe(now) else 0
            return count if self._rate is None else self._tokens(count, now)
        except StoreBusy as error:
            return self._shut(error)

    def come_again(self, now: float) -> float:
        """In how many seconds a message that was not let through shall try again."""
        wait = self._promises.come_again(now) if self._promises is not None else 0.0
        known = state_of(self._shared.known(self._name), self._seconds(now))
        return max(wait, known.probe_in, 0.05)

    def note(self, answers: Sequence[Answer], now: float) -> None:
        """What the provider said. Never raises: the messages are gone already."""
        down = [answer for answer in answers if answer.down]
        try:
            if len(down) < len(answers):
                if self._shared.known(self._name) != CLOSED:
                    self._shared.change(self._name, worked)
            elif down:
                reason, at, me = down[0].reason or "no reason was given", self._seconds(now), self._shared.me
                self._shared.change(self._name, lambda record: failed(record, reason, len(down), at, me))
        except StoreBusy as error:
            log.warning("what became of the channel '%s' could not be told to the others: %s", self._name, error)

    def _probe(self, now: float) -> bool:
        """Whether this process may send the one message that finds out."""
        at, me = self._seconds(now), self._shared.me
        mine: list[bool] = []

        def asked(record: CircuitRecord) -> CircuitRecord:
            after = probed(record, at, me)
            mine[:] = [after is not record or record.probe_at is None]
            return after

        self._shared.change(self._name, asked)
        return mine[0]

    def _tokens(self, count: int, now: float) -> int:
        """At most so many tokens, of those in hand first."""
        assert self._rate is not None
        with self._lock:
            missing = count - self._in_hand(now)
            if missing > 0:
                self._ask(max(missing, math.ceil(self._rate * ASKED_EVERY)), now)
            taken = min(count, self._held)
            self._held -= taken
            return taken

    def _in_hand(self, now: float) -> int:
        """What is left of the last block, unless it is too old."""
        if now - self._granted_at >= BELIEVED_FOR:
            self._held = 0
        return self._held

    def _ask(self, want: int, now: float) -> None:
        """Ask the bucket that all share. Raises StoreBusy."""
        assert self._rate is not None
        burst = max(1.0, self._rate)
        quota = self._shared.store.take_quota(self._name, self._rate, burst, want, self._shared.real_at(now))
        self._held += quota.granted
        self._left = quota.left
        self._asked_at = now
        if quota.granted:
            self._granted_at = now

    def _seconds(self, now: float) -> float:
        return self._shared.real_at(now).timestamp()

    def _shut(self, error: StoreBusy) -> int:
        log.warning("nothing is handed over by '%s' while the database cannot be asked: %s", self._name, error)
        return 0
