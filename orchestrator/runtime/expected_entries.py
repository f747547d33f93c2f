"""The hard stop behind `deploy --expect`: a journey that lets in far more customers than somebody said is paused.

What was expected is a named instant in the database, from which it is watched for a day of journey time. All processes
count entries in one bucket, which is never filled up; the turn that finds it empty pauses the journey and tells people.
So at most one turn of each process comes in beyond the bound, and what came in with it is frozen like all the others.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Final, NamedTuple

from orchestrator.core.changes import Changes
from orchestrator.core.index import Index
from orchestrator.runtime.alarms import ALLOWANCE, FINE, OVERRUN
from orchestrator.stores.protocol import Store, StoreBusy

EXPECTED: Final = "expect:"
"""Before the names of marks, then the journey and the number: since when (journey time) it is watched."""
WATCHED_FOR: Final = timedelta(hours=24)
READ_EVERY: Final = 5.0
"""Seconds between two looks for what was expected elsewhere."""

log = logging.getLogger(__name__)


class Expectation(NamedTuple):
    """So many customers are expected in a journey from `since` (journey time) on."""

    journey: str
    number: int
    since: datetime

    @property
    def bound(self) -> int:
        """So many may come in."""
        return int(self.number * ALLOWANCE)

    @property
    def bucket(self) -> str:
        """Of those that may come in still."""
        return f"{EXPECTED}{self.journey}:{self.number}:{int(self.since.timestamp() * 1_000_000)}"


def expect(store: Store, journey: str, number: int, now: datetime) -> None:
    """From now on so many are expected; what was expected before is forgotten. Raises StoreBusy."""
    for found in expectations(store):
        if found.journey == journey:
            store.mark(f"{EXPECTED}{journey}:{found.number}", FINE)
    store.mark(f"{EXPECTED}{journey}:{number}", now)


def expectations(store: Store) -> list[Expectation]:
    """What is expected of journeys, whether or not it is watched still. Raises StoreBusy."""
    found = []
    for name, since in store.marks(EXPECTED).items():
        journey, _, number = name.removeprefix(EXPECTED).rpartition(":")
        if since != FINE and number.isdigit():
            found.append(Expectation(journey, int(number), since))
    return found


class EntryWatch:
    """What one process counts. Safe for several threads."""

    def __init__(self, store: Store, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._clock = clock
        self._index: Index | None = None
        self._read_at: float | None = None
        self._watched: tuple[Expectation, ...] = ()
        self._owed: Counter[Expectation] = Counter()
        self._lock = threading.Lock()

    def decided(self, changes: Changes) -> None:
        """A turn was saved: count whom it let in. Never raises StoreBusy: what could not be counted is counted next."""
        with self._lock:
            try:
                self._read()
                if not self._watched:
                    return
                self._owed.update(_entered(changes, self._watched))
                for expectation, count in list(self._owed.items()):
                    self._count(expectation, count)
            except StoreBusy as error:
                log.warning("entries are counted a little later: %s", error)

    def _read(self) -> None:
        now, index = self._clock(), self._store.index
        if self._read_at is None or now - self._read_at >= READ_EVERY or index is not self._index:
            self._watched = tuple(expectations(self._store))
            self._read_at, self._index = now, index
            self._owed = Counter({each: count for each, count in self._owed.items() if each in self._watched})

    def _count(self, expectation: Expectation, count: int) -> None:
        quota = self._store.take_quota(expectation.bucket, 0.0, expectation.bound, count, expectation.since)
        if quota.granted < count or expectation.bound < 1:
            trip(self._store, expectation)
            self._read_at = None
        del self._owed[expectation]


def trip(store: Store, expectation: Expectation) -> None:
    """Pause the journey, and watch it no longer: whoever resumes it has seen how many they are. Raises StoreBusy."""
    journey, number = expectation.journey, expectation.number
    store.mark(f"{OVERRUN}{journey}:{number}", expectation.since)
    switches = store.switches()
    if journey not in switches.paused | switches.stopped:
        store.change_switches(lambda known: replace(known, paused=known.paused | {journey}))
    store.mark(f"{EXPECTED}{journey}:{number}", FINE)
    log.error("%s is paused: more than %d customers came in, %d were expected", journey, expectation.bound, number)


def _entered(changes: Changes, watched: tuple[Expectation, ...]) -> Counter[Expectation]:
    by_journey = {each.journey: each for each in watched}
    found: Counter[Expectation] = Counter()
    for change in changes.customers:
        for line in change.transitions:
            if line.type == "entered" and (each := by_journey.get(line.journey or "")) is not None:
                found[each] += timedelta(0) <= line.at - each.since < WATCHED_FOR
    return +found
