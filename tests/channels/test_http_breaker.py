"""A host that answers nothing is left alone for a while, and one call finds out whether it is back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.http_breaker import FAILURES, MOST_HOSTS, REST, HostBreaker


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_failures_in_a_row_and_one_call_tries_after_the_rest() -> None:
    clock = Clock()
    breaker = HostBreaker(clock)
    for _ in range(FAILURES):
        assert breaker.admits("a:443")
        breaker.note("a:443", answered=False)
    assert not breaker.admits("a:443")
    assert breaker.admits("b:443")
    clock.now += REST - 0.1
    assert not breaker.admits("a:443")
    clock.now += 0.1
    assert [breaker.admits("a:443") for _ in range(3)] == [True, False, False]
    breaker.note("a:443", answered=False)
    clock.now += REST - 0.1
    assert not breaker.admits("a:443")
    clock.now += 0.1
    assert breaker.admits("a:443")
    breaker.note("a:443", answered=True)
    assert [breaker.admits("a:443") for _ in range(3)] == [True, True, True]


def test_a_trial_that_never_ends_does_not_close_the_host_for_ever() -> None:
    clock = Clock()
    breaker = HostBreaker(clock)
    for _ in range(FAILURES):
        breaker.note("a:443", answered=False)
    clock.now += REST
    assert breaker.admits("a:443")
    clock.now += REST
    assert breaker.admits("a:443")


@given(st.lists(st.booleans(), max_size=40))
def test_it_is_open_exactly_while_the_last_calls_all_failed(answers: list[bool]) -> None:
    breaker = HostBreaker(Clock())
    for answered in answers:
        breaker.note("a:443", answered)
    latest = answers[-FAILURES:]
    assert breaker.admits("a:443") == (len(latest) < FAILURES or any(latest))


def test_hosts_that_someone_makes_up_do_not_fill_the_memory() -> None:
    breaker = HostBreaker(Clock())
    for n in range(MOST_HOSTS + 50):
        breaker.note(f"h{n}:80", answered=False)
    assert len(breaker._failures) == MOST_HOSTS
