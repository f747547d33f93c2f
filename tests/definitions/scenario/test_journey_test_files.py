"""Given/expect tests, from a tests file and from a journey's own file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.definitions.expectation import (
    LINE_KEYS,
    MAIN_KEYS,
    JourneyTest,
    LineExpectation,
    MessagesExpectation,
    NoMessages,
)
from orchestrator.definitions.journey_tests import load_journey_tests
from orchestrator.definitions.scenario_items import EventItem
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.errors import Problem

START = datetime(2026, 3, 1, 2, tzinfo=UTC)

WHOLE = """\
journey: abandoned_cart
tests:
  - name: buys within the hour and hears nothing
    start: 2026-03-01T10:00:00+08:00
    customer: {id: 007, email: a@example.com, timezone: Asia/Shanghai, consents: {promotions: {email: in}}}
    history: [{at: -40d, event: order_placed, properties: {total: 30}}]
    events:
      - {at: +0m,  event: cart_updated, properties: {cart_id: c1, items: [{sku: A1}]}}
      - {at: +30m, event: order_placed, properties: {cart_id: c1, total: 99}}
      - {at: +40m, task: {step: call}}
    timeline:
      - {at: +50m, customer: other, event: cart_updated}
    with: [welcome]
    fetch: {weather: {kind: rain}}
    force: {subject_test: a, holdout: false}
    expect:
      - {exited: order_placed, at: +30m}
      - no_messages: true
"""


def load(text: str) -> tuple[tuple[JourneyTest, ...], tuple[Problem, ...]]:
    return load_journey_tests(load_document("t.yaml", text), Path("."))


def expectations(*lines: str) -> tuple[tuple[JourneyTest, ...], tuple[Problem, ...]]:
    head = "journey: j\ntests:\n  - name: n\n    start: 2026-03-01T02:00:00Z\n    expect:\n"
    return load(head + "".join(f"      - {line}\n" for line in lines))


def test_a_whole_test() -> None:
    [test], problems = load(WHOLE)
    assert problems == ()
    assert (test.name, test.journey, test.live, test.path, test.line) == (
        "buys within the hour and hears nothing",
        "abandoned_cart",
        ("welcome",),
        "t.yaml",
        3,
    )
    assert test.scenario.start == START
    assert [customer.id for customer in test.scenario.customers] == ["007"]
    assert [(past.customer, past.at) for past in test.scenario.history] == [("007", START - timedelta(days=40))]
    assert [getattr(item, "customer", None) for item in test.scenario.timeline] == ["007", "007", "007", "other"]
    assert isinstance(test.scenario.timeline[0], EventItem)
    assert test.scenario.force == {"subject_test": "a", "holdout": False}
    assert test.expect == (
        LineExpectation(
            "exited",
            {"reason": "order_placed"},
            START + timedelta(minutes=30),
            text="{exited: order_placed, at: +30m}",
            line=17,
        ),
        NoMessages(18),
    )


def test_tests_in_a_journey_file_are_the_only_thing_read_there() -> None:
    text = WHOLE.replace("tests:\n", "steps: [{nonsense: 1}]\nunknown: 1\ntests:\n")
    tests, problems = load(text)
    assert problems == ()
    assert [test.journey for test in tests] == ["abandoned_cart"]
    assert load("journey: j\nsteps: []\n") == ((), ())


@pytest.mark.parametrize("kind", [kind for kind, main in MAIN_KEYS.items() if main])
def test_the_first_value_is_about_the_main_key(kind: str) -> None:
    value = "+1h" if MAIN_KEYS[kind] == "until" else "x"
    [test], _ = expectations(f"{kind}: {value}")
    [expected] = test.expect
    assert isinstance(expected, LineExpectation)
    assert expected.type == kind
    assert expected.fields == {MAIN_KEYS[kind]: START + timedelta(hours=1) if value == "+1h" else "x"}


@pytest.mark.parametrize("kind", list(MAIN_KEYS))
def test_true_stands_for_any_value(kind: str) -> None:
    [test], _ = expectations(f"{kind}: true")
    assert test.expect == (LineExpectation(kind, {}, text=f"{{{kind}: true}}", line=6),)


def test_every_main_key_is_a_key_of_its_line() -> None:
    assert set(MAIN_KEYS) == set(LINE_KEYS)
    assert all(main in LINE_KEYS[kind] for kind, main in MAIN_KEYS.items() if main)


def test_the_other_forms() -> None:
    [test], problems = expectations(
        "not: {message: last_call, customer: 007}",
        "messages: [first, 2nd, 3]",
        "{message: first, count: 0}",
        "{stage: loyalty, from: use}",
        "{branched: 1, step: 5}",
    )
    assert problems == ()
    assert test.expect == (
        LineExpectation(
            "message",
            {"template": "last_call", "customer": "007"},
            negated=True,
            text="{message: last_call, customer: 007}",
            line=6,
        ),
        MessagesExpectation(("first", "2nd", "3"), 7),
        LineExpectation("message", {"template": "first"}, count=0, text="{message: first, count: 0}", line=8),
        LineExpectation("stage", {"to": "loyalty", "from": "use"}, text="{stage: loyalty, from: use}", line=9),
        LineExpectation("branched", {"branch": 1, "step": "5"}, text="{branched: 1, step: 5}", line=10),
    )


@pytest.mark.parametrize(
    ("line", "column", "words"),
    [
        ("{compleded: true}", 10, "did you mean 'completed'?"),
        ("{exited: x, raeson: y}", 21, "unknown key `raeson`"),
        ("{message: x, queue: y}", 22, "unknown key `queue`"),
        ("{message: x, templat: y}", 22, "unknown key `templat`"),
        ("{message: x, exited: y}", 22, "`message` and `exited`"),
        ("{at: +1h}", 9, "it has one of entered"),
        ("{exited: }", 10, "`exited` has no value"),
        ("{completed: yes}", 21, "takes true"),
        ("{exited: x, at: 1h}", 25, "did you mean '+1h'?"),
        ("{exited: x, count: -1}", 28, "whole number"),
        ("{not: {message: x, count: 1}}", 28, "keep one of them"),
        ("{not: {message: x}, at: +1h}", 29, "unknown key `at`"),
        ("{no_messages: false}", 23, "takes true"),
        ("{messages: x}", 20, "takes a list"),
        ("{waiting: soon}", 19, "soon"),
        ("nothing", 9, "mapping"),
    ],
)
def test_a_wrong_expectation_is_pointed_at(line: str, column: int, words: str) -> None:
    tests, problems = expectations(line)
    assert tests == ()
    assert any(words in problem.headline() and (problem.line, problem.column) == (6, column) for problem in problems), [
        problem.headline() for problem in problems
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("journey: abandoned_cart\n", "", "`journey`"),
        ("    name:", "    nmae:", "did you mean 'name'?"),
        ("    start: 2026-03-01T10:00:00+08:00\n", "", "needs `start`"),
        ("    customer:", "    customers: [{id: b}]\n    customer:", "'customer' is the only one"),
        ("id: 007,", "", "needs `id`"),
        ("    expect:\n      - {exited: order_placed, at: +30m}\n      - no_messages: true\n", "", "needs `expect`"),
        ("with: [welcome]", "with: welcome", "takes a list"),
    ],
)
def test_a_wrong_test_is_pointed_at(old: str, new: str, words: str) -> None:
    text = WHOLE.replace("- name:", "-\n    name:")
    assert old in text
    tests, problems = load(text.replace(old, new))
    assert tests == ()
    assert any(words in problem.headline() for problem in problems), [problem.headline() for problem in problems]


def test_a_customer_without_an_id_is_one_mistake_not_one_for_each_event() -> None:
    _, problems = load(WHOLE.replace("id: 007,", ""))
    assert len(problems) == 1


def test_two_tests_need_two_names() -> None:
    _, problems = load(WHOLE + WHOLE.split("tests:\n")[1])
    assert [problem.code for problem in problems] == ["test_twice"]
