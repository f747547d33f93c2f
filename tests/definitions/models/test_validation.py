"""Problems are ours: one for each mistake, in our words, with a place, whatever the file holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.definitions.models.flow import STEPS
from orchestrator.definitions.models.journey import JourneyModel
from orchestrator.definitions.models.project import ProjectModel
from orchestrator.definitions.models.schema import SchemaModel
from orchestrator.definitions.validation import validate
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.errors import Problem

CASES = Path(__file__).resolve().parent.parent.parent / "cases" / "lint" / "loading"
JOURNEYS = [path.read_text(encoding="utf-8") for path in sorted((CASES / "five_journeys").rglob("life/*.yaml"))]
JOURNEYS += [path.read_text(encoding="utf-8") for path in sorted((CASES / "every_key").rglob("carts/*.yaml"))]

LIBRARY_WORDS = re.compile(
    r"Input should|validation error|pydantic|union_tag|valid dictionary|Field required|Extra inputs|\{it\}|Traceback"
)


def problems_of(text: str, model: type = JourneyModel) -> list[Problem]:
    return validate(load_document("a.yaml", text), model)[1]


def assert_ours(problems: list[Problem], text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in problems:
        assert not LIBRARY_WORDS.search(f"{problem.message} {problem.hint}"), problem
        assert re.fullmatch(r"[a-z_]+", problem.code)
        assert 1 <= problem.line <= len(lines) + 1
        assert problem.column >= 1 and problem.length >= 1


def test_one_problem_for_one_mistake() -> None:
    text = "journey: j\nenter: {api: true}\nsteps:\n  - if: true\n    then:\n      - wait: {event: e, upto: 2d}\n"
    (problem,) = problems_of(text)
    assert (problem.line, problem.column, problem.code) == (6, 26, "unknown_key")
    assert problem.hint == "did you mean 'up_to'?"


def test_every_mistake_of_a_file_is_told_at_once_and_in_order() -> None:
    text = "journy: j\nenter: {evnt: a}\npriority: 101\nsteps:\n  - emial: x\n  - sms: {template: y, topik: z}\n"
    problems = problems_of(text)
    assert [problem.line for problem in problems] == [1, 2, 3, 5, 6]
    assert [problem.code for problem in problems] == [
        "unknown_key", "no_trigger", "bad_value", "no_verb", "unknown_key"
    ]  # fmt: skip


def test_nothing_is_made_of_a_document_with_errors_of_reading() -> None:
    journey, problems = validate(
        load_document("a.yaml", "journey: j\nenter: {api: true}\nsteps:\n  - {if: max(a, 2) > 1, then: []}\n"),
        JourneyModel,
    )
    assert journey is None
    assert [problem.code for problem in problems] == ["expression_cut"]


@pytest.mark.parametrize("verb", sorted(STEPS))
@pytest.mark.parametrize("value", ["", "3", "true", "text here", "[]", "{}", "[1]", "{a: 1}", "2.5", "'{{ x }}'"])
def test_any_value_under_any_verb(verb: str, value: str) -> None:
    text = f"journey: j\nenter: {{api: true}}\nsteps:\n  - {verb}: {value}\n"
    journey, problems = validate(load_document("a.yaml", text), JourneyModel)
    assert (journey is None) == bool(problems)
    assert_ours(problems, text)


_KEYS = [*STEPS, "then", "else", "event", "when", "template", "with", "any", "for", "x"]
_LEAVES = ["", "x", "3d", "09:00", "{{ x }}", "a b", "never"]
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.sampled_from(_LEAVES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150)
@given(steps=_VALUES, enter=_VALUES, exits=_VALUES)
def test_any_data_gives_our_problems_or_a_journey(steps: object, enter: object, exits: object) -> None:
    text = f"journey: j\nenter: {json.dumps(enter)}\nexit: {json.dumps(exits)}\nsteps: {json.dumps(steps)}\n"
    journey, problems = validate(load_document("a.yaml", text), JourneyModel)
    assert (journey is None) == bool(problems)
    assert_ours(problems, text)


@settings(max_examples=200)
@given(data=st.data())
def test_a_slip_of_the_hand_in_a_good_journey_is_never_a_crash(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(JOURNEYS))
    at = data.draw(st.integers(0, len(text)))
    end = min(len(text), at + data.draw(st.integers(0, 6)))
    put = data.draw(
        st.sampled_from(["", " ", "\n", "  ", ":", "- ", "{", "}", "[", "]", "'", '"', "x", ",", "#", "\t", "é"])
    )
    text = text[:at] + put + text[end:]
    journey, problems = validate(load_document("a.yaml", text), JourneyModel)
    assert journey is not None or problems
    assert_ours(problems, text)


@settings(max_examples=100)
@given(value=_VALUES, key=st.sampled_from(sorted(ProjectModel.known_keys())))
def test_any_data_in_project_and_schema(value: object, key: str) -> None:
    for model, text in (
        (ProjectModel, f"{key}: {json.dumps(value)}\n"),
        (SchemaModel, f"customer: {json.dumps(value)}\nevents: {{a: {json.dumps(value)}}}\n"),
    ):
        assert_ours(problems_of(text, model), text)
