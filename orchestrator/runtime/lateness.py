"""How late decisions are taken: a histogram of (instant of the decision minus due instant), in journey time."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Final, NamedTuple

BOUNDS: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 21600.0)
"""Upper bounds of the buckets in seconds; one more bucket stands for all that is later."""


class Seen(NamedTuple):
    """A histogram as Prometheus shows one: `counts` by bucket (not cumulative), `total` of all, `seconds` summed up."""

    counts: tuple[int, ...]
    total: int
    seconds: float
    worst: float


class Lateness:
    """Counts as turns are taken. Safe for several threads."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._seconds = self._worst = 0.0
        self._lock = threading.Lock()

    def observe(self, late_for: timedelta) -> None:
        """The oldest thing of a turn was taken so late."""
        seconds = max(0.0, late_for.total_seconds())
        place = next((place for place, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))
        with self._lock:
            self._counts[place] += 1
            self._seconds += seconds
            self._worst = max(self._worst, seconds)

    def seen(self) -> Seen:
        """What was counted so far."""
        with self._lock:
            return Seen(tuple(self._counts), sum(self._counts), self._seconds, self._worst)
