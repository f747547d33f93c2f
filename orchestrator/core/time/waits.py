"""When a wait for time ends: pure computations from a base instant and a zone.

The language reference, section 5: `until: "HH:MM"`, `until: DATE` and `window`. Whether an end is *past*, and what
follows then, is the engine's to say; these functions only compute.

Weekdays are `date.weekday()` numbers, Monday 0; `days=None` means every day. An empty set is a ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from orchestrator.core.time.durations import Duration, shift_days
from orchestrator.core.time.iso import read_date, shown
from orchestrator.core.time.zones import local, to_utc
from orchestrator.errors import BadDate
from orchestrator.records import dataclass

_DAY = timedelta(days=1)
# Every weekday comes within a week; twice that where a gap swallows the one that was meant.
_SEARCHED_DAYS = 16


@dataclass(frozen=True, slots=True)
class Window:
    """A daily window of local time, `start` inclusive, `end` exclusive.

    With `end` at or before `start` it runs to the next day's `end`; with both equal it is the whole day.
    """

    start: time
    end: time

    def on(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The instants at which the window that starts on this local day opens and closes.

        They are equal, and the window is never open, where a DST gap swallows it. Raises OverflowError after the
        year 9999.
        """
        last_day = day if self.end > self.start else day + _DAY
        return to_utc(datetime.combine(day, self.start), zone), to_utc(datetime.combine(last_day, self.end), zone)


def next_time_of_day(base: datetime, zone: ZoneInfo, at: time, days: frozenset[int] | None = None) -> datetime:
    """The first instant at or after `base` at which the local time is `at`, on one of `days`.

    In a gap that is the first instant after it, in a fold the first of the two only. The weekday is that of the day
    named, also where a gap moves the instant past midnight.
    """
    for day in _days_around(base, zone, days):
        ends_at = to_utc(datetime.combine(day, at), zone)
        if ends_at >= base:
            return ends_at
    raise _no_end(base)


def window_start(base: datetime, zone: ZoneInfo, window: Window, days: frozenset[int] | None = None) -> datetime:
    """`base` itself while the window is open, else the instant at which it next opens.

    `days` names the days on which the window may start: "22:00-06:00" on Friday is open on Saturday at 05:00.
    """
    for day in _days_around(base, zone, days):
        opens_at, closes_at = window.on(day, zone)
        if closes_at > base and closes_at > opens_at:
            return max(opens_at, base)
    raise _no_end(base)


def date_end(
    value: object,
    zone: ZoneInfo,
    *,
    offset: Duration | None = None,
    at: time | None = None,
    days: frozenset[int] | None = None,
) -> datetime:
    """The instant that `until: DATE` names: `offset`, then `at` replaces the time of day, then on to a listed day.

    `value` is a date (00:00 where there is no `at`), a datetime (without a zone: local in `zone`), or either as ISO
    text. Raises BadDate for anything else, none included: a date that cannot be read is never "now". Raises
    ValueError for an `offset` in hours, minutes or seconds beside `at`, which lint refuses.
    """
    if type(value) is date:
        return _day_end(value, zone, offset, at, days)
    return _moment_end(value, zone, offset, at, days)


def _moment_end(
    value: object, zone: ZoneInfo, offset: Duration | None, at: time | None, days: frozenset[int] | None
) -> datetime:
    if offset is not None and at is not None and offset.has_elapsed:
        raise ValueError(f"the offset '{offset}' holds hours, minutes or seconds and cannot stand beside 'at'")
    if days is not None and not days:
        raise ValueError("no day is listed")
    moment = read_moment(value)
    try:
        if offset is not None:
            moment = _moved(moment, offset, zone)
        if at is not None:
            moment = datetime.combine(_wall(moment, zone).date(), at)
        if days is not None and (wall := _wall(moment, zone)).weekday() not in days:
            moment = wall + _DAY * min((day - wall.weekday()) % 7 for day in days)
    except OverflowError:
        raise BadDate(f"the date {shown(str(value))} is moved outside the years 1 to 9999") from None
    return to_utc(moment, zone) if moment.tzinfo is None else moment


_day_end = lru_cache(maxsize=16_384)(_moment_end)
"""The same of a date, remembered: customers share their dates, and nothing else has a part in it."""


def read_moment(value: object) -> datetime:
    """What a value says of time: an aware datetime for an instant, a naive one for a local time (a date's is 00:00).

    Raises BadDate, with what was found and what was expected, for all that is neither date, datetime nor ISO text.
    """
    match value:
        case datetime() if value.tzinfo is None:
            return value
        case datetime():
            return _in_utc(value)
        case date():
            return datetime(value.year, value.month, value.day)
        case str():
            try:
                moment = read_date(value)
            except ValueError as error:
                raise BadDate(str(error)) from None
        case None:
            raise BadDate("the date is missing; give the attribute a value, or guard the wait with an `if`")
        case bool():
            raise BadDate(f"found {value} where a date is needed; expected an ISO date such as '2026-03-01'")
        case int() | float():
            number = f"{value:.15g}" if isinstance(value, float) or value.bit_length() <= 64 else "of many digits"
            raise BadDate(
                f"found the number {number} where a date is needed; send dates as ISO text such as"
                " '2026-03-01T10:00:00Z', not as seconds or milliseconds from 1970"
            )
        case _:
            raise BadDate(f"found {shown(value)} where a date is needed; expected an ISO date such as '2026-03-01'")
    return moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise BadDate(f"the date {moment.isoformat()} lies outside the years 1 to 9999 in UTC") from None


def _moved(moment: datetime, offset: Duration, zone: ZoneInfo) -> datetime:
    """An offset on a local time stays local (02:30 + 1d is 02:30 even from a gap) until an elapsed part is added."""
    if moment.tzinfo is not None:
        return offset.after(moment, zone)
    wall = shift_days(moment, offset.months, offset.days)
    return to_utc(wall, zone) + offset.elapsed if offset.has_elapsed else wall


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment if moment.tzinfo is None else local(moment, zone)


def _days_around(base: datetime, zone: ZoneInfo, days: frozenset[int] | None) -> Iterator[date]:
    """The local days to look at, in order.

    From the day before the base's: its window may cross midnight, and a gap at midnight (in Apia a whole day) moves
    its times into the base's own day.
    """
    if days is not None and not days:
        raise ValueError("no day is listed")
    day = local(base, zone).date()
    for count in range(-1, _SEARCHED_DAYS):
        try:
            candidate = day + _DAY * count
        except OverflowError:
            return
        if days is None or candidate.weekday() in days:
            yield candidate


def _no_end(base: datetime) -> BadDate:
    return BadDate(f"a wait from {base.isoformat()} ends outside the years 1 to 9999; use a date within them")
