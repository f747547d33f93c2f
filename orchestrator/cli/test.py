"""`orchestrator test`: the tests of journeys, on a virtual clock, with the real engine."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.problem_list import number_of
from orchestrator.cli.progress import progress_bar
from orchestrator.cli.project_loading import load_valid, nearest_file
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.testing.journey_tests import TestResult

DESCRIPTION = """Run the tests that stand in journeys and below journeys/tests/, each on a virtual clock of its own,
with the real engine. What differs from what was expected is shown. Ends with 1 if a test failed."""
EXAMPLES = """
orchestrator test
orchestrator test journeys/tests/welcome.yaml
orchestrator test --junit report.xml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PATH picks tests; --junit writes a report for CI."""
    parser.add_argument("paths", metavar="PATH", nargs="*", type=Path, help="only the tests in these files or folders")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="also write the results as JUnit XML")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Runs them and prints how they went."""
    from orchestrator.testing.journey_tests import run_journey_tests

    loaded = load_valid(args.project, terminal)
    paths = [_existing(path, args.project) for path in args.paths]
    with progress_bar(terminal, "testing") as progress:
        results = run_journey_tests(loaded, paths, progress)
    if args.junit is not None:
        from orchestrator.cli.junit import junit_xml

        args.junit.write_text(junit_xml(results), encoding="utf-8")
    terminal.data([_as_dict(result) for result in results])
    _show(results, terminal)
    return 0 if all(result.passed for result in results) else 1


def _existing(path: Path, root: Path) -> Path:
    for place in (path, root / path):
        if place.exists():
            return place
    raise UsageError(f"there is no file or folder {path}{nearest_file(path)}", "file_missing")


def _show(results: Sequence[TestResult], terminal: Terminal) -> None:
    journey = None
    for result in results:
        if result.journey != journey:
            journey = result.journey
            terminal.say(terminal.paint(journey, "bold"))
        mark = terminal.paint("✓", "green") if result.passed else terminal.paint("✗", "red", "bold")
        terminal.say(f"  {mark} {result.name}")
    failed = [result for result in results if not result.passed]
    for result in failed:
        terminal.say(f"\n{terminal.paint('✗', 'red', 'bold')} {result.journey}: {result.name}\n{result.failures}")
    if not results:
        terminal.say("no tests were found; they stand in a journey's file under tests:, or below journeys/tests/")
        return
    seconds = sum(result.seconds for result in results)
    passed = f"{len(results) - len(failed):,} passed"
    counts = f"{passed}, {len(failed):,} failed" if failed else f"{number_of(len(results), 'test')} passed"
    terminal.say(f"\n{counts} in {seconds:.2f} s")


def _as_dict(result: TestResult) -> dict[str, object]:
    return {
        "name": result.name,
        "journey": result.journey,
        "path": result.path,
        "line": result.line,
        "passed": result.passed,
        "failures": result.failures,
        "seconds": round(result.seconds, 3),
    }
