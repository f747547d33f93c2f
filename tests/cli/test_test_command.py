"""`orchestrator test`: marks, diffs, JUnit, exit codes."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

WRONG = """journey: welcome
tests:
  - name: 'expects <too> much & "more"'
    start: 2026-03-02T12:00:00Z
    customer: {id: ana, email: ana@example.com}
    events: [{at: +0m, event: signed_up}]
    expect:
      - {message: welcome, at: +1h}
"""


def test_shipped_tests_pass(cli: Any, project: Path) -> None:
    done = cli("test")
    assert done.code == 0
    assert "after_purchase\n  ✓ tips after three days, a question after ten\n" in done.out
    assert "7 tests passed in " in done.out.splitlines()[-1]


def test_a_failure_shows_what_was_and_what_was_expected(cli: Any, project: Path) -> None:
    Path("journeys/tests/wrong.yaml").write_text(WRONG)
    done = cli("test")
    assert done.code == 1
    assert '  ✗ expects <too> much & "more"' in done.out
    assert "journeys/tests/wrong.yaml:8" in done.out and "+1h" in done.out
    assert "7 passed, 1 failed" in done.out
    assert cli("test", "journeys/tests/welcome.yaml").code == 0
    assert "1 failed" in cli("test", "journeys/tests/wrong.yaml").out


def test_junit_is_xml_that_names_every_test(cli: Any, project: Path) -> None:
    Path("journeys/tests/wrong.yaml").write_text(WRONG)
    assert cli("test", "--junit", "report.xml").code == 1
    suites = ElementTree.parse("report.xml").getroot()
    assert (suites.tag, suites.get("tests"), suites.get("failures")) == ("testsuites", "8", "1")
    cases = list(suites.iter("testcase"))
    assert len(cases) == 8
    (failed,) = [case for case in cases if case.find("failure") is not None]
    assert failed.get("name") == 'expects <too> much & "more"' and failed.get("classname") == "welcome"
    assert failed.get("file") == "journeys/tests/wrong.yaml" and failed.get("line") == "3"


def test_tests_that_cannot_be_read_are_problems_of_files(cli: Any, project: Path) -> None:
    Path("journeys/tests/wrong.yaml").write_text(WRONG.replace("journey: welcome", "journey: welcom"))
    done = cli("test")
    assert done.code == 1 and "did you mean 'welcome'?" in done.err + done.out


def test_a_project_with_errors_is_not_tested(cli: Any, project: Path) -> None:
    Path("journeys/broken.yaml").write_text("journey: broken\n")
    done = cli("test")
    assert done.code == 1 and "journeys/broken.yaml" in done.err


def test_own_tests_of_a_journey_file(cli: Any, project: Path) -> None:
    own = WRONG.partition("tests:")[2].replace("+1h", "+0m")
    with Path("journeys/welcome.yaml").open("a") as file:
        file.write("tests:" + own)
    done = cli("test", "journeys/welcome.yaml")
    assert done.code == 0 and "1 test passed" in done.out


@pytest.mark.parametrize("path", ["nowhere.yaml", "journeys/tests/welcom.yaml"])
def test_a_path_that_is_not_there(path: str, cli: Any, project: Path) -> None:
    assert cli("test", path).code == 2
