"""Points: what is left of them at any instant does not depend on who looked when, nor on the order of arrival."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.core.scores import (
    Points,
    ScoreSpec,
    brought,
    earned,
    left,
    reaches_at,
    total,
    united,
    with_standing,
    without,
)

START = datetime(2026, 3, 1, 10, tzinfo=UTC)
LEAD = ScoreSpec("lead", timedelta(days=30))
instants = st.integers(0, 400 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds))
points = st.integers(-50, 50).filter(bool)


@given(st.lists(instants, min_size=2, max_size=8).map(sorted), points)
def test_splitting_the_time_changes_nothing(looked: list[datetime], value: int) -> None:
    step_by_step = float(value)
    for since, until in pairwise(looked):
        step_by_step = left(LEAD, step_by_step, since, until)
    assert step_by_step == pytest.approx(left(LEAD, value, looked[0], looked[-1]), abs=1e-9)


@given(st.lists(st.tuples(instants, points), min_size=1, max_size=8), st.randoms())
def test_the_order_of_arrival_changes_nothing(gains: list[tuple[datetime, int]], random: object) -> None:
    end = START + timedelta(days=500)
    shuffled = list(gains)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    scores = []
    for order in (gains, shuffled):
        held: Points | None = None
        for at, add in order:
            held = earned(LEAD, held, add, at, end)
        scores.append(total(LEAD, held, end))
    assert scores[0] == pytest.approx(scores[1], abs=2e-4)


@given(instants, st.integers(1, 100), st.floats(0.01, 99.0), st.integers(-20, 20))
@example(START, 80, 80.0, 0)
@example(START, 50, 50.00004, 0)
@settings(max_examples=150)
def test_the_instant_of_a_crossing_is_exact(at: datetime, value: int, bound: float, standing: int) -> None:
    held = Points(float(value), at, float(standing))
    found = reaches_at(LEAD, held, bound, at)
    now = total(LEAD, held, at)
    if found is None:
        assert (now < bound) or (standing >= bound - 1e-4)
        return
    assert total(LEAD, held, found) < bound <= total(LEAD, held, found - timedelta(microseconds=1))


def test_points_keep_within_their_bounds() -> None:
    spec = ScoreSpec("lead", timedelta(days=30), 0.0, 100.0)
    held = None
    for _ in range(20):
        held = earned(spec, held, 10, START, START)
    assert total(spec, held, START) == 100
    later = START + timedelta(days=30)
    assert total(spec, held, later) == 50  # what lay beyond the bound was never there
    assert total(spec, earned(spec, held, -500, later, later), later) == 0
    assert total(spec, earned(spec, earned(spec, held, -500, later, later), 7, later, later), later) == 7


def test_standing_points_do_not_fade_and_bounds_hold_for_both() -> None:
    spec = ScoreSpec("lead", timedelta(days=30), 0.0, 30.0)
    held = with_standing(earned(spec, None, 20, START, START), 20, START)
    assert total(spec, held, START) == 30
    assert total(spec, held, START + timedelta(days=30)) == 30
    assert total(spec, held, START + timedelta(days=3_000)) == 20


def test_nobody_has_no_points() -> None:
    assert total(LEAD, None, START) == 0
    assert total(ScoreSpec("lead", None, 10.0), None, START) == 10
    assert reaches_at(LEAD, None, 1, START) is None
    assert reaches_at(ScoreSpec("lead"), Points(90.0, START), 80, START) is None


def test_points_below_zero_fade_upwards() -> None:
    held = Points(-20.0, START)
    found = reaches_at(LEAD, held, -10, START)
    assert found is not None and abs(found - START - timedelta(days=30)) < timedelta(minutes=1)


def test_two_customers_unite() -> None:
    one, two = Points(10.0, START), Points(8.0, START + timedelta(days=30), 5.0)
    held = united(LEAD, one, two)
    assert held is not None and total(LEAD, held, START + timedelta(days=30)) == 13


@pytest.mark.parametrize(("standing", "add"), [(120.0, 10.0), (-30.0, 10.0), (-30.0, -10.0), (120.0, -10.0)])
def test_an_addition_never_brings_the_contrary(standing: float, add: float) -> None:
    """Standing points may lie beyond a bound by themselves, and may go again."""
    spec = ScoreSpec("lead", timedelta(days=30), 0.0, 100.0)
    held = earned(spec, with_standing(None, standing, START), add, START, START)
    assert held.value == 0 or (held.value > 0) == (add > 0)
    assert abs(held.value) <= abs(add)


def test_what_a_merge_brought_goes_with_it() -> None:
    spec = ScoreSpec("lead", timedelta(days=30), 0.0, 100.0)
    mine, theirs = Points(80.0, START), Points(60.0, START)
    both = united(spec, mine, theirs)
    found = brought(spec, mine, both)
    assert both is not None and both.value == 100 and found == (20.0, START)
    later = START + timedelta(days=30)
    held = without(spec, earned(spec, both, 5, later, later), *found)
    assert total(spec, held, later) == 45  # 80 that halved, and 5
    assert brought(spec, mine, united(spec, mine, None)) is None
    assert brought(spec, None, united(spec, None, theirs)) == (60.0, START)
