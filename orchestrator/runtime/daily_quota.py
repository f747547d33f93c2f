"""A provider's quota for a day of the project's zone, which all processes take from: what is over waits a day.

Each day has a bucket of its own in the store that is never filled up again. A process asks it in blocks of a hundredth
of the quota, so that one that is killed takes no more than that along; what was asked for is never given twice. A quota
that is changed in the course of a day holds from the next one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.channels.circuit import CircuitState
from orchestrator.channels.daily_plan import DailyPlan
from orchestrator.channels.gate import ProviderGate
from orchestrator.channels.protocol import Answer
from orchestrator.core.identity import share
from orchestrator.stores.protocol import Store, StoreBusy

USED_UP: Final = "quota:"
"""Before the names of marks, then the provider and its quota: until when (real time) nothing is left of it."""
LARGEST_BLOCK: Final = 100
RELEASED_OVER: Final = timedelta(minutes=30)
"""What waited for a new day comes back over this time, and not all at midnight."""
ASKED_EVERY: Final = 1.0
"""Seconds for which what is left is believed."""

log = logging.getLogger(__name__)


class Day(NamedTuple):
    """A local day: its name, and its ends in real time."""

    name: str
    starts_at: datetime
    ends_at: datetime
    quota: int


def day_of(plan: DailyPlan, at: datetime, zone: ZoneInfo) -> Day:
    """The day of an instant, and what the plan gives it."""
    day = at.astimezone(zone).date()
    first, last = (datetime.combine(day + timedelta(n), time(0), zone).astimezone(UTC) for n in (0, 1))
    return Day(day.isoformat(), first, last, plan.quota(day))


class QuotaGate:
    """Stands before a provider's other gate. Safe for several threads; where the database is away, nothing goes."""

    def __init__(
        self,
        inner: ProviderGate,
        name: str,
        plan: DailyPlan,
        store: Store,
        zone: Callable[[], ZoneInfo],
        real_at: Callable[[float], datetime],
    ) -> None:
        self._inner = inner
        self._name = name
        self._plan = plan
        self._store = store
        self._zone = zone
        self._real_at = real_at
        self._day: Day | None = None
        self._held = self._left = 0
        self._asked_at: float | None = None
        self._told = False
        self._away = False
        """What is left could not be asked; that is not to say that nothing is."""
        self._number = 0
        self._lock = threading.Lock()

    def state(self, now: float) -> CircuitState:
        """How the circuit stands."""
        return self._inner.state(now)

    def room(self, now: float) -> int | None:
        """How many messages it would let through now."""
        with self._lock:
            left = self._known(now)
        if left <= 0:
            return 0
        room = self._inner.room(now)
        return left if room is None else min(left, room)

    def take(self, count: int, now: float) -> int:
        """How many of `count` messages may go. What the other gate does not let through is kept for the next."""
        with self._lock:
            granted = self._tokens(count, now)
        gone = self._inner.take(granted, now) if granted else 0
        if gone < granted:
            with self._lock:
                self._held += granted - gone
        return gone

    def come_again(self, now: float) -> float:
        """In how many seconds a message shall try again: on the next day, where nothing is left of this one."""
        with self._lock:
            if self._away:
                return ASKED_EVERY
            day = self._day
            empty = day is not None and self._held + self._left <= 0
            self._number += 1
            spread = RELEASED_OVER.total_seconds() * share("quota", self._name, str(self._number))
        if not empty or day is None:
            return self._inner.come_again(now)
        return max(0.05, (day.ends_at - self._real_at(now)).total_seconds() + spread)

    def note(self, answers: Sequence[Answer], now: float) -> None:
        """What the provider said."""
        self._inner.note(answers, now)

    def _known(self, now: float) -> int:
        self._today(now)
        if self._held:
            return self._held + max(0, self._left)
        if self._asked_at is None or now - self._asked_at >= ASKED_EVERY:
            self._ask(0, now)
        return self._left

    def _tokens(self, count: int, now: float) -> int:
        day = self._today(now)
        if count > self._held:
            self._ask(max(count - self._held, min(LARGEST_BLOCK, day.quota // 100)), now)
        taken = min(count, self._held)
        self._held -= taken
        return taken

    def _today(self, now: float) -> Day:
        """The day of now; what was held for another is gone."""
        at = self._real_at(now)
        day = self._day
        if day is None or not day.starts_at <= at < day.ends_at:
            day = self._day = day_of(self._plan, at, self._zone())
            self._held = self._left = 0
            self._asked_at, self._told = None, False
        return day

    def _ask(self, want: int, now: float) -> None:
        day = self._day
        assert day is not None
        short = want > 0
        self._asked_at = now
        self._away = False
        if day.quota > 0:
            try:
                bucket = f"{USED_UP}{self._name}:{day.name}"
                # Without a rate nothing is ever added, and the instant decides nothing.
                quota = self._store.take_quota(bucket, 0.0, day.quota, want, day.starts_at)
            except StoreBusy as error:
                self._left, self._away = 0, True
                log.warning("nothing goes by %s while its quota cannot be asked: %s", self._name, error)
                return
            self._held += quota.granted
            self._left = quota.left
            short = quota.granted < want
        if (short or self._held + self._left <= 0) and not self._told:
            self._tell(day)

    def _tell(self, day: Day) -> None:
        with suppress(StoreBusy):
            self._store.mark(f"{USED_UP}{self._name}:{day.quota}", day.ends_at)
            self._told = True
            log.warning("the quota of %s for %s, %d, is used up: what is over waits", self._name, day.name, day.quota)
