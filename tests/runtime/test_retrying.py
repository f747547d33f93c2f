"""When a message is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtime.retrying import (
    FIRST_RETRY,
    GIVEN_UP_AFTER,
    LONGEST_AFTER,
    LONGEST_RETRY,
    SHORTEST_AFTER,
    given_up,
    retry_at,
)

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


@given(st.text(max_size=20), st.timedeltas(timedelta(0), timedelta(days=3)), st.floats() | st.none())
def test_pauses_are_bounded(id: str, tried_for: timedelta, after: float | None) -> None:
    pause = retry_at(id, AT - tried_for, AT, after) - AT
    if after is None or after != after:
        assert FIRST_RETRY <= pause <= LONGEST_RETRY * 1.25
    else:
        assert SHORTEST_AFTER <= pause <= LONGEST_AFTER * 1.25


@given(st.text(max_size=20))
def test_pauses_double_until_they_are_long_enough(id: str) -> None:
    at, pauses = AT, []
    for _ in range(12):
        again_at = retry_at(id, AT, at, None)
        pauses.append(again_at - at)
        at = again_at
    assert all(later <= earlier * 2.6 for earlier, later in pairwise(pauses))
    assert pauses[-1] >= LONGEST_RETRY
    assert at - AT < timedelta(hours=5)


def test_messages_refused_together_come_back_apart() -> None:
    instants = {retry_at(f"m{number}", AT, AT, 60.0) for number in range(100)}
    assert len(instants) == 100


def test_a_message_is_given_up_a_day_after_its_first_try() -> None:
    assert not given_up(None, AT)
    assert not given_up(AT, AT + GIVEN_UP_AFTER - timedelta(seconds=1))
    assert given_up(AT, AT + GIVEN_UP_AFTER)


def test_a_clock_that_went_back_harms_nothing() -> None:
    assert retry_at("m", AT + timedelta(minutes=10), AT, None) >= AT + FIRST_RETRY
    assert not given_up(AT + timedelta(days=2), AT)
