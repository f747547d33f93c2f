"""Timestamps as Segment's clients send them, and what they mean: `receivedAt - (sentAt - originalTimestamp)`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.core.time.iso import shown

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)
"""What any later instant is read as: the future, which nothing that happened can lie in."""

_FAR_YEAR = re.compile(r"\+?[0-9]{5,9}-[0-9]{2}-[0-9]{2}(?:[Tt ].{0,40})?")
_LEAP_SECOND = re.compile(r"(.{1,24}:[0-5][0-9]:)60(.{0,24})")
_EPOCH = re.compile(r"[0-9]{9,20}(?:\.[0-9]{1,9})?")
_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6))
"""Below this number it counts so many of the unit in a second: seconds, milliseconds, microseconds."""


def read_instant(value: Any) -> datetime:
    """The UTC instant of ISO 8601 text (without a zone: UTC) or of a number since 1970 in s, ms or µs.

    A leap second is the second after it; what lies beyond the year 9999 is LATEST. Raises ValueError for anything
    else, and for what lies before 1970.
    """
    if isinstance(value, str):
        at = _from_text(value) if value[4:5] != "-" else _from_iso(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        at = _from_epoch(value)
    else:
        raise ValueError(f"found {shown(value)}; expected a date and time such as 2026-03-01T10:00:00Z")
    if at < EARLIEST:
        raise ValueError(f"found {shown(value)}, which lies before 1970")
    return at


def _from_text(text: str) -> datetime:
    if _EPOCH.fullmatch(text):
        return _from_epoch(float(text))
    return _from_iso(text)


def _from_iso(text: str) -> datetime:
    try:
        return _in_utc(datetime.fromisoformat(text))
    except ValueError:
        pass
    bare, more = text.strip().upper(), timedelta(0)
    if _FAR_YEAR.fullmatch(bare):
        return LATEST
    leap = _LEAP_SECOND.fullmatch(bare)
    if leap is not None:
        bare, more = f"{leap[1]}59{leap[2]}", timedelta(seconds=1)
    try:
        return min(_in_utc(datetime.fromisoformat(bare)) + more, LATEST)
    except ValueError:
        raise ValueError(f"found {shown(text)}; expected a date and time such as 2026-03-01T10:00:00Z") from None


def _in_utc(at: datetime) -> datetime:
    if at.tzinfo is UTC:  # as nearly always
        return at if at < LATEST else LATEST
    try:
        return min(at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC), LATEST)
    except OverflowError:
        raise ValueError("it lies before 1970 or after 9999") from None


def _from_epoch(number: float) -> datetime:
    if not 0 <= number < 1e20:
        shown = f"{number:.6g}" if abs(number) < 1e300 else "of hundreds of digits"
        raise ValueError(f"found the number {shown}; expected seconds or milliseconds since 1970")
    unit = next((unit for bound, unit in _UNITS if number < bound), 1e9)
    seconds = number / unit
    return LATEST if seconds >= LATEST.timestamp() else EARLIEST + timedelta(seconds=seconds)


def happened_at(own: datetime, sent_at: datetime | None, now: datetime) -> datetime:
    """When something happened: its own timestamp, corrected by what the client's clock said when it was sent.

    `now` is the arrival. Never after it; without `sent_at` the timestamp stands for itself.
    """
    if sent_at is not None:
        age = sent_at - own
        if age <= timedelta(0):
            return now
        if age < now - EARLIEST:
            return now - age
    return min(own, now)
