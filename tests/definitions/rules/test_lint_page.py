"""docs/lint.md knows every code: each rule has a section with an example, every other code a line in a table."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.definitions.rules.registry import RULES

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "lint.md"
CASES = ROOT / "tests" / "cases" / "lint" / "rules"

# Which argument of a call is a problem's code.
PLACES = {
    "fault": 0, "report": 0, "finding": 0, "Miswritten": 0,
    "complain": 1, "note": 1, "_note": 1, "problem": 1, "_problem": 1,
    "Problem": 3,
}  # fmt: skip
OTHER_FILES = ("scenario", "mapping", "table_", "event_tables", "expectation", "journey_tests", "plain_rows", "preview")
"""Modules that read files which are no part of a project, and whose codes are told elsewhere."""


def codes_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            place = PLACES.get(name, len(node.args))
            code = node.args[place] if place < len(node.args) else None
            if isinstance(code, ast.Constant) and re.fullmatch(r"[a-z]+(_[a-z]+)+", str(code.value)):
                yield str(code.value)


def test_every_code_of_the_loader_compiler_and_templates_is_on_the_page() -> None:
    files = [
        path
        for folder in ("definitions", "templating")
        for path in (ROOT / "orchestrator" / folder).rglob("*.py")
        if not path.name.startswith(OTHER_FILES)
    ]
    used = {code for path in files for code in codes_in(path)}
    assert len(used) > 60, "the scan no longer finds what it looks for"
    page = PAGE.read_text(encoding="utf-8")
    assert {code for code in used if f"`{code}`" not in page and f"### {code}\n" not in page} == set()


def test_every_code_of_a_case_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    said = "".join(path.read_text(encoding="utf-8") for path in CASES.glob("*/expected.txt"))
    told = set(re.findall(r"^\w+: .*\[(\w+)\]$", said, re.MULTILINE))
    assert told >= set(RULES)
    assert {code for code in told if f"`{code}`" not in page and f"### {code}\n" not in page} == set()


@pytest.mark.parametrize("code", sorted(RULES))
def test_every_rule_has_a_section_with_both_examples(code: str) -> None:
    section = re.search(rf"^### {code}\n(.*?)(?=^#|\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert section, f"docs/lint.md has no section ### {code}"
    assert re.search(r"^bad:", section[1], re.MULTILINE) and re.search(r"^good:", section[1], re.MULTILINE)


def test_the_page_describes_no_rule_that_is_gone() -> None:
    assert set(re.findall(r"^### (\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == set(RULES)
