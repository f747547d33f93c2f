"""Every change of every zone's clock from 1970 to 2040: what the time rules are held against."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from orchestrator.core.time.zones import zone_names, zone_or_none

FIRST, LAST = datetime(1970, 1, 1), datetime(2041, 1, 1)
STEP = timedelta(days=3)


class Change(NamedTuple):
    """One change of a zone's offset."""

    zone: ZoneInfo
    at: datetime
    before: timedelta
    after: timedelta


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _changes(zone: ZoneInfo, walls: list[datetime], known: dict[tuple[object, ...], datetime]) -> list[Change]:
    """Found by asking zoneinfo alone, never the code under test; `known` saves searching what other zones share."""
    found = []
    offsets = [zone.utcoffset(wall) for wall in walls]
    for place, (before, after) in enumerate(pairwise(offsets)):
        if before != after:
            assert before is not None and after is not None
            key = walls[place], before, after
            if key not in known or not (
                _offset(zone, known[key] - timedelta(seconds=1)) == before and _offset(zone, known[key]) == after
            ):
                known[key] = _searched(zone, walls[place], walls[place + 1])
            at = known[key]
            found.append(Change(zone, at, _offset(zone, at - timedelta(seconds=1)), _offset(zone, at)))
    return found


def _searched(zone: ZoneInfo, earlier: datetime, later: datetime) -> datetime:
    low, high = earlier.replace(tzinfo=zone).astimezone(UTC), later.replace(tzinfo=zone).astimezone(UTC)
    before = _offset(zone, low)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high


@pytest.fixture(scope="session")
def all_zones() -> list[ZoneInfo]:
    zones = [zone_or_none(name) for name in sorted(zone_names())]
    return [zone for zone in zones if zone is not None]


@pytest.fixture(scope="session")
def changes(all_zones: list[ZoneInfo]) -> dict[str, list[Change]]:
    """By zone; zones that never changed since 1970 have an empty list."""
    walls = [FIRST + STEP * n for n in range((LAST - FIRST) // STEP)]
    known: dict[tuple[object, ...], datetime] = {}
    return {zone.key: _changes(zone, walls, known) for zone in all_zones}


@pytest.fixture(scope="session")
def distinct_changes(changes: dict[str, list[Change]]) -> list[Change]:
    """Every change once, however many zones share it."""
    return list({change[1:]: change for of_zone in changes.values() for change in of_zone}.values())
