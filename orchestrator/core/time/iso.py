"""Instants, dates and offsets as text: ISO 8601 and RFC 3339, and the `+30m` of scenarios and tests.

Writing is the form that every machine output uses: `2026-03-01T10:00:00Z`. Reading comes in two strictnesses:
`parse_instant` for files and protocols (a zone is required), `read_date` for what people's data holds (a date, or a
local time, or an instant). Both raise ValueError with what was found and what to write instead.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from orchestrator.core.time.durations import parse_fixed

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,12})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}")
_DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,12})?)?"
    r"\s?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_NO_ZONE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]{5,}")
_LEAP_SECOND = re.compile(r".*[0-9]{2}:[0-9]{2}:60")
_YEAR_OF_FIVE = re.compile(r"[+-]?[0-9]{5,}-[0-9]{2}-[0-9]{2}")
_SLASHES = re.compile(r"[0-9]{1,4}[./][0-9]{1,2}[./][0-9]{1,4}")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_SIGNED = re.compile(r"[+-][0-9]")
_SHOWN = 40

_EXPECTED_INSTANT = "expected an instant with a zone, such as '2026-03-01T10:00:00Z' or '2026-03-01T18:00:00+08:00'"
_EXPECTED_DATE = "expected an ISO date or datetime, such as '2026-03-01' or '2026-03-01T10:00'"


def format_instant(instant: datetime) -> str:
    """`2026-03-01T10:00:00Z`; a fraction only when it is not zero, in milli- or else microseconds.

    Raises ValueError for a datetime without a zone: which instant it means would be a guess.
    """
    if instant.tzinfo is not UTC:
        if instant.utcoffset() is None:
            raise ValueError(f"{instant.isoformat()} has no zone, so that it is no instant")
        instant = instant.astimezone(UTC)
    return _written(instant)


@lru_cache(maxsize=8192)
def _written(instant: datetime) -> str:
    """Remembered, because much happens at one instant; in UTC only, where equal datetimes are the same instant."""
    if not instant.microsecond:
        return instant.isoformat()[:19] + "Z"
    if instant.microsecond % 1000:
        return instant.isoformat()[:26] + "Z"
    return instant.isoformat()[:23] + "Z"


def parse_instant(text: str) -> datetime:
    """The UTC instant of an RFC 3339 text: zone required, `T` or a space, fractions cut to microseconds."""
    if not isinstance(text, str) or not _INSTANT.fullmatch(text):
        raise ValueError(_complaint(text, _EXPECTED_INSTANT))
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(_complaint(text, _EXPECTED_INSTANT, str(error))) from None


def parse_offset(text: str) -> timedelta:
    """The signed offset of a scenario or test (`+30m`, `-40d`, `+0s`); `d` is 24 hours, `w` is 168."""
    if not isinstance(text, str):
        raise ValueError(f"found {type(text).__name__} where an offset stands; expected one such as '+30m' or '-40d'")
    if not _SIGNED.match(text):
        fixed = parse_fixed(text)
        assert fixed >= timedelta(0)
        raise ValueError(f"found the offset {shown(text)} without a sign; did you mean '+{text}'?")
    return parse_fixed(text, negative=True)


def read_date(text: str) -> date | datetime:
    """What an ISO text means: a date, a naive (local) datetime, or an aware one in UTC where it names its offset.

    Raises ValueError for anything else: leap seconds, years outside 1 to 9999, epochs, other orders of day and month.
    """
    bare = text.strip() if len(text) <= 2 * _SHOWN else text
    try:
        if _DATE.fullmatch(bare):
            return date.fromisoformat(bare)
        if _DATETIME.fullmatch(bare):
            moment = datetime.fromisoformat(bare.upper().replace(",", ".").replace(" ", "T", 1).replace(" ", ""))
            return moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(_complaint(bare, _EXPECTED_DATE, str(error))) from None
    raise ValueError(_complaint(bare, _EXPECTED_DATE))


def shown(value: object) -> str:
    """A value as an error message quotes it: printable, and cut where it is long."""
    if isinstance(value, str):
        value = value if len(value) <= _SHOWN else value[: _SHOWN - 3] + "..."
        return ascii(value) if not value.isprintable() else f"'{value}'"
    return type(value).__name__


def _complaint(text: object, expected: str, reason: str = "") -> str:
    found = f"found {shown(text)}"
    if not isinstance(text, str) or len(text) > 2 * _SHOWN:
        return f"{found}; {expected}"
    if _LEAP_SECOND.match(text):
        return f"{found}: a minute has the seconds 00 to 59 here; write the leap second as the next minute's :00"
    if _YEAR_OF_FIVE.match(text):
        return f"{found}: years go from 0001 to 9999; {expected}"
    if _NUMBER.fullmatch(text):
        return f"{found}, a bare number; if it counts seconds or milliseconds from 1970, convert it first; {expected}"
    if _SLASHES.match(text):
        return f"{found}: day and month could be either; {expected}"
    if reason.startswith("offset"):
        return f"{found}: an offset from UTC is less than 24 hours; {expected}"
    if reason:
        return f"{found}: {reason}; {expected}"
    if expected is _EXPECTED_INSTANT and _NO_ZONE.fullmatch(text):
        return f"{found} without a zone; {expected}"
    return f"{found}; {expected}"
