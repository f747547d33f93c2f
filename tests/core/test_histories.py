"""Yesterday's runs, replayed: the whole journal of each folder below tests/cases/histories/, line by line.

A folder holds a project, a `scenario.yaml`, and the lines that it gave when somebody last read them against the
language reference, in `expected.jsonl` (all that the simulator prints, but for the html). UPDATE_GOLDEN=1 writes them
anew: read the difference before you keep it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import orchestrator.core.steps.table  # noqa: F401  fills the table of step functions
from orchestrator.core.advance import STEPS
from orchestrator.core.program import StepBase
from orchestrator.definitions.lint import lint_project
from tests.small_projects import loaded, run, scenario_of

HISTORIES = Path(__file__).resolve().parent.parent / "cases" / "histories"
NAMES = sorted(folder.name for folder in HISTORIES.iterdir() if (folder / "scenario.yaml").exists())


@pytest.mark.parametrize("name", NAMES)
def test_a_history_is_told_as_it_was(name: str) -> None:
    folder = HISTORIES / name
    told = [json.dumps(line, ensure_ascii=False) for line in lines_of(folder)]
    expected = folder / "expected.jsonl"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text("".join(f"{line}\n" for line in told), encoding="utf-8")
    kept = expected.read_text(encoding="utf-8").splitlines()
    for number, (line, before) in enumerate(zip(told, kept, strict=False), 1):
        assert line == before, f"line {number} of {expected.relative_to(HISTORIES)}"
    assert len(told) == len(kept)


@pytest.mark.parametrize("name", NAMES)
def test_a_historys_project_is_free_of_errors(name: str) -> None:
    _, problems = lint_project(HISTORIES / name)
    assert [problem.headline() for problem in problems if problem.severity == "error"] == []


def test_the_histories_walk_every_kind_of_step() -> None:
    seen: set[type[StepBase]] = set()
    for name in NAMES:
        for journey in loaded(HISTORIES / name).project.journeys.values():
            seen.update(type(step) for step in journey.steps)
    assert set(STEPS) == seen


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """The lines of a folder's scenario, without html."""
    scenario = scenario_of((folder / "scenario.yaml").read_text(encoding="utf-8"), folder)
    lines, _ = run(loaded(folder), scenario)
    for line in lines:
        line.pop("html", None)
    return lines
