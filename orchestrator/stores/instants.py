"""Instants as databases keep them: whole microseconds since 1970-01-01 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """An aware instant in microseconds."""
    if at.tzinfo is UTC:
        return _micros(at)
    span = at - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


@lru_cache(maxsize=4_096)
def _micros(at: datetime) -> int:
    """Of an instant in UTC; a turn names few of them, again and again. (Those of other zones may be equal and not the
    same, in the hour that a clock shows twice.)"""
    span = at - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def micros_or_none(at: datetime | None) -> int | None:
    """The same, for a column that may be empty."""
    return None if at is None else micros(at)


@lru_cache(maxsize=4_096)
def instant(value: int) -> datetime:
    """The instant, in UTC. What a turn reads has few of them: arrivals come in batches, and decisions in turns."""
    return _EPOCH + value * _MICROSECOND


def instant_or_none(value: int | None) -> datetime | None:
    """The same, for a column that may be empty."""
    return None if value is None else instant(value)
