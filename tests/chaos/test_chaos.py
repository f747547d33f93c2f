"""The short form of `make chaos`: a few deaths, and every book compared."""

from __future__ import annotations

import pytest

from tests.chaos.rounds import run, told
from tests.in_full import IN_FULL


@pytest.mark.slow
@pytest.mark.chaos
def test_killed_at_any_moment_loses_and_doubles_nothing() -> None:
    verdict = run(rounds=6 if IN_FULL else 2, seed=3, rate=40)
    assert not verdict.faults, told(verdict)
    assert verdict.orders > 15
