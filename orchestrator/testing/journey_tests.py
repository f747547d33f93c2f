"""Runs the given/expect tests of journeys (the language reference, section 11): each a scenario of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.definitions.expectation import JourneyTest
from orchestrator.definitions.journey_tests import load_journey_tests
from orchestrator.definitions.load import LoadedProject
from orchestrator.errors import Problem, ProjectInvalid
from orchestrator.records import dataclass
from orchestrator.testing.expectations import match_expectations, render_failures
from orchestrator.testing.scenario_run import simulate_scenario


@dataclass(frozen=True, slots=True)
class TestResult:
    """How one test went. `failures` is the report for people, empty where it passed; `lines` is what was printed."""

    __test__ = False  # not a class for pytest to collect

    name: str
    journey: str
    path: str
    line: int
    passed: bool
    failures: str
    seconds: float
    lines: tuple[dict[str, Any], ...]


Progress = Callable[[int, int], None]


def run_journey_tests(
    loaded: LoadedProject, paths: Sequence[Path] = (), progress: Progress | None = None
) -> list[TestResult]:
    """Runs every test of the project, or those of the files and folders in `paths`, in the order of files and lines.

    Raises ProjectInvalid where a file that matters has errors: the project's, or those of the tests themselves.
    """
    loaded.require_valid()
    tests = list(collect(loaded, paths))
    results = []
    for number, test in enumerate(tests, 1):
        results.append(run_test(loaded, test))
        if progress is not None:
            progress(number, len(tests))
    return results


def collect(loaded: LoadedProject, paths: Sequence[Path] = ()) -> Iterator[JourneyTest]:
    """The tests of journeys' own files and of journeys/tests/, as `run_journey_tests` takes them."""
    problems: list[Problem] = []
    found: list[JourneyTest] = []
    for document in loaded.documents.values():
        is_test_file = document in loaded.files.journey_tests
        if not is_test_file and not (isinstance(document.data, dict) and "steps" in document.data):
            continue
        place = loaded.root / document.path
        if paths and not any(_within(place, path) for path in paths):
            continue
        tests, told = load_journey_tests(document, place.parent)
        problems += [problem for problem in told if problem.severity == "error"]
        for test in tests:
            problems += _unknown_journeys(loaded, test)
        found += tests
    if problems:
        raise ProjectInvalid(sorted(problems, key=lambda problem: (problem.path, problem.line, problem.column)))
    yield from sorted(found, key=lambda test: (test.path, test.line))


def run_test(loaded: LoadedProject, test: JourneyTest) -> TestResult:
    """Runs one test: its journey alone is live, and those in `with`."""
    lines: list[dict[str, Any]] = []
    began = perf_counter()
    simulate_scenario(loaded, test.scenario, lines.append, only=frozenset({test.journey, *test.live}))
    seconds = perf_counter() - began
    failures = match_expectations(lines, test, test.scenario.start)
    report = render_failures(test, failures, lines, test.scenario.start) if failures else ""
    return TestResult(test.name, test.journey, test.path, test.line, not failures, report, seconds, tuple(lines))


def _within(place: Path, path: Path) -> bool:
    return place.resolve().is_relative_to(path.resolve())


def _unknown_journeys(loaded: LoadedProject, test: JourneyTest) -> list[Problem]:
    """Without its journey a test would run, and every "no messages" would pass."""
    journeys = loaded.project.journeys
    return [
        Problem(
            test.path, test.line, 1, "unknown_journey", f"there is no journey '{name}'", did_you_mean(name, journeys)
        )
        for name in (test.journey, *test.live)
        if name not in journeys
    ]
