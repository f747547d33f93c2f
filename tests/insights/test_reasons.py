"""Every stable code has its words."""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator.insights.reasons import EXITED, FAILED, REFUSED, WITHHELD, with_code

PAGE = Path(__file__).resolve().parents[2] / "docs" / "interfaces.md"


def codes(of: str) -> set[str]:
    table = PAGE.read_text("utf-8").partition("## Reason codes")[2].splitlines()
    (row,) = [line for line in table if line.startswith((f"| {of} | ", f"| {of}, "))]
    return set(re.findall(r"`([a-z_]+)`", re.sub(r"\(.*?\)", "", row.split(" | ", 1)[1])))


def test_the_page_and_the_words_name_the_same_codes() -> None:
    assert set(REFUSED) == codes("`refused`")
    assert set(WITHHELD) == codes("`suppressed`")
    assert set(FAILED) == codes("`failed`")
    assert set(EXITED) == codes("`exited`")


def test_an_unknown_code_stands_alone() -> None:
    assert with_code(EXITED, "bought") == "bought"
