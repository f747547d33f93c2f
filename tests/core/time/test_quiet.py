from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.time.quiet import QuietHours, next_quiet_start, quiet_until
from orchestrator.core.time.zone_in_force import zones_of_country
from orchestrator.core.time.zones import zone_or_none

NIGHT = QuietHours(time(21), time(8))
MICRO = timedelta(microseconds=1)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def zone(name: str) -> ZoneInfo:
    found = zone_or_none(name)
    assert found is not None
    return found


BERLIN = (zone("Europe/Berlin"),)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-03-02T20:59:59+01:00", None),
        ("2026-03-02T21:00+01:00", "2026-03-03T08:00+01:00"),  # `from` inclusive
        ("2026-03-03T03:00+01:00", "2026-03-03T08:00+01:00"),
        ("2026-03-03T07:59:59+01:00", "2026-03-03T08:00+01:00"),
        ("2026-03-03T08:00+01:00", None),  # `to` exclusive
        ("2026-03-28T22:00+01:00", "2026-03-29T08:00+02:00"),  # a night of an hour less
        ("2026-10-24T22:00+02:00", "2026-10-25T08:00+01:00"),  # and of one more
    ],
)
def test_quiet_hours(at: str, until: str | None) -> None:
    assert quiet_until(instant(at), BERLIN, NIGHT) == (instant(until) if until else None)


@pytest.mark.parametrize(
    ("at", "start"),
    [
        ("2026-03-02T20:59:59+01:00", "2026-03-02T21:00+01:00"),
        ("2026-03-02T21:00+01:00", "2026-03-03T21:00+01:00"),  # strictly after
        ("2026-03-03T03:00+01:00", "2026-03-03T21:00+01:00"),
    ],
)
def test_the_next_quiet_start(at: str, start: str) -> None:
    assert next_quiet_start(instant(at), BERLIN, NIGHT) == instant(start)


def test_hours_within_a_day_and_across_changes_of_the_clock() -> None:
    siesta = QuietHours(time(13), time(15))
    assert quiet_until(instant("2026-03-02T14:00+01:00"), BERLIN, siesta) == instant("2026-03-02T15:00+01:00")
    assert quiet_until(instant("2026-03-02T03:00+01:00"), BERLIN, siesta) is None
    in_the_gap = QuietHours(time(2, 15), time(2, 45))
    assert quiet_until(instant("2026-03-29T03:00+02:00"), BERLIN, in_the_gap) is None
    assert next_quiet_start(instant("2026-03-28T12:00+01:00"), BERLIN, in_the_gap) == instant("2026-03-30T02:15+02:00")
    to_the_fold = QuietHours(time(21), time(2, 30))
    assert quiet_until(instant("2026-10-25T02:29+02:00"), BERLIN, to_the_fold) == instant("2026-10-25T02:30+02:00")
    assert quiet_until(instant("2026-10-25T02:15+01:00"), BERLIN, to_the_fold) is None, "they ended once"


def test_equal_ends_are_never_quiet() -> None:
    never = QuietHours(time(9), time(9))
    assert quiet_until(instant("2026-03-02T09:00+01:00"), BERLIN, never) is None
    assert next_quiet_start(instant("2026-03-02T09:00+01:00"), BERLIN, never) is None


def test_a_country_is_quiet_when_it_is_quiet_in_any_of_its_zones() -> None:
    us = zones_of_country("US")
    # New York wakes at 08:00 (12:00Z in summer), Hawaii at 18:00Z; New York sleeps again at 01:00Z.
    assert quiet_until(instant("2026-07-01T12:00Z"), us, NIGHT) == instant("2026-07-01T18:00Z")
    assert quiet_until(instant("2026-07-01T18:00Z"), us, NIGHT) is None
    assert quiet_until(instant("2026-07-02T00:59Z"), us, NIGHT) is None
    assert quiet_until(instant("2026-07-02T01:00Z"), us, NIGHT) == instant("2026-07-02T18:00Z")
    assert next_quiet_start(instant("2026-07-01T18:00Z"), us, NIGHT) == instant("2026-07-02T01:00Z")


def test_zones_that_are_always_quiet_together_leave_it_to_the_first() -> None:
    long_night = QuietHours(time(18), time(10))
    zones = (zone("America/New_York"), zone("Pacific/Honolulu"), zone("Asia/Tokyo"))
    ends_at = quiet_until(instant("2026-07-01T00:00Z"), zones, long_night)
    assert ends_at == instant("2026-07-01T10:00-04:00")
    assert quiet_until(ends_at, zones, long_night) is None, "released there, not held again"
    assert next_quiet_start(ends_at, zones, long_night) == instant("2026-07-01T18:00-04:00")


@given(st.data(), st.integers(-3000, 3000), st.times(), st.times(), st.integers(1, 3))
def test_it_is_quiet_until_the_end_and_free_there(
    changes: dict[str, list[Any]], data: st.DataObject, shift: int, start: time, end: time, count: int
) -> None:
    drawn = [data.draw(st.sampled_from([c for c in changes.values() if c])) for _ in range(count)]
    zones = tuple(of_zone[0].zone for of_zone in drawn)
    at = data.draw(st.sampled_from(drawn[0])).at + timedelta(minutes=shift)
    quiet = QuietHours(start.replace(tzinfo=None), end.replace(tzinfo=None))
    ends_at = quiet_until(at, zones, quiet)
    starts_at = next_quiet_start(at, zones, quiet)
    if starts_at is None:
        assert ends_at is None and quiet.start == quiet.end
        return
    assert starts_at > at
    assert quiet_until(starts_at, zones, quiet) is not None, "quiet at its start"
    if ends_at is None:
        assert quiet_until(starts_at - MICRO, zones, quiet) is None, "free until then"
    else:
        assert ends_at > at
        assert quiet_until(ends_at, zones, quiet) is None, "free at its end"
        assert quiet_until(ends_at - MICRO, zones, quiet) == ends_at, "quiet until then"
