"""What a channel's gate is made of: a bucket of tokens and a circuit, at given instants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.circuit import FAILURES, FIRST_REST, LONGEST_REST, Circuit
from orchestrator.channels.rate import LONGEST_AHEAD, TokenBucket, parse_rate
from orchestrator.errors import UsageError


@pytest.mark.parametrize(
    ("text", "rate"), [("100/s", 100), ("3000/min", 50), ("36000 / h", 10), ("86400/d", 1), ("0.5 per second", 0.5)]
)
def test_rates_are_read(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "100", "0/s", "-1/s", "1e9/s", "100/week", "fast", "1/s/s", "9" * 400 + "/s"])
def test_what_is_no_rate_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="such as 100/s"):
        parse_rate(text)


@given(st.floats(0.1, 1_000), st.lists(st.tuples(st.floats(0, 3), st.integers(0, 50)), max_size=60))
def test_no_more_goes_than_the_rate_and_a_seconds_worth(rate: float, asks: list[tuple[float, int]]) -> None:
    bucket, now, gone = TokenBucket(rate), 0.0, 0
    for pause, count in asks:
        now += pause
        room = bucket.room(now)
        taken = bucket.take(count, now)
        assert taken == min(count, room)
        gone += taken
        assert gone <= max(1, rate) + rate * now + 1e-6


def test_over_time_the_whole_rate_is_used() -> None:
    bucket = TokenBucket(10)
    assert sum(bucket.take(100, second / 10) for second in range(1, 1001)) == pytest.approx(1_009, abs=1)


def test_those_who_find_no_token_come_again_one_after_another() -> None:
    bucket = TokenBucket(10)
    assert bucket.take(10, 0.0) == 10
    assert [round(bucket.come_again(0.0), 3) for _ in range(3)] == [0.1, 0.2, 0.3]
    assert bucket.come_again(5.0) == pytest.approx(0.1)
    for _ in range(100_000):
        assert bucket.come_again(5.0) <= LONGEST_AHEAD


def test_a_clock_that_went_back_gives_no_tokens() -> None:
    bucket = TokenBucket(10)
    assert bucket.take(10, 100.0) == 10
    assert bucket.take(10, 40.0) == 0
    assert bucket.take(10, 40.5) == 5


def test_a_few_failures_do_not_open_the_circuit_and_success_forgets_them() -> None:
    circuit = Circuit("email")
    for _ in range(10):
        circuit.note("refused", FAILURES - 1, 0.0)
        assert circuit.state(0.0).state == "closed"
        circuit.note(None, 1, 0.0)
    assert circuit.take(50, 0.0) == 50


def test_an_open_circuit_lets_one_probe_through_after_its_rest() -> None:
    circuit = Circuit("email")
    circuit.note("password revoked", 8, 0.0)
    assert circuit.state(1.0) == ("open", "password revoked", FIRST_REST - 1)
    assert circuit.take(50, FIRST_REST - 0.1) == 0
    assert circuit.state(FIRST_REST).state == "half_open"
    assert circuit.take(50, FIRST_REST) == 1
    assert circuit.take(50, FIRST_REST) == 0  # the probe's answer is awaited
    circuit.note(None, 1, FIRST_REST + 1)
    assert circuit.state(FIRST_REST + 1) == ("closed", None, 0.0)
    assert circuit.take(50, FIRST_REST + 1) == 50


def test_rests_double_up_to_a_bound() -> None:
    circuit, now, rests = Circuit("email"), 0.0, []
    circuit.note("down", FAILURES, now)
    for _ in range(8):
        rests.append(circuit.state(now).probe_in)
        now += rests[-1]
        assert circuit.take(9, now) == 1
        circuit.note("down", 1, now)
    assert rests == [min(FIRST_REST * 2**n, LONGEST_REST) for n in range(8)]


def test_answers_to_what_was_sent_before_do_not_prolong_the_rest() -> None:
    circuit = Circuit("email")
    circuit.note("down", FAILURES, 0.0)
    circuit.note("down", 8, 1.0)
    assert circuit.state(1.0).probe_in == FIRST_REST - 1


def test_a_probe_that_is_never_heard_of_is_followed_by_another() -> None:
    circuit = Circuit("email")
    circuit.note("down", FAILURES, 0.0)
    assert circuit.take(1, FIRST_REST) == 1
    assert circuit.take(1, 2 * FIRST_REST) == 1
