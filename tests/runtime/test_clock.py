"""Journey time: a mapping from real time that never goes back, waits for the engine, and outlives its process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.runtime.clock import JourneyClock, keep, resumed
from orchestrator.stores.memory import MemoryStore

REAL = datetime(2026, 3, 1, 10, tzinfo=UTC)
JOURNEY = datetime(2015, 7, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PATIENCE = timedelta(minutes=2, seconds=30)


def test_without_a_speed_it_is_real_time() -> None:
    clock = JourneyClock(REAL, REAL, virtual=False)
    assert clock.now(REAL + 90 * SECOND) == REAL + 90 * SECOND
    assert clock.now(REAL + 30 * SECOND) == REAL + 90 * SECOND, "the machine's clock was set back: time stands still"
    assert clock.now(REAL + 91 * SECOND) == REAL + 91 * SECOND


def test_a_speed_multiplies() -> None:
    clock = JourneyClock(REAL, JOURNEY, 3600)
    assert clock.now(REAL + 2 * SECOND) == JOURNEY + timedelta(hours=2)
    assert clock.real_wait(JOURNEY + timedelta(hours=3), REAL + 2 * SECOND) == SECOND
    assert clock.real_wait(JOURNEY, REAL + 2 * SECOND) == timedelta(0)


def test_a_fast_clock_waits_for_what_is_overdue() -> None:
    clock = JourneyClock(REAL, JOURNEY, 3600)
    due_at = JOURNEY + timedelta(minutes=10)
    clock.wait_for(due_at, PATIENCE)
    assert clock.now(REAL + SECOND) == due_at + PATIENCE
    assert clock.now(REAL + 9 * SECOND) == due_at + PATIENCE, "as long as it takes"
    clock.wait_for(None, PATIENCE)
    assert clock.now(REAL + 10 * SECOND) == due_at + PATIENCE + timedelta(hours=1), "what was waited for is not made up"


def test_what_arrives_holds_a_fast_clock_at_once() -> None:
    clock = JourneyClock(REAL, JOURNEY, 3600)
    clock.arrived(REAL + SECOND, PATIENCE)
    assert clock.now(REAL + 2 * SECOND) == JOURNEY + timedelta(hours=1) + PATIENCE


def test_real_time_waits_for_nobody() -> None:
    clock = JourneyClock(REAL, REAL, virtual=False)
    clock.wait_for(REAL, PATIENCE)
    clock.arrived(REAL, PATIENCE)
    assert clock.now(REAL + timedelta(hours=1)) == REAL + timedelta(hours=1)


def test_a_replay_steps_and_goes_on_by_itself() -> None:
    clock = JourneyClock(REAL, JOURNEY)
    clock.stand(JOURNEY + timedelta(days=3), REAL)
    assert clock.now(REAL + 100 * SECOND) == JOURNEY + timedelta(days=3)
    clock.stand(JOURNEY, REAL + 100 * SECOND)
    assert clock.now(REAL + 101 * SECOND) == JOURNEY + timedelta(days=3), "never back"
    clock.go_on(REAL + 200 * SECOND)
    assert clock.now(REAL + 201 * SECOND) == JOURNEY + timedelta(days=3) + SECOND


def test_time_waits_for_what_arrives_until_a_look_that_saw_it() -> None:
    clock = JourneyClock(REAL, JOURNEY, 86_400)
    with clock.arriving(REAL, PATIENCE) as arrived_at:
        assert arrived_at == JOURNEY
        clock.wait_for(None, PATIENCE)  # a look of the engine, which cannot see it yet
        assert clock.now(REAL + SECOND) == JOURNEY + PATIENCE
        clock.wait_for(None, PATIENCE)
        assert clock.now(REAL + 2 * SECOND) == JOURNEY + PATIENCE
    clock.wait_for(None, PATIENCE)  # this one may have looked before the commit
    assert clock.now(REAL + 3 * SECOND) == JOURNEY + PATIENCE
    clock.wait_for(None, PATIENCE)
    assert clock.now(REAL + 4 * SECOND) == JOURNEY + PATIENCE + timedelta(days=1)


def test_what_cannot_be_committed_holds_nothing_up_for_long() -> None:
    clock = JourneyClock(REAL, JOURNEY, 86_400)
    with pytest.raises(ValueError, match="full"), clock.arriving(REAL, PATIENCE):
        raise ValueError("full")
    for _ in range(2):
        clock.wait_for(None, PATIENCE)
    assert clock.now(REAL + SECOND) == JOURNEY + timedelta(days=1)
    slow = JourneyClock(REAL, REAL, virtual=False)
    with slow.arriving(REAL, PATIENCE):
        assert slow.now(REAL + 3600 * SECOND) == REAL + 3600 * SECOND, "real time waits for nobody"


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_speeds_that_mean_nothing(speed: float) -> None:
    with pytest.raises(UsageError, match="above 0"):
        JourneyClock(REAL, REAL, speed)


def test_the_calendars_end_is_no_error() -> None:
    last = datetime(9999, 12, 31, tzinfo=UTC)
    clock = JourneyClock(REAL, last, 1_000_000)
    assert clock.now(REAL + timedelta(days=365)).year == 9999


_steps = st.lists(
    st.tuples(
        st.integers(-60, 3600),
        st.sampled_from(["look", "wait", "free", "arrived", "arriving", "stand", "go"]),
        st.integers(-7200, 7200),
    ),
    max_size=30,
)


@given(steps=_steps, speed=st.sampled_from([0.5, 1.0, 60.0, 86_400.0]), virtual=st.booleans())
def test_it_never_goes_back_and_never_runs_ahead_of_its_speed(
    steps: list[tuple[int, str, int]], speed: float, virtual: bool
) -> None:
    clock = JourneyClock(REAL, REAL, speed, virtual)
    real_at, last, furthest_real = REAL, REAL, REAL
    furthest = REAL
    for seconds, what, offset in steps:
        real_at += seconds * SECOND
        furthest_real = max(furthest_real, real_at)
        at = last + offset * SECOND
        match what:
            case "wait":
                clock.wait_for(at, PATIENCE)
            case "free":
                clock.wait_for(None, PATIENCE)
            case "arrived":
                clock.arrived(real_at, PATIENCE)
            case "arriving":
                with clock.arriving(real_at, PATIENCE) as arrived_at:
                    assert arrived_at >= last
            case "stand":
                clock.stand(at, real_at)
                furthest = max(furthest, at)
            case "go":
                clock.go_on(real_at)
        now = clock.now(real_at)
        assert now >= last
        assert now <= furthest + (furthest_real - REAL) * max(speed, 1.0) + timedelta(milliseconds=1)
        last = now


def test_a_restart_goes_on_where_a_virtual_clock_stood() -> None:
    store = MemoryStore()
    keep(store, JourneyClock(REAL, JOURNEY, 60), REAL + 10 * SECOND)
    later = REAL + timedelta(days=3)
    again = resumed(store, later, speed=1)
    assert again.virtual and again.now(later) == JOURNEY + timedelta(minutes=10)


def test_a_restart_in_real_time_is_at_real_time_and_never_back() -> None:
    store = MemoryStore()
    assert resumed(store, REAL).now(REAL) == REAL
    keep(store, JourneyClock(REAL, REAL, virtual=False), REAL + 10 * SECOND)
    later = REAL + timedelta(days=3)
    assert resumed(store, later).now(later) == later
    assert resumed(store, REAL).now(REAL) == REAL + 10 * SECOND
    assert not resumed(store, later).virtual


def test_time_that_left_real_time_stays_so() -> None:
    store = MemoryStore()
    fast = resumed(store, REAL, speed=3600)
    keep(store, fast, REAL + SECOND)
    assert resumed(store, REAL + 2 * SECOND, speed=1).now(REAL + 2 * SECOND) == REAL + timedelta(hours=1)
