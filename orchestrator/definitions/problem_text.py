"""A problem as people read it: the headline, the line of the file, and a caret under what is meant."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from orchestrator.errors import Problem

WIDEST = 110
"""Columns of a shown line; of a longer one the part around the caret is shown."""

_TAB = "    "


def render_problem(problem: Problem, source_line: str | None = None) -> str:
    """The problem in one to three lines, without a line break at the end. `source_line` None: the headline only."""
    if source_line is None:
        return problem.headline()
    source_line = source_line.rstrip("\r\n")
    start = min(max(problem.column - 1, 0), len(source_line))
    length = max(1, min(problem.length, len(source_line) - start))
    before, marked, after = source_line[:start], source_line[start : start + length], source_line[start + length :]
    before, cut_left = _tail(_printable(before), WIDEST // 2)
    marked = _head(_printable(marked), WIDEST // 2)[0]
    after, cut_right = _head(_printable(after), WIDEST - _width(before) - _width(marked))
    before = ("…" if cut_left else "") + before
    number = str(problem.line)
    gutter = " " * len(number)
    shown = before + marked + after + ("…" if cut_right else "")
    caret = " " * _width(before) + "^" * max(1, _width(marked))
    return f"{problem.headline()}\n  {number} | {shown}\n  {gutter} | {caret}"


def render_problems(problems: Sequence[Problem], lines_of: Mapping[str, Sequence[str]]) -> str:
    """All problems, a blank line between two. `lines_of` maps a problem's path to the lines of that file."""
    shown = []
    for problem in problems:
        lines = lines_of.get(problem.path, ())
        inside = 1 <= problem.line <= len(lines)
        shown.append(render_problem(problem, lines[problem.line - 1] if inside else None))
    return "\n\n".join(shown)


def _printable(text: str) -> str:
    """Tabs widened; what a terminal would act upon or hide is shown as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_TAB if char == "\t" else char if _shows(char) else _escape(char) for char in text)


def _shows(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"


def _escape(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"


def _width(text: str) -> int:
    """Terminal columns: Chinese characters and most emoji take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _head(text: str, columns: int) -> tuple[str, bool]:
    if _width(text) <= columns:
        return text, False
    while text and _width(text) > columns:
        text = text[: max(1, len(text) - max(1, (_width(text) - columns) // 2))] if len(text) > 1 else ""
    return text, True


def _tail(text: str, columns: int) -> tuple[str, bool]:
    kept, cut = _head(text[::-1], columns)
    return kept[::-1], cut
