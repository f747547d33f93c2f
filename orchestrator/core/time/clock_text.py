"""Times of day, daily windows and weekdays as people write them: `"09:00"`, `"22:00-06:00"`, `[mon..fri]`.

Each reader raises ValueError that says what was found, what was expected and the nearest right spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import time
from typing import Final

from orchestrator.core.time.iso import shown
from orchestrator.core.time.waits import Window

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The names of the weekdays, Monday first: a day's place is its `date.weekday()`."""

_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_LOOSE_TIME = re.compile(r"([0-9]{1,2})(?:[:.h]?([0-9]{2}))?\s*h?\s*([ap])?\.?m?\.?", re.IGNORECASE)
_EXPECTED_TIME = "expected a time of day from '00:00' to '23:59'"
_EXPECTED_DAYS = f"expected days out of {', '.join(DAYS)}, or a range such as 'mon..fri'"
_RANGE = re.compile(r"([^\W\d_]+)\s*(?:\.{2,3}|-|–|to|bis)\s*([^\W\d_]+)", re.IGNORECASE)
_GROUPS = {"weekday": "mon..fri", "weekdays": "mon..fri", "workdays": "mon..fri", "weekend": "sat..sun"}
_GROUPS |= {"weekends": "sat..sun", "daily": "mon..sun", "all": "mon..sun", "every day": "mon..sun"}


def parse_time_of_day(text: str, *, end: bool = False) -> time:
    """Reads `09:00`, `9:00` or `09:00:30`. With `end`, `24:00` is the midnight at which a day ends (`time(0)`)."""
    match = _TIME.fullmatch(text.strip()) if isinstance(text, str) and len(text) < 40 else None
    if match is None:
        raise ValueError(f"found {shown(text)} where a time of day stands; {_EXPECTED_TIME}{_nearest_time(text)}")
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if (hour, minute, second) == (24, 0, 0):
        if end:
            return time(0)
        raise ValueError(f"found '{text}' where a time of day stands; the day begins at '00:00'")
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"found '{text}', which no clock shows; {_EXPECTED_TIME}")
    return time(hour, minute, second)


def parse_window(text: str) -> Window:
    """Reads `08:00-20:00`; `22:00-06:00` crosses midnight; `00:00-24:00` is the whole day."""
    halves = re.split(r"\s*(?:-|–|\.\.)\s*", text.strip()) if isinstance(text, str) and len(text) < 80 else []
    if len(halves) != 2:
        raise ValueError(f"found {shown(text)} where a window stands; expected two times such as '08:00-20:00'")
    start, end = parse_time_of_day(halves[0]), parse_time_of_day(halves[1], end=True)
    if start == end and not halves[1].startswith("24"):
        raise ValueError(f"found the window '{text}', which is never open; a whole day is '00:00-24:00'")
    if start == end and start != time(0):
        raise ValueError(f"found the window '{text}', which is never open; a whole day is '00:00-24:00'")
    return Window(start, end)


def parse_days(value: object) -> frozenset[int]:
    """Reads `on:`: a day, a range (`mon..fri`, also `fri..mon`) or a list of these, as `date.weekday()` numbers."""
    if isinstance(value, str):
        return _parse_day_or_range(value)
    if not isinstance(value, Iterable) or isinstance(value, (dict, bytes)):
        raise ValueError(f"found {shown(value)} where days stand; {_EXPECTED_DAYS}")
    found: frozenset[int] = frozenset()
    for item in value:
        found |= _parse_day_or_range(item)
    if not found:
        raise ValueError(f"found an empty list of days; {_EXPECTED_DAYS}; without 'on' every day counts")
    return found


def _parse_day_or_range(item: object) -> frozenset[int]:
    if isinstance(item, str):
        if item in DAYS:
            return frozenset({DAYS.index(item)})
        first, separator, last = item.partition("..")
        if separator and first in DAYS and last in DAYS:
            start, length = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7
            return frozenset((start + step) % 7 for step in range(length + 1))
    raise ValueError(f"found {shown(item)} where a day stands; {_EXPECTED_DAYS}{_nearest_day(item)}")


def _nearest_day(item: object) -> str:
    if not isinstance(item, str) or len(item) > 40:
        return ""
    word = item.strip().lower()
    if word in _GROUPS:
        return f"; did you mean '{_GROUPS[word]}'?"
    if match := _RANGE.fullmatch(word):
        first, last = match[1][:3], match[2][:3]
        return f"; did you mean '{first}..{last}'?" if first in DAYS and last in DAYS else ""
    return f"; did you mean '{word[:3]}'?" if word[:3] in DAYS else ""


def _nearest_time(text: object) -> str:
    match = _LOOSE_TIME.fullmatch(text.strip()) if isinstance(text, str) and len(text) < 40 else None
    if match is None:
        return ""
    hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            return ""
        hour = hour % 12 + (12 if half == "p" else 0)
    return f"; did you mean '{hour:02}:{minute:02}'?" if hour < 24 and minute < 60 else ""
