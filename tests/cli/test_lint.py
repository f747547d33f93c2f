"""`orchestrator lint`: problems for people and for machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

MISTAKE = """journey: thank_you
topic: care
enter:
  event: order_placed
steps:
  - wiat: 1d
  - email: care_tips
"""


def test_nothing_to_say_leaves_stdout_empty(cli: Any, project: Path) -> None:
    done = cli("lint")
    assert (done.code, done.out, done.err) == (0, "", "no problems in 2 journeys\n")


def test_a_mistake_is_shown_with_its_line_and_the_way_out(cli: Any, project: Path) -> None:
    Path("journeys/thank_you.yaml").write_text(MISTAKE)
    done = cli("lint")
    assert done.code == 1 and done.err == ""
    first, line, caret, *_ = done.out.splitlines()
    assert first.startswith("journeys/thank_you.yaml:6:5: ")
    assert "wiat" in first and "did you mean 'wait'?" in first and first.endswith("]")
    assert line == "  6 |   - wiat: 1d" and caret == "    |     ^^^^"
    assert "1 error in 1 file" in done.out.splitlines()[-1]


def test_json_is_a_list_of_problems(cli: Any, project: Path) -> None:
    Path("journeys/thank_you.yaml").write_text(MISTAKE)
    done = cli("--json", "lint")
    assert done.code == 1
    (problem,) = done.json
    assert set(problem) == {"path", "line", "column", "code", "message", "hint", "severity"}
    assert (problem["path"], problem["line"], problem["column"]) == ("journeys/thank_you.yaml", 6, 5)
    assert "1 error in 1 file" in done.err


def test_paths_restrict_what_is_shown(cli: Any, project: Path) -> None:
    Path("journeys/thank_you.yaml").write_text(MISTAKE)
    assert cli("lint", "journeys/welcome.yaml", "templates").code == 0
    assert cli("lint", "journeys/thank_you.yaml").code == 1
    assert cli("lint", "journeys").code == 1
    done = cli("lint", "journeys/thankyou.yaml")
    assert done.code == 2 and "did you mean journeys/thank_you.yaml?" in done.err


def test_hostile_files_are_told_and_never_raise(cli: Any, project: Path) -> None:
    Path("journeys/bad.yaml").write_bytes(b"\xff\xfe\x00journey")
    Path("journeys/deep.yaml").write_text("a: " + "[" * 50_000)
    Path("journeys/empty.yaml").write_text("")
    Path("journeys/list.yaml").write_text("- 1\n- 2\n")
    done = cli("lint", "--json")
    assert done.code == 1
    assert {problem["path"] for problem in done.json} >= {
        f"journeys/{name}.yaml" for name in ("bad", "deep", "empty", "list")
    }
