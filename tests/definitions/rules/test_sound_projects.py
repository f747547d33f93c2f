"""Lint is quiet where nothing is wrong: on the shipped journeys, on five journeys as the language should read, and on
many generated ones."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest

from orchestrator.definitions.lint import lint_project, run_rules
from orchestrator.definitions.load import load_project
from orchestrator.errors import Problem
from tests.shipped import ROOT, linted

HERE = Path(__file__).resolve().parent
SOUND = ROOT / "tests" / "cases" / "lint" / "sound"


def headlines(problems: tuple[Problem, ...], severity: str) -> list[str]:
    return [problem.headline() for problem in problems if problem.severity == severity]


def test_the_shipped_journeys_have_no_errors() -> None:
    loaded, problems = linted()
    assert headlines(problems, "error") == []
    assert {problem.code for problem in problems} <= {"channel_not_configured"}
    assert len(loaded.sources) == 21


def test_journeys_as_the_language_should_read_give_no_word() -> None:
    loaded, problems = lint_project(SOUND)
    assert headlines(problems, "error") == []
    assert headlines(problems, "warning") == []
    assert len(loaded.sources) == 5


def test_a_generated_project_gives_no_word(tmp_path: Path) -> None:
    runpy.run_path(str(HERE / "generated_project.py"))["write_project"](tmp_path, 8)
    assert [problem.headline() for problem in lint_project(tmp_path)[1]] == []


def test_rules_and_loading_are_told_together_in_the_order_of_the_files(tmp_path: Path) -> None:
    shutil.copytree(SOUND, tmp_path, dirs_exist_ok=True)
    _change(tmp_path / "journeys" / "shop" / "win_back.yaml", "winback10", "winback_10")
    _change(tmp_path / "journeys" / "stay" / "post_stay.yaml", "answer.score <= 6", "answer.skore <= 6")
    _change(tmp_path / "templates" / "email" / "flyer.html", "Come in.", "{{ custommer.first_name }}")
    _, problems = lint_project(tmp_path)
    errors = [problem for problem in problems if problem.severity == "error"]
    assert [problem.code for problem in errors] == ["unknown_offer", "unknown_property", "unknown_template_variable"]
    assert [problem.path for problem in errors] == sorted(problem.path for problem in errors)
    only = lint_project(tmp_path, only=[tmp_path / "journeys" / "shop"])[1]
    assert [problem.code for problem in only if problem.severity == "error"] == ["unknown_offer"]


@pytest.mark.parametrize("name", ["project", "schema", "segments", "offers"])
def test_a_file_that_cannot_be_read_is_told_and_nothing_that_stands_in_it(name: str, tmp_path: Path) -> None:
    shutil.copytree(SOUND, tmp_path, dirs_exist_ok=True)
    broken = tmp_path / "journeys" / f"{name}.yaml"
    broken.write_text(broken.read_text(encoding="utf-8") + "\n  oops: [", encoding="utf-8")
    _, problems = lint_project(tmp_path)
    assert {problem.path for problem in problems if problem.severity == "error"} == {f"journeys/{name}.yaml"}


def test_the_rules_do_not_change_what_was_loaded_and_say_the_same_again() -> None:
    loaded = load_project(SOUND)
    before = repr(loaded.project.journeys)
    assert list(run_rules(loaded)) == list(run_rules(loaded))
    assert repr(loaded.project.journeys) == before


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
