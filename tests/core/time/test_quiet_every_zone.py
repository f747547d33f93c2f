"""Quiet times in every zone of the IANA database, against the clock on the wall, quarter hour by quarter hour.

Rules are drawn: windows on chosen days, across midnight, whole holidays. Instants lie around the nights on which the
zone changes its clocks, and anywhere in two years.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.time.holiday_dates import Calendar
from orchestrator.core.time.quiet import Quiet, QuietHours, QuietTimes, QuietWindow, next_quiet_start, quiet_and_next
from orchestrator.core.time.zones import zone_names, zone_or_none
from orchestrator.insights.wall_clock import was_quiet

ZONES = sorted(zone_names())
QUARTER = timedelta(minutes=15)
START = datetime(2026, 1, 1, tzinfo=UTC)
QUARTERS = 2 * 365 * 96
LONGEST = timedelta(days=20)

quarters = st.integers(0, 95).map(lambda n: time(n // 4, n % 4 * 15))
days = st.none() | st.frozensets(st.integers(0, 6), min_size=1, max_size=6)
windows = st.builds(QuietWindow, quarters, quarters, days).filter(lambda w: w.start != w.end)
calendars = st.lists(
    st.sampled_from([Calendar("CN"), Calendar("FR"), Calendar("US", "TX"), Calendar("DE", "BY")]), max_size=1
)
daily = st.builds(QuietHours, quarters, quarters)
placed = st.builds(lambda w, c: QuietTimes(tuple(w), tuple(c)), st.lists(windows, max_size=3), calendars)


@cache
def changes(zone: ZoneInfo) -> tuple[datetime, ...]:
    """The days on which a zone changes its clocks, within the two years."""
    noons = [START + timedelta(days=n, hours=12) for n in range(2 * 365)]
    offsets = [(noon, noon.astimezone(zone).utcoffset()) for noon in noons]
    return tuple(noon for (_, before), (noon, after) in pairwise(offsets) if before != after)


def check(at: datetime, zone: ZoneInfo, quiet: Quiet) -> None:
    free_at, starts_at = quiet_and_next(at, (zone,), quiet)
    assert (free_at is not None) == was_quiet(at, zone, quiet)
    if free_at is not None:
        if free_at - at > LONGEST:
            return  # rules that leave hardly a free instant
        assert not was_quiet(free_at, zone, quiet), "released into quiet hours"
        moment = at
        while moment < free_at:
            assert was_quiet(moment, zone, quiet), "a free instant was passed over"
            moment += QUARTER
        starts_at = next_quiet_start(free_at, (zone,), quiet)
        at = free_at
    if starts_at is not None and starts_at - at < LONGEST:
        assert was_quiet(starts_at, zone, quiet)
        moment = at
        while moment < starts_at:
            assert not was_quiet(moment, zone, quiet), "handed over after quiet hours had started"
            moment += QUARTER


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
        drawn = (QuietWindow(time(21, 15), time(1, 45)), QuietWindow(moment(), time(0), chosen))
        rules: tuple[Quiet, ...] = (
            QuietHours(moment(), moment()),
            QuietTimes(drawn, (Calendar(draw.choice(["CN", "FR", "US"])),)),
        )
        instants = [day + QUARTER * draw.randrange(-64, 64) for day in changes(zone)]
        instants.append(START + QUARTER * draw.randrange(QUARTERS))
        for at in instants:
            for quiet in rules:
                check(at, zone, quiet)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(ZONES), daily | placed, st.integers(0, QUARTERS), st.integers(-60, 60))
def test_any_zone_any_rules_any_instant(name: str, quiet: Quiet, number: int, near: int) -> None:
    zone = zone_or_none(name)
    assert zone is not None
    check(START + QUARTER * number, zone, quiet)
    for day in changes(zone)[:2]:
        check(day + QUARTER * near, zone, quiet)


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
