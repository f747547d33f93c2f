"""Reads given/expect tests of journeys (the language reference, section 11), from a tests file or a journey's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.definitions.expectation import Expectation, JourneyTest
from orchestrator.definitions.expectation_models import ExpectModel, OwnTestsModel, TestsModel
from orchestrator.definitions.expectation_reader import ExpectationReader
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.scenario import RunReader
from orchestrator.definitions.scenario_findings import Findings, Where
from orchestrator.definitions.scenario_items import CustomerSpec
from orchestrator.definitions.scenario_models import CustomerModel
from orchestrator.definitions.scenario_verbatim import TEST_PATTERNS, with_source_text
from orchestrator.definitions.source import Document
from orchestrator.errors import Problem


def load_journey_tests(document: Document, base_dir: Path) -> tuple[tuple[JourneyTest, ...], tuple[Problem, ...]]:
    """The tests in `document`, and every problem; no tests where a problem is an error.

    `document` is a file below journeys/tests/ (`journey` and `tests`) or a journey file with `tests`; of the latter
    only that key is read here, and the problems of the file itself are left to the journey's own reader. `base_dir`
    is the folder of the file.
    """
    if not document.ok:
        return (), document.problems
    own = isinstance(document.data, dict) and "steps" in document.data
    if own and "tests" not in document.data:
        return (), ()
    document = with_source_text(document, [("tests", "*", *pattern) for pattern in TEST_PATTERNS])
    findings = Findings(document)
    findings.shape(OwnTestsModel if own else TestsModel, "tests" if own else None)
    tests = document.data.get("tests") if isinstance(document.data, dict) else None
    journey = document.data.get("journey") if isinstance(document.data, dict) else None
    found: dict[str, JourneyTest] = {}
    for index, raw in enumerate(tests if isinstance(tests, list) else ()):
        where: Where = ("tests", index)
        test = _read(findings, where, raw, base_dir, str(journey or "")) if isinstance(raw, dict) else None
        if test is not None and test.name in found:
            hint = "name each test after what it shows"
            findings.error((*where, "name"), "test_twice", f"two tests are called '{test.name}'", hint)
        elif test is not None:
            found[test.name] = test
    return (() if findings.failed else tuple(found.values())), findings.ordered


def _read(findings: Findings, where: Where, raw: dict[str, Any], base_dir: Path, journey: str) -> JourneyTest | None:
    run = RunReader(findings, where, base_dir, lists=("events", "timeline"))
    run.customer = _only_customer(findings, where, raw, run)
    scenario = run.read()
    expect = _expectations(raw, run)
    name, live = raw.get("name"), raw.get("with")
    if scenario is None or not isinstance(name, str):
        return None
    return JourneyTest(
        name=name,
        journey=journey,
        live=tuple(str(other) for other in live) if isinstance(live, list) else (),
        scenario=scenario,
        expect=expect,
        path=findings.document.path,
        line=findings.line(where),
    )


def _only_customer(findings: Findings, where: Where, raw: dict[str, Any], run: RunReader) -> CustomerSpec | None:
    """The `customer:` shorthand. Events without a customer are his, so it cannot stand beside several."""
    if "customer" not in raw:
        return None
    if raw.get("customers"):
        message = "'customer' is the only one, and there are 'customers' too"
        findings.error((*where, "customers"), "customer_and_customers", message, "keep one of the two keys", key=True)
    try:
        model = CustomerModel.model_validate(raw["customer"])
    except ValidationError:
        # Reported with its shape. A stand-in keeps every event from being told that it lacks a customer.
        return CustomerSpec(id="?")
    return run.customer_spec(model, (*where, "customer"))


def _expectations(raw: dict[str, Any], run: RunReader) -> tuple[Expectation, ...]:
    reader = ExpectationReader(run.findings, run.start)
    found = (reader.read(model, raw["expect"][where[-1]], where) for where, model in run.models("expect", _EXPECT))
    return tuple(item for item in found if item is not None)


_EXPECT: TypeAdapter[FileModel] = TypeAdapter(ExpectModel)
