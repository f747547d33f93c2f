"""Mistakes in scenario files: each found, at its place, with a way out; and never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definitions.scenario import load_scenario
from orchestrator.definitions.scenario_item_models import ITEMS
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.errors import Problem

START = "start: 2026-03-01T10:00:00Z\n"


def problems_of(text: str) -> tuple[Problem, ...]:
    scenario, problems = load_scenario(load_document("s.yaml", text), Path("."))
    assert (scenario is None) == any(problem.severity == "error" for problem in problems)
    return problems


CASES: list[tuple[str, str, str]] = [
    ("", "1:1", "missing_key"),
    ("start: 2026-03-01T10:00:00\n", "1:8", "without a zone"),
    ("start: +1h\n", "1:8", "expected an instant with a zone"),
    ("strat: 2026-03-01T10:00:00Z\n", "1:1", "did you mean 'start'?"),
    (START + "until: -1d\n", "2:8", "the scenario ends before it starts"),
    (START + "until: 30d\n", "2:8", "did you mean '+30d'?"),
    (START + "until: 30\n", "2:8", "add a sign and the unit: +30m, +30h or +30d"),
    (START + "seed: abc\n", "2:7", "whole number"),
    (START + "timeline: [{at: +1h, customer: u1, evnt: x}]\n", "2:36", "did you mean 'event'?"),
    (START + "timeline: [{at: +1h, customer: u1}]\n", "2:12", "it has one of event, identify"),
    (START + "timeline: [{at: +1h, pause: a, resume: a}]\n", "2:32", "`pause` and `resume`"),
    (START + "timeline: [{customer: u1, event: x}]\n", "2:12", "needs `at`"),
    (START + "timeline: [{at: +1h, event: x}]\n", "2:12", "`event` is about nobody; add `customer:`"),
    (START + "timeline: [{at: +1h, pause: }]\n", "2:22", "`pause` has no value"),
    (START + "timeline: [{at: +1h, pause: j, customer: u1}]\n", "2:32", "unknown key `customer`"),
    (START + "timeline: [{at: -1h, pause: j}]\n", "2:17", "the clock begins at the start"),
    (START + "timeline: [{at: 1h, pause: j}]\n", "2:17", "did you mean '+1h'?"),
    (START + "timeline: [{at: '2026-02-30T10:00:00Z', pause: j}]\n", "2:17", "2026-02-30"),
    (START + "timeline: [{at: '2026-12-31T23:59:60Z', pause: j}]\n", "2:17", "leap second"),
    (START + "timeline: [{at: '10000-01-01T00:00:00Z', pause: j}]\n", "2:17", "years go from 0001 to 9999"),
    (START + "timeline: [{at: 1772359200000, pause: j}]\n", "2:17", "not the number 1772359200000"),
    ("start: 9990-01-01T00:00:00Z\ntimeline: [{at: +99y, pause: j}]\n", "2:17", "no fixed length"),
    ("start: 9990-01-01T00:00:00Z\ntimeline: [{at: +9999d, pause: j}]\n", "2:17", "out of the years 0001 to 9999"),
    (START + "timeline: [{at: +1h, provider: {channel: emial, outcome: bounce}}]\n", "2:42", "did you mean 'email'?"),
    (START + "timeline: [{at: +1h, provider: {channel: email, outcome: bonce}}]\n", "2:58", "did you mean 'bounce'?"),
    (START + "timeline: [{at: +1h, receipt: {customer: u, channel: sms, kind: reply}}]\n", "2:31", "needs its `text`"),
    (
        START + "timeline: [{at: +1h, customer: a, receipt: {customer: b, channel: sms, kind: open}}]\n",
        "2:55",
        "keep one",
    ),
    (START + "timeline: [{at: +1h, http: {url: x, error: true, status: 200}}]\n", "2:28", "ends in one way"),
    (START + "timeline: [{at: +1h, stall: 3}]\n", "2:29", "'3d'"),
    (START + "timeline: [{at: +1h, stall: 0s}]\n", "2:29", "takes some time"),
    (START + "timeline: [{at: +1h, stall: 1mo}]\n", "2:29", "no fixed length"),
    (START + "timeline: [{at: +1h, kill: everything}]\n", "2:28", "`kill` takes all"),
    (START + "timeline: [{at: +1h, kill: {}}]\n", "2:28", "write {channel: sms}, {journey: J} or all"),
    (START + "timeline: [{at: +1h, deploy: nowhere}]\n", "2:30", "there is no folder 'nowhere'"),
    (START + "timeline: [{at: +1h, merge: {from: a, into: a}}]\n", "2:45", "cannot be merged into itself"),
    (START + "timeline: [event]\n", "2:12", "write `event: ...`"),
    (START + "timeline: {at: +1h}\n", "2:11", "takes a list"),
    (START + "customers: [{id: a}, {id: a}]\n", "2:27", "two customers have the id 'a'"),
    (START + "customers: [{id: ''}]\n", "2:14", "empty"),
    (START + "customers: [{id: a, created_at: +1d}]\n", "2:33", "would be created later"),
    (START + "customers: [{id: a, consents: {p: {email: no}}}]\n", "2:43", "takes in or out"),
    (START + "history: [{at: +1d, customer: a, event: x}]\n", "2:16", "history lies before the start"),
    (START + "history: [{at: -1d, event: x}]\n", "2:11", "needs a customer"),
    (START + "force: {holdout: maybe}\n", "2:18", "true or false"),
    (START + "force: {subject: true}\n", "2:18", "forced to a variant"),
    (START + "start: 2026-03-01T10:00:00Z\n", "2:1", "start"),
]


@pytest.mark.parametrize(("text", "place", "words"), CASES, ids=[f"{place} {words}" for _, place, words in CASES])
def test_a_mistake_is_pointed_at(text: str, place: str, words: str) -> None:
    found = problems_of(text)
    errors = [problem for problem in found if problem.severity == "error"]
    assert errors, "no error was found"
    assert any(f"s.yaml:{place}:" in error.headline() and words in error.headline() for error in errors), [
        error.headline() for error in errors
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (START + "customers: [{id: a, timezone: Asia/Shanghia}]\n", "did you mean 'Asia/Shanghai'?"),
        (START + "until: +1h\ntimeline: [{at: +2h, pause: j}]\n", "will not happen"),
    ],
)
def test_what_is_only_strange_is_a_warning(text: str, words: str) -> None:
    [problem] = problems_of(text)
    assert problem.severity == "warning"
    assert words in problem.headline()


def test_all_mistakes_are_told_at_once_and_in_order() -> None:
    found = problems_of(
        "start: 2026-03-01\nuntil: tomorrow\ntimeline:\n"
        "  - {at: +1h, event: x}\n  - {at: +1h, paus: j}\n  - {at: 1h, pause: j}\n"
    )
    assert [(problem.line, problem.column) for problem in found] == [(1, 8), (2, 8), (4, 5), (5, 15), (6, 10)]


def test_events_of_unknown_customers_are_no_mistake() -> None:
    assert problems_of(START + "timeline: [{at: +1h, customer: nobody, event: x}]\n") == ()


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
words = st.sampled_from(["all", "email", "+1h", "1h", "-1d", "u1", "in", "click", "2026-03-01T10:00:00Z", "3d", "*"])
inner_keys = st.sampled_from(
    [
        "customer",
        "channel",
        "kind",
        "step",
        "text",
        "url",
        "status",
        "json",
        "error",
        "timeout",
        "outcome",
        "name",
        "score",
        "offer",
        "order_id",
        "total",
        "journey",
        "from",
        "into",
        "with",
        "topic",
        "state",
    ]
)
values = st.recursive(
    scalars | words, lambda below: st.lists(below, max_size=3) | st.dictionaries(inner_keys, below), max_leaves=6
)
item_keys = st.sampled_from([*ITEMS, "at", "customer", "id", "properties", "stuff"])
some_items = st.dictionaries(item_keys, values, max_size=4) | values
files = st.fixed_dictionaries(
    {},
    optional={
        "start": st.just("2026-03-01T10:00:00Z") | values,
        "until": values,
        "seed": values,
        "customers": st.lists(st.dictionaries(st.sampled_from(["id", "tags", "consents", "created_at"]), values))
        | values,
        "history": st.lists(st.dictionaries(st.sampled_from(["at", "customer", "event", "properties"]), values))
        | values,
        "timeline": st.lists(some_items, max_size=4) | values,
        "force": values,
        "fetch": values,
    },
)


@given(files)
def test_any_data_gives_a_scenario_or_errors_with_places(data: object) -> None:
    for problem in problems_of(json.dumps(data)):
        assert problem.line >= 1 and problem.column >= 1
        assert problem.message and problem.code
