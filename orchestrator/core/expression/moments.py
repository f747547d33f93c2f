"""Dates, instants and texts that mean one: how they meet (the language reference, section 4).

A text that meets a date, an instant or a duration is read as ISO 8601; without a zone it is local in the zone in
force. A date that meets an instant is its local midnight. What cannot be read is an EvaluationError, never "now".
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from orchestrator.core.expression.scope import Value
from orchestrator.core.expression.values import describe
from orchestrator.core.time.iso import read_date
from orchestrator.core.time.zones import local, to_utc
from orchestrator.errors import BadDate, EvaluationError

MIDNIGHT: Final = time(0)
DAY: Final = timedelta(days=1)

_read = lru_cache(maxsize=8192)(read_date)
_LONGEST_REMEMBERED = 40


def read_moment(text: str, zone: ZoneInfo, offset: int) -> date | datetime:
    """The date or the UTC instant that an ISO 8601 text means. Raises EvaluationError."""
    try:
        moment = _read(text) if len(text) <= _LONGEST_REMEMBERED else read_date(text)
        if isinstance(moment, datetime) and moment.tzinfo is None:
            return to_utc(moment, zone)
        return moment
    except (ValueError, BadDate) as error:
        raise EvaluationError(str(error), offset=offset) from None


def as_moment(value: Value, zone: ZoneInfo, offset: int) -> date | datetime:
    """The date or UTC instant that a value means: itself, or a text's reading. Raises EvaluationError."""
    match value:
        case datetime():
            return as_instant(value, zone, offset)
        case date():
            return value
        case str():
            return read_moment(value, zone, offset)
        case _:
            raise EvaluationError(
                f"found {describe(value)} where a date stands; expected a date or an ISO 8601 text", offset=offset
            )


def as_instant(value: Value, zone: ZoneInfo, offset: int) -> datetime:
    """The UTC instant of a moment; a date is its local midnight. Raises EvaluationError."""
    try:
        if isinstance(value, datetime):
            if value.tzinfo is UTC:
                return value
            return to_utc(value, zone) if value.tzinfo is None else value.astimezone(UTC)
        if isinstance(value, date):
            return to_utc(datetime.combine(value, MIDNIGHT), zone)
        return as_instant(as_moment(value, zone, offset), zone, offset)
    except (BadDate, OverflowError, ValueError) as error:
        raise EvaluationError(f"{describe(value)} is no usable instant: {error}", offset=offset) from None


@lru_cache(maxsize=8192)
def _bare_day(text: str) -> date | None:
    """The day that a text without a time names, else None."""
    try:
        moment = read_date(text)
    except ValueError:
        return None
    return None if isinstance(moment, datetime) else moment


def as_day(value: Value, zone: ZoneInfo, offset: int) -> date:
    """The local date of a moment. Raises EvaluationError."""
    if type(value) is str and len(value) <= _LONGEST_REMEMBERED and (day := _bare_day(value)) is not None:
        return day  # as date properties come with most events: no zone has a part in it
    moment = as_moment(value, zone, offset)
    return local_wall(moment, zone, offset).date() if isinstance(moment, datetime) else moment


def local_wall(instant: datetime, zone: ZoneInfo, offset: int) -> datetime:
    """The naive wall-clock time of an instant. Raises EvaluationError beyond the calendar's ends."""
    try:
        return local(instant, zone)
    except BadDate as error:
        raise EvaluationError(str(error), offset=offset) from None


def shifted(moment: date | datetime, by: timedelta, zone: ZoneInfo, offset: int) -> date | datetime:
    """A moment later by a duration: a date stays one for whole days, else it becomes an instant."""
    try:
        if isinstance(moment, datetime):
            return as_instant(moment, zone, offset) + by
        if not by % DAY:
            return moment + by
        return as_instant(moment, zone, offset) + by
    except OverflowError:
        raise EvaluationError(
            "the result lies outside the years 1 to 9999; use a date within them", offset=offset
        ) from None


def between(later: date | datetime, earlier: date | datetime, zone: ZoneInfo, offset: int) -> int | timedelta:
    """Days between two dates; else the duration between two instants."""
    if isinstance(later, datetime) or isinstance(earlier, datetime):
        return as_instant(later, zone, offset) - as_instant(earlier, zone, offset)
    return (later - earlier).days


def comparable(
    left: date | datetime, right: date | datetime, zone: ZoneInfo, offset: int
) -> tuple[date, date] | tuple[datetime, datetime]:
    """Both as dates, or both as instants."""
    if isinstance(left, datetime) or isinstance(right, datetime):
        return as_instant(left, zone, offset), as_instant(right, zone, offset)
    return left, right
