"""A week of local time by the minute: what quiet hours cover of it, holidays aside."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time
from typing import Final

from orchestrator.core.time.quiet import QuietHours, QuietTimes, QuietWindow

_DAY: Final = 24 * 60
WEEK: Final = 7 * _DAY
"""Minutes."""


def minutes_of(quiet: QuietHours | QuietTimes) -> frozenset[int]:
    """The minutes of a week, from Monday 0:00, that are quiet."""
    if isinstance(quiet, QuietTimes):
        return minutes_in(quiet.windows)
    return minutes_in((QuietWindow(quiet.start, quiet.end),)) if quiet.start != quiet.end else frozenset()


def minutes_in(windows: Iterable[QuietWindow]) -> frozenset[int]:
    """The minutes of a week that windows cover; those that start on Sunday may end on Monday."""
    found: set[int] = set()
    for window in windows:
        length = (_minute(window.end) - _minute(window.start)) % _DAY or _DAY
        for day in window.days if window.days is not None else range(7):
            start = day * _DAY + _minute(window.start)
            found.update(minute % WEEK for minute in range(start, start + length))
    return frozenset(found)


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute
