"""Golden loading cases: a small project in each folder of tests/cases/lint/loading, and every word said about it.

`UPDATE_GOLDEN=1` writes what is said now to `expected.txt`; the difference is then reviewed as text.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.definitions.problem_text import render_problems
from orchestrator.definitions.project_files import load_project_files

CASES = Path(__file__).resolve().parent.parent / "cases" / "lint" / "loading"


@pytest.mark.parametrize("case", sorted(entry.name for entry in CASES.iterdir() if entry.is_dir()))
def test_says_what_is_expected(case: str) -> None:
    files = load_project_files(CASES / case)
    said = render_problems(files.problems, {problem.path: files.lines_of(problem.path) for problem in files.problems})
    expected = CASES / case / "expected.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(f"{said}\n" if said else "", encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8").rstrip("\n")


def test_every_case_but_the_good_ones_finds_something() -> None:
    silent = {case.name for case in CASES.iterdir() if not (case / "expected.txt").read_text(encoding="utf-8")}
    assert silent == {"every_key", "five_journeys"}
