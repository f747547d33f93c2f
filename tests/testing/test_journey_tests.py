"""Tests of journeys: what is live, which are picked, and what is wrong with them before they run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.errors import ProjectInvalid
from orchestrator.testing.journey_tests import run_journey_tests

TEMPLATE = Path(__file__).resolve().parents[2] / "orchestrator" / "project_template"

ONE = """journey: {journey}
tests:
  - name: n
    with: [{live}]
    start: 2026-03-02T12:00:00Z
    customer: {{id: ana, email: ana@example.com, timezone: Europe/Lisbon}}
    events:
      - {{at: +0m, event: signed_up}}
      - {{at: +1m, event: order_placed, properties: {{total: 80}}}}
    expect:
      - {{completed: true}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(TEMPLATE, tmp_path / "p")
    return tmp_path / "p"


def with_test(root: Path, **values: str) -> LoadedProject:
    (root / "journeys" / "tests" / "one.yaml").write_text(ONE.format(**({"live": ""} | values)))
    return load_project(root)


def test_shipped_tests_pass_in_the_order_of_files(root: Path) -> None:
    results = run_journey_tests(load_project(root))
    assert [result.passed for result in results] == [True] * 7
    assert [(r.path, r.line) for r in results] == sorted((r.path, r.line) for r in results)
    assert all(result.failures == "" and result.lines for result in results)


def test_only_its_own_journey_is_live_and_those_it_names(root: Path) -> None:
    paths = [root / "journeys" / "tests" / "one.yaml"]
    (alone,) = run_journey_tests(with_test(root, journey="after_purchase"), paths)
    assert alone.passed and {line.get("journey") for line in alone.lines} <= {"after_purchase", None}
    (both,) = run_journey_tests(with_test(root, journey="after_purchase", live="welcome"), paths)
    assert both.passed and {line.get("journey") for line in both.lines} >= {"after_purchase", "welcome"}


def test_expectations_are_about_its_own_journey(root: Path) -> None:
    # after_purchase completes beside it, welcome does not: its customer bought.
    loaded = with_test(root, journey="welcome", live="after_purchase")
    (result,) = run_journey_tests(loaded, [root / "journeys" / "tests" / "one.yaml"])
    assert not result.passed and "completed" in result.failures


@pytest.mark.parametrize("values", [{"journey": "welcom"}, {"journey": "welcome", "live": "after_purchas"}])
def test_a_journey_that_does_not_exist_would_make_every_silence_pass(root: Path, values: dict[str, str]) -> None:
    with pytest.raises(ProjectInvalid) as refused:
        run_journey_tests(with_test(root, **values))
    (problem, *_) = refused.value.problems
    assert problem.path == "journeys/tests/one.yaml" and problem.hint is not None and "did you mean" in problem.hint


def test_progress_is_told(root: Path) -> None:
    told: list[tuple[int, int]] = []
    run_journey_tests(load_project(root), progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 7) for number in range(1, 8)]
