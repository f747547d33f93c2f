"""Instants as databases keep them: whole microseconds since 1970-01-01 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    """An aware instant in microseconds."""
    span = at - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def micros_or_none(at: datetime | None) -> int | None:
    """The same, for a column that may be empty."""
    return None if at is None else micros(at)


def instant(value: int) -> datetime:
    """The instant, in UTC."""
    return _EPOCH + timedelta(microseconds=value)


def instant_or_none(value: int | None) -> datetime | None:
    """The same, for a column that may be empty."""
    return None if value is None else instant(value)
