"""Quiet times found by looking at the clock again and again: an oracle that shares nothing with the engine.

Every quarter of an hour of UTC has a face of the clock in the zone. A local time of a day is the first of these
instants at which the clock shows it or something later, which is the rule of gaps (their end) and folds (the first of
the two). All rules of these tests begin and end on quarters, as the offsets of zones do.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)


class Part(NamedTuple):
    """Windows (start, end, days; Monday 0, None: all) with the calendars that read them: (country, part of it)."""

    windows: tuple[tuple[time, time, frozenset[int] | None], ...]
    calendars: tuple[tuple[str, str | None], ...] = ()


@cache
def _year(country: str, part: str | None, year: int) -> tuple[frozenset[date], frozenset[date]]:
    found = holidays.country_holidays(country, subdiv=part, years=year, expand=False)
    return frozenset(found), frozenset(found.weekend_workdays)


class ByTheMinute:
    """Whether it is quiet, for each quarter from `since` on, of a zone."""

    def __init__(self, since: datetime, days: int, zone: ZoneInfo, parts: Iterable[Part]) -> None:
        self.since = since
        # Windows that began before, and ends after, are looked at, too.
        first, count = since - 2 * DAY, (days + 4) * 96
        faces = [(first + n * QUARTER).astimezone(zone).replace(tzinfo=None) for n in range(count)]
        latest = list(accumulate(faces, max))
        quiet = [False] * count
        day = faces[0].date()
        while day <= faces[-1].date():
            for start, end in self._windows(day, parts):
                ends_on = day if end > start else day + DAY
                begin = bisect_left(latest, datetime.combine(day, start))
                over = bisect_left(latest, datetime.combine(ends_on, end))
                quiet[begin:over] = [True] * (over - begin)
            day += DAY
        self.quarters: Sequence[bool] = quiet[2 * 96 : (days + 2) * 96]

    @staticmethod
    def _windows(day: date, parts: Iterable[Part]) -> Iterable[tuple[time, time]]:
        for windows, calendars in parts:
            for calendar in calendars or (None,):
                off, worked = _year(*calendar, day.year) if calendar is not None else (frozenset(), frozenset())
                if day in off:
                    yield time(0), time(0)
                weekday = 0 if day in worked else day.weekday()
                for start, end, days in windows:
                    if days is None or weekday in days:
                        yield start, end

    def at(self, moment: datetime) -> bool:
        """Whether it is quiet."""
        return self.quarters[(moment - self.since) // QUARTER]

    def next(self, moment: datetime, quiet: bool) -> datetime | None:
        """The first quarter from an instant on at which it is quiet, or is not; None: not within the time looked at."""
        return first(self.since, self.quarters, moment, quiet)


def first(since: datetime, quarters: Sequence[bool], moment: datetime, quiet: bool) -> datetime | None:
    """The first quarter from `moment` on that is quiet, or is not."""
    begin = -((since - moment) // QUARTER)
    found = next((n for n in range(begin, len(quarters)) if quarters[n] is quiet), None)
    return None if found is None else since + found * QUARTER


def in_any(oracles: Sequence[ByTheMinute]) -> list[bool]:
    """Quiet in one of several zones."""
    return [any(each) for each in zip(*(oracle.quarters for oracle in oracles), strict=True)]
