"""Whether it was quiet by the clock on the wall: the second opinion of the proof report.

The engine works quiet hours out as stretches of UTC (orchestrator.core.time.quiet). This looks at the face of the
clock, the day of the week and the calendar instead, and shares none of that code, so that a mistake there is found
here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from orchestrator.core.time.holiday_dates import Calendar, holiday_year
from orchestrator.core.time.quiet import Quiet, QuietHours, QuietWindow, Reading

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_LONGEST_FOLD = 25 * 60


def was_quiet(at: datetime, zone: ZoneInfo, quiet: Quiet) -> bool:
    """Whether an instant lies in quiet hours in a zone."""
    if isinstance(quiet, QuietHours):
        daily = (QuietWindow(quiet.start, quiet.end),) if quiet.start != quiet.end else ()
        readings: tuple[Reading, ...] = (Reading(daily),)
    else:
        readings = quiet.readings
    face = _face(at, zone)
    return any(
        _starts(day, window) <= face < _ends(day, window)
        for day in (face.date() - _DAY, face.date())
        for windows, calendar, zones in readings
        if zones is None or zone in zones
        for window in _windows_on(day, windows, calendar)
    )


def _face(at: datetime, zone: ZoneInfo) -> datetime:
    """What the clock shows. In an hour that comes twice, quiet hours start and end at the first of the two: the second
    is as the last moment of the first."""
    wall = at.astimezone(zone)
    face = wall.replace(tzinfo=None)
    if not wall.fold:
        return face
    ends = face.replace(second=0, microsecond=0)
    for _ in range(_LONGEST_FOLD):
        ends += _MINUTE
        local = ends.replace(tzinfo=zone)
        if local.utcoffset() == local.replace(fold=1).utcoffset():
            break
    return ends - timedelta(microseconds=1)


def _windows_on(day: date, windows: tuple[QuietWindow, ...], calendar: Calendar | None) -> Iterator[QuietWindow]:
    weekday = day.weekday()
    if calendar is not None:
        year = holiday_year(calendar, day.year)
        if day in year.off:
            yield QuietWindow(time(0), time(0))
        if day in year.working:
            weekday = 0
    yield from (window for window in windows if window.days is None or weekday in window.days)


def _starts(day: date, window: QuietWindow) -> datetime:
    return datetime.combine(day, window.start)


def _ends(day: date, window: QuietWindow) -> datetime:
    return datetime.combine(day if window.end > window.start else day + _DAY, window.end)
