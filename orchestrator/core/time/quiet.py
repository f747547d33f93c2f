"""Quiet hours: whether it is quiet, until when, and when it will be again.

The language reference, sections 5 and 7: `from` inclusive, `to` exclusive, in the zone in force; for a country of
several zones it is quiet when it is quiet in *any* of them. Quiet hours start once and end once a day, by the rule
of all local times: in a gap at its end, in a fold at the first of the two.

`QuietHours` are the same every day, as most projects have them. `QuietTimes` are any number of windows on chosen days
and whole holidays together: what a project that keeps the rules of countries (`compliance:`) comes to at one place.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from orchestrator.core.time.holiday_dates import Calendar, holiday_year
from orchestrator.core.time.waits import Window
from orchestrator.core.time.zones import local
from orchestrator.errors import BadDate
from orchestrator.records import dataclass

_DAY = timedelta(days=1)
# A country's zones that leave no free instant in this long never will: the pattern repeats daily.
_ALWAYS_FOR = timedelta(days=3)
# Where holidays count too, the longest of them are over by then.
_HOLIDAYS_FOR = timedelta(days=40)
# How far ahead a next quiet time is looked for: every holiday comes within it.
_YEAR_AHEAD = 372


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Daily quiet time from `start` to `end`, crossing midnight where `end` is earlier.

    With both equal it is never quiet; lint refuses that spelling, because it could as well mean always.
    """

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class QuietWindow:
    """Quiet from `start` to `end` of the days on which it starts (Monday 0; None: every day), crossing midnight where
    `end` is earlier. With both equal it is the whole day."""

    start: time
    end: time
    days: frozenset[int] | None = None


class Reading(NamedTuple):
    """Windows as one calendar reads them. A day that the calendar makes a working day counts as a Monday for its own
    windows, and for no others; None: no calendar moves them. `zones`: in which alone they hold; None: in all."""

    windows: tuple[QuietWindow, ...]
    calendar: Calendar | None = None
    zones: frozenset[ZoneInfo] | None = None


class QuietTimes:
    """Windows and whole holidays together: it is quiet when it is so by any of them.

    `calendars` are those whose holidays are quiet from midnight to midnight; on a weekend day that one of them makes a
    working day, its windows of weekends do not count, and those of Monday do. Where several calendars read the same
    windows, each does so for itself. Equal are two that say the same; their hash is kept, because everything that is
    worked out about them is found by it.
    """

    __slots__ = ("_hash", "calendars", "readings", "windows")

    def __init__(self, windows: tuple[QuietWindow, ...], calendars: tuple[Calendar, ...] = ()) -> None:
        self._read([Reading(windows, calendar) for calendar in calendars or (None,)])

    @classmethod
    def of(cls, readings: Iterable[Reading]) -> QuietTimes:
        """Several together."""
        made = cls.__new__(cls)
        made._read(readings)
        return made

    def _read(self, readings: Iterable[Reading]) -> None:
        found: dict[tuple[Calendar | None, frozenset[ZoneInfo] | None], dict[QuietWindow, None]] = {}
        for windows, calendar, zones in readings:
            found.setdefault((calendar, zones), {}).update(dict.fromkeys(windows))
        made = [
            Reading(tuple(sorted(windows, key=_by_start)), calendar, zones)
            for (calendar, zones), windows in found.items()
            if windows or calendar is not None
        ]
        self.readings = tuple(sorted(made, key=_by_calendar))
        self.windows = tuple(sorted({window for r in made for window in r.windows}, key=_by_start))
        self.calendars = tuple(sorted({r.calendar for r in made if r.calendar is not None}, key=_by_country))
        self._hash = hash(self.readings)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, QuietTimes) and self.readings == other.readings)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"QuietTimes({self.readings!r})"

    def on(self, day: date, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
        """The quiet times that start on a local day, in order of their starts; those that a gap swallows are left
        out."""
        quiet: dict[Window, None] = {}
        for windows, calendar, zones in self.readings:
            if zones is not None and zone not in zones:
                continue
            weekday = day.weekday()
            if calendar is not None:
                year = holiday_year(calendar, day.year)
                if day in year.off:
                    quiet[_WHOLE_DAY] = None
                if day in year.working:
                    weekday = 0
            quiet.update((Window(w.start, w.end), None) for w in windows if w.days is None or weekday in w.days)
        found = (window.on(day, zone) for window in quiet)
        return sorted((starts_at, ends_at) for starts_at, ends_at in found if starts_at < ends_at)


def _by_start(window: QuietWindow) -> tuple[time, time, list[int]]:
    return window.start, window.end, sorted(window.days or ())


def _by_country(calendar: Calendar) -> tuple[str, str]:
    return calendar.country, calendar.region or ""


def _by_calendar(reading: Reading) -> tuple[tuple[str, str], list[str]]:
    key = _by_country(reading.calendar) if reading.calendar is not None else ("", "")
    return key, sorted(zone.key for zone in reading.zones or ())


Quiet: TypeAlias = QuietHours | QuietTimes
_WHOLE_DAY = Window(time(0), time(0))


def quiet_until(at: datetime, zones: tuple[ZoneInfo, ...], quiet: Quiet) -> datetime | None:
    """None when it is not quiet at `at`; else the first instant at which it is quiet in none of `zones`.

    Where the zones of a country lie so far apart that it is always quiet in one of them, the first zone alone
    decides: a message is late then, but not never.
    """
    if _never(quiet):
        return None
    if len(zones) == 1 and _ends_in(at, zones[0], quiet) == at:  # as nearly always
        return None
    free_at = _free_from(at, zones, quiet) or _free_from(at, _kept(at, zones, quiet), quiet)
    if free_at is None:  # rules that leave no free time at all, which lint refuses: not now, whatever comes
        return at + _HOLIDAYS_FOR
    return free_at if free_at > at else None


def next_quiet_start(at: datetime, zones: tuple[ZoneInfo, ...], quiet: Quiet) -> datetime | None:
    """The first instant strictly after `at` at which quiet hours start in one of `zones`; None if they never do, or not
    within a year.

    Of zones that are always quiet together, the first alone counts, as for `quiet_until`.
    """
    if _never(quiet):
        return None
    if len(zones) == 1:
        return _next_start_in(at, zones[0], quiet)
    if _free_from(at, zones, quiet) is None:
        zones = _kept(at, zones, quiet)
    return min((found for zone in zones if (found := _next_start_in(at, zone, quiet)) is not None), default=None)


def quiet_and_next(at: datetime, zones: tuple[ZoneInfo, ...], quiet: Quiet) -> tuple[datetime | None, datetime | None]:
    """(`quiet_until`, `next_quiet_start`) of an instant: every message asks for both. While it is quiet the second is
    None, because nobody needs it then."""
    if len(zones) == 1 and not _never(quiet):  # as nearly always
        for starts_at, ends_at in _times_of(at.toordinal(), zones[0], quiet):
            if at < starts_at:
                return None, starts_at
            if at < ends_at:
                break
    free_at = quiet_until(at, zones, quiet)
    return free_at, next_quiet_start(at, zones, quiet) if free_at is None else None


def _never(quiet: Quiet) -> bool:
    """Whether these leave every instant free."""
    if isinstance(quiet, QuietHours):
        return quiet.start == quiet.end
    return not quiet.windows and not quiet.calendars


def _kept(at: datetime, zones: tuple[ZoneInfo, ...], quiet: Quiet) -> tuple[ZoneInfo, ...]:
    """Of zones that are always quiet together: the first; where laws hold in zones of their own, which come first, as
    many as leave some free time."""
    if isinstance(quiet, QuietTimes) and any(reading.zones is not None for reading in quiet.readings):
        for count in range(len(zones) - 1, 1, -1):
            if _free_from(at, zones[:count], quiet) is not None:
                return zones[:count]
    return zones[:1]


def _free_from(at: datetime, zones: tuple[ZoneInfo, ...], quiet: Quiet) -> datetime | None:
    """The first instant from `at` on at which it is quiet in none of `zones`; None where none comes."""
    free_at = at
    longest = _ALWAYS_FOR if isinstance(quiet, QuietHours) else _HOLIDAYS_FOR
    while free_at - at < longest:
        ends_at = max(_ends_in(free_at, zone, quiet) for zone in zones)
        if ends_at == free_at:
            return free_at
        free_at = ends_at
    return None


def _ends_in(at: datetime, zone: ZoneInfo, quiet: Quiet) -> datetime:
    """The end of the quiet hours that hold `at` in one zone, or `at` itself outside them."""
    for starts_at, ends_at in _times_of(at.toordinal(), zone, quiet):
        if at < ends_at:
            return ends_at if starts_at <= at else at
    return at


def _next_start_in(at: datetime, zone: ZoneInfo, quiet: Quiet) -> datetime | None:
    for starts_at, _ in _times_of(at.toordinal(), zone, quiet):
        if at < starts_at:
            return starts_at
    if isinstance(quiet, QuietTimes):
        return None
    hours = Window(quiet.start, quiet.end)  # a change of the clocks swallowed them
    day = local(at, zone).date() - _DAY
    while True:
        starts_at, ends_at = hours.on(day, zone)
        if at < starts_at < ends_at:
            return starts_at
        day += _DAY


def _times_of(day: int, zone: ZoneInfo, quiet: Quiet) -> tuple[tuple[datetime, datetime], ...]:
    if isinstance(quiet, QuietHours):
        return _hours_around(day, zone, quiet.start, quiet.end)
    return _times_around(day, zone, quiet)


@lru_cache(maxsize=16_384)
def _hours_around(day: int, zone: ZoneInfo, start: time, end: time) -> tuple[tuple[datetime, datetime], ...]:
    """When it is quiet around a day of UTC, by its ordinal: (first instant, end) of every quiet time, in order.

    Remembered, because every message of a day asks for the same ones. Times that a gap swallows are left out.
    """
    hours = Window(start, end)
    found = []
    for count in range(day - 2, day + 4):
        with suppress(OverflowError, ValueError, BadDate):  # the calendar ends
            starts_at, ends_at = hours.on(date.fromordinal(count), zone)
            if starts_at < ends_at:
                found.append((starts_at, ends_at))
    return tuple(found)


@lru_cache(maxsize=16_384)
def _times_around(day: int, zone: ZoneInfo, quiet: QuietTimes) -> tuple[tuple[datetime, datetime], ...]:
    """The same of windows and holidays: quiet times that touch are one, and the last of them starts after this day of
    UTC is over, so that all before it have their true end, however long a row of holidays is.
    """
    over_at = datetime.fromordinal(day).replace(tzinfo=UTC) + _DAY
    found: list[tuple[datetime, datetime]] = []
    for count in range(day - 2, day + _YEAR_AHEAD):
        with suppress(OverflowError, ValueError, BadDate):  # the calendar ends
            for starts_at, ends_at in quiet.on(date.fromordinal(count), zone):
                if found and starts_at <= found[-1][1]:
                    found[-1] = found[-1][0], max(found[-1][1], ends_at)
                else:
                    found.append((starts_at, ends_at))
        if count >= day + 3 and found and found[-1][0] > over_at:
            break
    return tuple(found)
