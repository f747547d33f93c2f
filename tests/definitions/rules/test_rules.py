"""Every rule on a project that breaks it: the output as people read it is compared as a whole.

A case is a folder below tests/cases/lint/rules named by the rule's code. Its files are laid over `_base`, a small sound
project; `expected.txt` holds everything that lint says. ``UPDATE_GOLDEN=1`` writes it anew: read the difference.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import shutil
from pathlib import Path

import pytest

from orchestrator.definitions import rules
from orchestrator.definitions.lint import lint_project
from orchestrator.definitions.problem_text import render_problem
from orchestrator.definitions.rules.registry import RULES
from orchestrator.errors import Problem

ROOT = Path(__file__).resolve().parents[3]
CASES = ROOT / "tests" / "cases" / "lint" / "rules"
EXPECTED = "expected.txt"


def lay_out(case: str, folder: Path) -> Path:
    """The project of a case, in a folder of its own."""
    for source in (CASES / "_base", CASES / case):
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(EXPECTED))
    return folder


def shown(problem: Problem, root: Path) -> str:
    path = root / problem.path
    lines = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
    line = lines[problem.line - 1] if 1 <= problem.line <= len(lines) else None
    return f"{problem.severity}: {render_problem(problem, line)}"


@pytest.mark.parametrize("code", sorted(RULES))
def test_what_a_rule_says(code: str, tmp_path: Path) -> None:
    assert (CASES / code).is_dir(), f"the rule {code} has no case in {CASES.relative_to(ROOT)}"
    _, problems = lint_project(lay_out(code, tmp_path))
    assert code in {problem.code for problem in problems}
    said = "\n\n".join(shown(problem, tmp_path) for problem in problems) + "\n"
    expected = CASES / code / EXPECTED
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")


def test_the_base_of_all_cases_is_sound(tmp_path: Path) -> None:
    shutil.copytree(CASES / "_base", tmp_path, dirs_exist_ok=True)
    _, problems = lint_project(tmp_path)
    assert problems == ()


def test_every_rule_file_is_registered_under_its_code() -> None:
    files = {module.name for module in pkgutil.iter_modules(rules.__path__)} - {"analysis", "registry"}
    assert files == set(RULES)
    for name in files:
        module = importlib.import_module(f"{rules.__name__}.{name}")
        assert (module.CODE, RULES[name]) == (name, module.check)
        assert module.SEVERITY in ("error", "warning")
        assert module.__doc__


def test_every_case_has_a_rule() -> None:
    assert {path.name for path in CASES.iterdir() if path.name != "_base"} == set(RULES)
