"""Quiet times in every zone of the IANA database, against looking at the clock quarter hour by quarter hour.

Rules are drawn: windows on chosen days, across midnight, whole holidays. Instants lie around the nights on which the
zone changes its clocks, and anywhere in two years.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.time.holiday_dates import Calendar
from orchestrator.core.time.quiet import (
    Quiet,
    QuietHours,
    QuietTimes,
    QuietWindow,
    Reading,
    next_quiet_start,
    quiet_and_next,
)
from orchestrator.core.time.zones import zone_names, zone_or_none
from orchestrator.insights.wall_clock import was_quiet
from tests.core.time.quiet_by_the_minute import QUARTER, ByTheMinute, Part, first, in_any

ZONES = sorted(zone_names())
START = datetime(2026, 1, 1, tzinfo=UTC)
QUARTERS = 2 * 365 * 96
LOOKED_AT = 11
"""Days; rows of holidays are shorter."""

quarters = st.integers(0, 95).map(lambda n: time(n // 4, n % 4 * 15))
days = st.none() | st.frozensets(st.integers(0, 6), min_size=1, max_size=6)
windows = st.tuples(quarters, quarters, days).filter(lambda w: w[0] != w[1])
CALENDARS = (("CN", None), ("FR", None), ("US", "TX"), ("DE", "BY"))
calendars = st.lists(st.sampled_from(CALENDARS), max_size=2, unique=True)
daily = st.tuples(quarters, quarters).map(lambda pair: [Part(((*pair, None),))])
part = st.builds(lambda w, c: Part(tuple(w), tuple(c)), st.lists(windows, max_size=3), calendars)
placed = st.lists(part, min_size=1, max_size=2)


def engine_of(parts: Sequence[Part]) -> Quiet:
    """The same rules in the words of the engine."""
    if len(parts) == 1 and len(parts[0].windows) == 1 and not parts[0].calendars and parts[0].windows[0][2] is None:
        return QuietHours(*parts[0].windows[0][:2])
    return QuietTimes.of(
        Reading(tuple(QuietWindow(*window) for window in windows), Calendar(*calendar) if calendar else None)
        for windows, calendars in parts
        for calendar in calendars or (None,)
    )


@cache
def changes(zone: ZoneInfo) -> tuple[datetime, ...]:
    """The days on which a zone changes its clocks, within the two years."""
    noons = [START + timedelta(days=n, hours=12) for n in range(2 * 365)]
    offsets = [(noon, noon.astimezone(zone).utcoffset()) for noon in noons]
    return tuple(noon for (_, before), (noon, after) in pairwise(offsets) if before != after)


def check(at: datetime, zone: ZoneInfo, parts: Sequence[Part]) -> None:
    """The engine, and the second opinion of the proof, against looking at the clock."""
    quiet, oracle = engine_of(parts), ByTheMinute(at, LOOKED_AT, zone, parts)
    if isinstance(quiet, QuietHours) and quiet.start == quiet.end:  # never, which lint refuses
        assert quiet_and_next(at, (zone,), quiet) == (None, None)
        return
    free_at, starts_at = quiet_and_next(at, (zone,), quiet)
    if (expected := oracle.next(at, False)) is None:
        assert free_at is not None, "all that was looked at is quiet"
        return
    assert (free_at or at) == expected
    if free_at is not None:
        assert starts_at is None
        starts_at = next_quiet_start(free_at, (zone,), quiet)
    if (expected := oracle.next(expected, True)) is not None:
        assert starts_at == expected
    else:
        assert starts_at is None or starts_at >= at + timedelta(days=LOOKED_AT)
    for number in range(0, LOOKED_AT * 96, 13):
        assert was_quiet(at + number * QUARTER, zone, quiet) is oracle.quarters[number]


@pytest.mark.parametrize("part", range(8))
def test_every_zone_keeps_drawn_rules(part: int) -> None:
    """Every zone has its own rules and instants, by its name: the nights of its changes, and one anywhere."""
    for name in ZONES[part::8]:
        zone = zone_or_none(name)
        assert zone is not None
        draw = random.Random(name)

        def moment(draw: random.Random = draw) -> time:
            quarter = draw.randrange(96)
            return time(quarter // 4, quarter % 4 * 15)

        chosen = frozenset(draw.sample(range(7), draw.randint(1, 6)))
        night, part_of_day = (time(21, 15), time(1, 45), None), (moment(), time(0), chosen)
        rules = (
            [Part(((moment(), moment(), None),))],
            [
                Part((night, part_of_day), tuple(draw.sample(CALENDARS, 2))),
                Part(((time(9), time(10, 15), frozenset({6})),)),
            ],
        )
        instants = [day + QUARTER * draw.randrange(-64, 64) for day in changes(zone)[:2]]
        instants.append(START + QUARTER * draw.randrange(QUARTERS))
        for at in instants:
            for parts in rules:
                check(at, zone, parts)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(ZONES), daily | placed, st.integers(0, QUARTERS), st.integers(-60, 60))
def test_any_zone_any_rules_any_instant(name: str, parts: list[Part], number: int, near: int) -> None:
    zone = zone_or_none(name)
    assert zone is not None
    check(START + QUARTER * number, zone, parts)
    for day in changes(zone)[:2]:
        check(day + QUARTER * near, zone, parts)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(ZONES), min_size=2, max_size=4, unique=True), daily | placed, st.integers(0, QUARTERS))
def test_several_zones_are_quiet_when_one_of_them_is(names: list[str], parts: list[Part], number: int) -> None:
    zones = tuple(zone for name in names if (zone := zone_or_none(name)) is not None)
    at, quiet = START + QUARTER * number, engine_of(parts)
    if isinstance(quiet, QuietHours) and quiet.start == quiet.end:
        return
    together = in_any([ByTheMinute(at, LOOKED_AT, zone, parts) for zone in zones])
    free_at, starts_at = quiet_and_next(at, zones, quiet)
    expected = first(at, together, at, False)
    if expected is not None and expected < at + timedelta(days=3):
        assert (free_at or at) == expected
        if free_at is None and (starts := first(at, together, at, True)) is not None:
            assert starts_at == starts


def test_a_made_up_working_day_counts_as_a_weekday() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    weekends = QuietTimes((QuietWindow(time(0), time(0), frozenset({5, 6})),), (Calendar("CN"),))
    # Saturday 14 February 2026 is worked for the Spring Festival; Friday 20 is a day off; so is 16 to 23, in one row.
    assert quiet_and_next(datetime(2026, 2, 14, 4, tzinfo=UTC), (zone,), weekends)[0] is None
    free_at, _ = quiet_and_next(datetime(2026, 2, 15, 4, tzinfo=UTC), (zone,), weekends)
    assert free_at == datetime(2026, 2, 23, 16, tzinfo=UTC), "over the whole festival, in one piece"


def test_rules_without_a_free_instant_hold_and_do_not_let_go() -> None:
    never_free = QuietTimes((QuietWindow(time(0), time(0)),))
    at = datetime(2026, 3, 1, tzinfo=UTC)
    free_at, _ = quiet_and_next(at, (ZoneInfo("Europe/Paris"),), never_free)
    assert free_at is not None
    assert free_at > at + timedelta(days=30)
