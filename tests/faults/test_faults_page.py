"""docs/faults.md: every row names a test, and every test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "faults.md"


def rows() -> list[list[str]]:
    """The cells of every row but headings."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [cells for cells in found if cells[-1] != "shown by"]


def test_every_row_names_tests_that_are_there() -> None:
    assert len(rows()) > 60
    for cells in rows():
        assert len(cells) == 3, cells
        named = re.findall(r"`([^`]+)`", cells[2])
        assert named, cells
        for reference in named:
            path, _, name = reference.partition("::")
            assert (TESTS / path).is_file(), reference
            assert not name or f"def {name}(" in (TESTS / path).read_text(encoding="utf-8"), reference
