"""Journey time as a mapping from real time: what `up --speed` and replays run on, and what a restart goes on from.

Decisions, waits and the ledger use journey time; leases, time-outs, back-off and rate limits use real time. Without
`--speed` the two are the same. A clock that runs faster waits for the engine: it never passes what is overdue by more
than a bound, so that speed alone makes nobody late.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.stores.protocol import Store

REAL_MARK: Final = "clock:real"
JOURNEY_MARK: Final = "clock:journey"
VIRTUAL_MARK: Final = "clock:virtual"
"""There, with the real instant at which it began, once a store's journey time has left real time."""


class JourneyClock:
    """Journey time at any real instant; it never goes back. Safe for several threads.

    `real_at` and `journey_at` stand for the same moment. `speed`: journey seconds in a real second. A clock that is not
    `virtual` has left real time nowhere yet and has speed 1: its journey time is real time.
    """

    def __init__(self, real_at: datetime, journey_at: datetime, speed: float = 1.0, virtual: bool = True) -> None:
        if not 0 < speed <= 1_000_000_000:
            raise UsageError(f"the speed is {speed}; give a number above 0, such as 1 or 3600", "bad_speed")
        self.speed = speed
        self.virtual = virtual or speed != 1
        self._real_at = real_at
        self._journey_at = journey_at
        self._bound_at: datetime | None = None
        self._arriving: dict[object, datetime] = {}
        """Bounds of what is arriving, and not committed yet."""
        self._fresh_at: datetime | None = None
        self._seen_at: datetime | None = None
        """The nearest bounds of what was committed since the last `wait_for`, and between the last two."""
        self._standing = False
        self._lock = threading.Lock()

    def now(self, real_at: datetime) -> datetime:
        """The journey time. A real clock that went back changes nothing: time stands until it has caught up."""
        with self._lock:
            return self._moved(real_at)

    def _moved(self, real_at: datetime) -> datetime:
        elapsed = real_at - self._real_at
        if elapsed <= timedelta(0):
            return self._journey_at
        self._real_at = real_at
        if self._standing:
            return self._journey_at
        if not self.virtual:
            self._journey_at = max(self._journey_at, real_at)
            return self._journey_at
        reached = _later(self._journey_at, elapsed * self.speed)
        bounds = (self._bound_at, self._fresh_at, self._seen_at, *self._arriving.values())
        bound_at = min((at for at in bounds if at is not None), default=None)
        if bound_at is not None and reached > bound_at:
            reached = max(self._journey_at, bound_at)
        self._journey_at = reached
        return reached

    def wait_for(self, due_at: datetime | None, patience: timedelta) -> None:
        """Stand still from `patience` after `due_at` on, the oldest that is not done yet (None: nothing is).

        Only a clock that is faster than real time waits: real time would not.
        """
        with self._lock:
            self._bound_at = None if due_at is None or self.speed <= 1 else _later(due_at, patience)
            # Who says this may have looked before the last arrival was committed; next time it has been seen.
            self._seen_at, self._fresh_at = self._fresh_at, None

    @contextmanager
    def arriving(self, real_at: datetime, patience: timedelta) -> Iterator[datetime]:
        """The journey instant at which something arrives that is committed inside: until a look of the engine that
        surely saw it, time stands still from `patience` later on.

        Without this, time would run on between the arrival's instant and its commit, in which no look can see it.
        """
        own = object()
        with self._lock:
            at = self._moved(real_at)
            if self.speed > 1:
                self._arriving[own] = _later(at, patience)
        try:
            yield at
        finally:
            with self._lock:
                bound_at = self._arriving.pop(own, None)
                if bound_at is not None:
                    self._fresh_at = bound_at if self._fresh_at is None else min(bound_at, self._fresh_at)

    def arrived(self, real_at: datetime, patience: timedelta) -> None:
        """Something came just now: stand still from `patience` later on, until the engine has said `wait_for` again."""
        with self._lock:
            bound_at = _later(self._moved(real_at), patience)
            if self.speed > 1 and (self._bound_at is None or bound_at < self._bound_at):
                self._bound_at = bound_at

    def real_wait(self, due_at: datetime, real_at: datetime) -> timedelta:
        """How much real time passes from `real_at` until journey time reaches `due_at`; at least nothing."""
        left = due_at - self.now(real_at)
        return max(left / self.speed, timedelta(0))

    def stand(self, journey_at: datetime, real_at: datetime) -> None:
        """Be at a journey instant, and at none before the present one, until the next call or `go_on`: a replay steps
        through time so."""
        with self._lock:
            self._journey_at = max(self._moved(real_at), journey_at)
            self._real_at = max(self._real_at, real_at)
            self._standing = self.virtual = True

    def go_on(self, real_at: datetime) -> None:
        """Go on by itself from where it stands."""
        with self._lock:
            self._moved(real_at)
            self._standing = False


def resumed(store: Store, real_at: datetime, speed: float = 1.0) -> JourneyClock:
    """The clock of a store: a virtual one goes on from where it stood; any other is at real time, or never behind where
    it stood (where the machine's clock was set back)."""
    stood_at = store.mark(JOURNEY_MARK)
    virtual = store.mark(VIRTUAL_MARK) is not None
    if stood_at is None:
        return JourneyClock(real_at, real_at, speed, virtual=False)
    return JourneyClock(real_at, stood_at if virtual else max(stood_at, real_at), speed, virtual)


def keep(store: Store, clock: JourneyClock, real_at: datetime) -> None:
    """Write down where the clock stands, so that a restart goes on from there."""
    if clock.virtual and store.mark(VIRTUAL_MARK) is None:
        store.mark(VIRTUAL_MARK, real_at)
    store.mark(REAL_MARK, real_at)
    store.mark(JOURNEY_MARK, clock.now(real_at))


def _later(at: datetime, by: timedelta) -> datetime:
    """`at` plus `by`, the calendar's end at most."""
    try:
        return at + by
    except OverflowError:
        return datetime.max.replace(tzinfo=at.tzinfo)
