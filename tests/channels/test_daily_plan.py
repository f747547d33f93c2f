"""Quotas of a day and the ramp of a new provider."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.channels.configured import channel_of
from orchestrator.channels.daily_plan import MOST_A_DAY, DailyPlan, Ramp, parse_plan, plan_of
from orchestrator.errors import UsageError

FIRST = date(2026, 3, 1)
RAMPS = st.builds(
    Ramp,
    st.integers(1, 1_000_000),
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.floats(1.0001, 100, allow_nan=False),
)


def test_a_ramp_grows_day_by_day_up_to_the_quota() -> None:
    plan = parse_plan({"ramp": "500:2026-03-01:x1.5", "daily": "2000"})
    assert plan is not None
    days = [plan.quota(FIRST + timedelta(n)) for n in range(-1, 6)]
    assert days == [0, 500, 750, 1125, 1687, 2000, 2000]


@given(RAMPS, st.none() | st.integers(1, MOST_A_DAY), st.dates(date(2019, 1, 1), date(9999, 12, 30)))
@settings(max_examples=200)
def test_a_ramp_never_shrinks_and_never_passes_the_quota(ramp: Ramp, daily: int | None, day: date) -> None:
    plan = DailyPlan(daily, ramp)
    today, tomorrow = plan.quota(day), plan.quota(day + timedelta(1))
    bound = MOST_A_DAY if daily is None else daily
    assert 0 <= today <= tomorrow <= bound
    assert (today == 0) == (day < ramp.first_day)
    assert plan.quota(ramp.first_day) == min(ramp.first, bound)
    if 0 < today < bound and tomorrow < bound and today > 1000:
        assert tomorrow / today == pytest.approx(ramp.growth, rel=0.01)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("daily=0", "daily=50000"),
        ("daily=many", "daily=50000"),
        ("daily=-5", "daily=50000"),
        ("daily=5&daily=6", "'daily' twice"),
        ("ramp=500", "ramp=500:2026-03-01:x1.5"),
        ("ramp=500:2026-02-30:x2", "ramp=500:2026-03-01:x1.5"),
        ("ramp=0:2026-03-01:x2", "ramp=500:2026-03-01:x1.5"),
        ("ramp=500:2026-03-01:x1", "above 1"),
        ("ramp=500:2026-03-01:2", "ramp=500:2026-03-01:x1.5"),
    ],
)
def test_what_cannot_be_read_is_refused_with_an_example(query: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        channel_of(f"null:?{query}", base_dir=tmp_path)


def test_any_channel_takes_it_beside_its_own_options(tmp_path: Path) -> None:
    channel = channel_of("smtp://mail.example.com?width=3&daily=500&rate=10/s", base_dir=tmp_path)
    assert (channel.width, channel.rate) == (3, 10.0)
    assert plan_of(channel) == DailyPlan(500)
    assert plan_of(channel_of("null:", base_dir=tmp_path)) is None
