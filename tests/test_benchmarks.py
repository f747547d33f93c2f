"""The benchmarks still run: their figures are read by people, so nothing else would notice that one broke."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.expressions import scope_with_facts
from benchmarks.workload import KINDS, compared, maker, run


def test_the_scope_of_the_expressions_has_its_facts() -> None:
    scope = scope_with_facts()
    assert scope.customer["tier"] == "gold"
    assert len(scope.facts.events("order_placed")) == 40


@pytest.mark.parametrize("kind", KINDS)
def test_the_workload_runs_through(kind: str, tmp_path: Path) -> None:
    figures = run(maker(kind, tmp_path), customers=60)
    assert 0 < figures["decide"] < figures["total"]


def test_the_floor_writes_the_rows_of_the_workload(tmp_path: Path) -> None:
    figures = compared(tmp_path, customers=90, slice=60)
    assert 0 < figures["floor"] < figures["total"]
