"""Quiet hours: whether it is quiet, until when, and when it will be again.

The language reference, sections 5 and 7: `from` inclusive, `to` exclusive, in the zone in force; for a country of
several zones it is quiet when it is quiet in *any* of them. Quiet hours start once and end once a day, by the rule
of all local times: in a gap at its end, in a fold at the first of the two.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from orchestrator.core.time.waits import Window
from orchestrator.core.time.zones import local
from orchestrator.errors import BadDate
from orchestrator.records import dataclass

_DAY = timedelta(days=1)
# A country's zones that leave no free instant in this long never will: the pattern repeats daily.
_ALWAYS_FOR = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Daily quiet time from `start` to `end`, crossing midnight where `end` is earlier.

    With both equal it is never quiet; lint refuses that spelling, because it could as well mean always.
    """

    start: time
    end: time


def quiet_until(at: datetime, zones: tuple[ZoneInfo, ...], quiet: QuietHours) -> datetime | None:
    """None when it is not quiet at `at`; else the first instant at which it is quiet in none of `zones`.

    Where the zones of a country lie so far apart that it is always quiet in one of them, the first zone alone
    decides: a message is late then, but not never.
    """
    if quiet.start == quiet.end:
        return None
    if len(zones) == 1 and _ends_in(at, zones[0], quiet) == at:  # as nearly always
        return None
    free_at = _free_from(at, zones, quiet) or _free_from(at, zones[:1], quiet)
    return free_at if free_at is not None and free_at > at else None


def next_quiet_start(at: datetime, zones: tuple[ZoneInfo, ...], quiet: QuietHours) -> datetime | None:
    """The first instant strictly after `at` at which quiet hours start in one of `zones`; None if they never do.

    Of zones that are always quiet together, the first alone counts, as for `quiet_until`.
    """
    if quiet.start == quiet.end:
        return None
    if len(zones) == 1:
        return _next_start_in(at, zones[0], quiet)
    if _free_from(at, zones, quiet) is None:
        zones = zones[:1]
    return min(_next_start_in(at, zone, quiet) for zone in zones)


def quiet_and_next(
    at: datetime, zones: tuple[ZoneInfo, ...], quiet: QuietHours
) -> tuple[datetime | None, datetime | None]:
    """(`quiet_until`, `next_quiet_start`) of an instant: every message asks for both. While it is quiet the second is
    None, because nobody needs it then."""
    if len(zones) == 1 and quiet.start != quiet.end:  # as nearly always
        for starts_at, ends_at in _hours_around(at.toordinal(), zones[0], quiet.start, quiet.end):
            if at < starts_at:
                return None, starts_at
            if at < ends_at:
                break
    free_at = quiet_until(at, zones, quiet)
    return free_at, next_quiet_start(at, zones, quiet) if free_at is None else None


def _free_from(at: datetime, zones: tuple[ZoneInfo, ...], quiet: QuietHours) -> datetime | None:
    """The first instant from `at` on at which it is quiet in none of `zones`; None where none comes."""
    free_at = at
    while free_at - at < _ALWAYS_FOR:
        ends_at = max(_ends_in(free_at, zone, quiet) for zone in zones)
        if ends_at == free_at:
            return free_at
        free_at = ends_at
    return None


def _ends_in(at: datetime, zone: ZoneInfo, quiet: QuietHours) -> datetime:
    """The end of the quiet hours that hold `at` in one zone, or `at` itself outside them."""
    for starts_at, ends_at in _hours_around(at.toordinal(), zone, quiet.start, quiet.end):
        if at < ends_at:
            return ends_at if starts_at <= at else at
    return at


def _next_start_in(at: datetime, zone: ZoneInfo, quiet: QuietHours) -> datetime:
    for starts_at, _ in _hours_around(at.toordinal(), zone, quiet.start, quiet.end):
        if at < starts_at:
            return starts_at
    hours = Window(quiet.start, quiet.end)  # a change of the clocks swallowed them
    day = local(at, zone).date() - _DAY
    while True:
        starts_at, ends_at = hours.on(day, zone)
        if at < starts_at < ends_at:
            return starts_at
        day += _DAY


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
