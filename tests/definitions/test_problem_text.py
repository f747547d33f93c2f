"""Problems as people read them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definitions.problem_text import WIDEST, render_problem
from orchestrator.errors import Problem


def test_headline_line_and_caret() -> None:
    problem = Problem("a.yaml", 12, 5, "unknown_key", "unknown key `emial`", "did you mean 'email'?", length=5)
    assert render_problem(problem, "  - emial: cart_first") == (
        "a.yaml:12:5: unknown key `emial`; did you mean 'email'? [unknown_key]\n"
        "  12 |   - emial: cart_first\n"
        "     |     ^^^^^"
    )
    assert render_problem(problem, None) == problem.headline()


def test_wide_characters_keep_the_caret_in_place() -> None:
    shown = render_problem(Problem("a.yaml", 1, 8, "c", "m", length=2), "title: 中文 x")
    assert shown.splitlines()[2] == "    |        ^^^^"
    shown = render_problem(Problem("a.yaml", 1, 5, "c", "m", length=1), "中文: x")
    assert shown.splitlines()[2] == "    |       ^"


def test_tabs_and_control_characters_are_made_visible() -> None:
    lines = render_problem(Problem("a.yaml", 1, 2, "tab", "m"), "\ta\x1b[31mred").splitlines()
    assert lines[1] == "  1 |     a\\x1b[31mred"
    assert lines[2] == "    |     ^"


def test_long_lines_show_the_part_around_the_caret() -> None:
    lines = render_problem(Problem("a.yaml", 1, 501, "c", "m", length=4), "x" * 500 + "HERE" + "y" * 500).splitlines()
    assert "HERE" in lines[1]
    assert lines[1][lines[2].index("^") :].startswith("HERE")
    assert len(lines[1]) < WIDEST + 20


@given(st.text(max_size=300), st.integers(1, 400), st.integers(0, 400))
def test_any_line_and_any_place(line: str, column: int, length: int) -> None:
    shown = render_problem(Problem("a.yaml", 1, column, "c", "m", length=length), line.replace("\n", " "))
    *_, source, caret = shown.split("\n")
    assert source.startswith("  1 | ")
    assert caret.strip("|^ ") == "" and "^" in caret
