"""When a date trigger comes next: birthdays, anniversaries, renewals, in either calendar.

The language reference, section 2: `date: customer.birthday` with `offset`, `at`, `every: once | year | month`,
`calendar: gregorian | chinese`. The anchor day is kept: a 31st falls on each month's last day, and 29 February on
28 February or 1 March of common years, as settings.leap_day says.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Literal, NamedTuple, assert_never
from zoneinfo import ZoneInfo

from orchestrator.core.time.durations import Duration, shift_days
from orchestrator.core.time.lunar import gregorian_date, lunar_day
from orchestrator.core.time.waits import read_moment
from orchestrator.core.time.zones import local, to_utc
from orchestrator.errors import BadDate

Every = Literal["once", "year", "month"]
CalendarName = Literal["gregorian", "chinese"]
LeapDay = Literal["feb28", "mar1"]

# A turn of the calendar is at most this far from where the average year puts it: lunar years differ by a month.
_SLACK_YEARS = 2
_SLACK_MONTHS = 3


class DateOccurrence(NamedTuple):
    """One turn of a date trigger."""

    date: date
    """The anniversary itself, before the offset: the occurrence's identity."""
    at: datetime
    """The UTC instant at which it enters."""


def next_date_occurrence(
    value: object,
    every: Every,
    calendar: CalendarName,
    offset: Duration | None,
    at: time,
    zone: ZoneInfo,
    leap_day: LeapDay,
    after: datetime,
) -> DateOccurrence | None:
    """The first occurrence whose instant lies strictly after the UTC instant `after`; None when none comes.

    `value` is a date, a datetime (its local date in `zone` counts) or ISO text; the date itself is the first
    occurrence. The instant is `at` on the anniversary moved by the offset's calendar part, plus its elapsed part.
    None also where the lunar tables or the calendar's year 9999 end. Raises BadDate for a value that is no date.
    """
    moment = read_moment(value)
    anchor = (moment if moment.tzinfo is None else local(moment, zone)).date()
    seen = _day_before(after, zone, offset)
    try:
        for day in _anniversaries(anchor, every, calendar, leap_day, seen):
            moved = day if offset is None else offset.on_date(day)
            enters_at = to_utc(datetime.combine(moved, at), zone)
            if offset is not None:
                enters_at += offset.elapsed
            if enters_at > after:
                return DateOccurrence(day, enters_at)
    except (BadDate, OverflowError):
        return None
    return None


def _day_before(after: datetime, zone: ZoneInfo, offset: Duration | None) -> date:
    """A date that the offset surely leads to before `after`: where to begin looking."""
    try:
        around = local(after, zone) - timedelta(days=3)
        if offset is not None:
            around -= offset.roughly * 1.01 if offset.positive() else offset.roughly * 0.99
        return around.date()
    except OverflowError:
        return date.min if offset is not None and offset.positive() else date.max


def _anniversaries(anchor: date, every: Every, calendar: CalendarName, leap_day: LeapDay, seen: date) -> Iterator[date]:
    """The anchor, then its returns in order, without most of those before `seen`."""
    yield anchor
    match every:
        case "once":
            return
        case "year":
            if calendar == "chinese":
                yield from _lunar_years(anchor, seen)
            else:
                for years in range(max(1, seen.year - anchor.year - _SLACK_YEARS), 10000 - anchor.year):
                    yield _in_year(anchor, anchor.year + years, leap_day)
        case "month":
            if calendar == "chinese":
                yield from _lunar_months(anchor, seen)
            else:
                passed = (seen.year - anchor.year) * 12 + seen.month - anchor.month
                first = datetime(anchor.year, anchor.month, anchor.day)
                for months in range(max(1, passed - _SLACK_MONTHS), (10000 - anchor.year) * 12):
                    yield shift_days(first, months, 0).date()
        case _:
            assert_never(every)


def _in_year(anchor: date, year: int, leap_day: LeapDay) -> date:
    try:
        return anchor.replace(year=year)
    except ValueError:  # 29 February of a common year
        return date(year, 3, 1) if leap_day == "mar1" else date(year, 2, 28)


def _lunar_years(anchor: date, seen: date) -> Iterator[date]:
    born = lunar_day(anchor)
    if born is None:
        return
    year = max(born.year + 1, seen.year - _SLACK_YEARS)
    while (day := gregorian_date(born._replace(year=year))) is not None:
        yield day
        year += 1


def _lunar_months(anchor: date, seen: date) -> Iterator[date]:
    """Every regular lunar month; a leap month is passed over, as for birthdays."""
    born = lunar_day(anchor)
    if born is None:
        return
    month0 = max(born.year * 12 + born.month, (seen.year - _SLACK_YEARS) * 12)
    while (day := gregorian_date(born._replace(year=month0 // 12, month=month0 % 12 + 1))) is not None:
        yield day
        month0 += 1
