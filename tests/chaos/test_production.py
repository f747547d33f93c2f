"""The short form of `make chaos-production`: a round of many processes in trouble, and every book compared."""

from __future__ import annotations

from random import Random

import pytest

from tests.chaos.production import Total, drawn, run, told
from tests.chaos.striking import OF_APIS, OF_WORKERS, WINDOWS
from tests.chaos.troubles import TROUBLES
from tests.in_full import IN_FULL

pytestmark = [pytest.mark.slow, pytest.mark.chaos]
SEED = 14
"""Its first round strikes two workers and an API, at four points, while servers are away."""
ROUNDS = 4 if IN_FULL else 1


def test_many_processes_in_trouble_lose_and_double_nothing() -> None:
    total = run(rounds=ROUNDS, seed=SEED)
    assert not total.failed, told(total)
    assert total.verdict.orders >= 10 * ROUNDS and total.verdict.accepted > total.verdict.orders


def test_all_troubles_and_points_are_drawn() -> None:
    plans = [drawn(Random(seed)) for seed in range(1, 201)]
    assert {trouble for plan in plans for trouble in plan.troubles} == set(TROUBLES)
    assert {strike.point for plan in plans for _, strike in plan.strikes} == {*OF_WORKERS, *OF_APIS}
    assert max(sum(plan.workers) for plan in plans) == 8
    assert all(plan.strikes for plan in plans)
    assert {name for plan in plans for name in plan.poisoned} == {"poison1", "deadly1"}


def test_a_run_that_hit_nothing_fails() -> None:
    total = Total()
    assert total.failed and "VACUOUS" in told(total)
    total.struck["kill", "before_commit"] += 1
    assert total.failed, "it may have been the commit of a look that found nothing"
    total.struck["kill", sorted(WINDOWS)[0]] += 1
    assert not total.failed
