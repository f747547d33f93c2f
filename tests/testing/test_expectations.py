"""Expectations against output lines: what matches, and how a failure reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definitions.expectation import JourneyTest
from orchestrator.definitions.journey_tests import load_journey_tests
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.testing.expectations import Failure, match_expectations, offset_text, render_failures

START = datetime(2026, 3, 1, 2, tzinfo=UTC)
HEAD = "journey: cart\ntests:\n  - name: n\n    start: 2026-03-01T02:00:00Z\n    expect:\n"


def expecting(*lines: str) -> JourneyTest:
    text = HEAD + "".join(f"      - {line}\n" for line in lines)
    [test], problems = load_journey_tests(load_document("tests/cart.yaml", text), Path("."))
    assert problems == ()
    return test


def line(kind: str, minutes: int = 0, **keys: Any) -> dict[str, Any]:
    at = (START + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"at": at, "type": kind, "customer": "u1", "journey": "cart", "version": "0123456789ab", **keys}


LINES = [
    line("entered", trigger="event"),
    line("assigned", split="subject", variant="b"),
    line("waiting", until="2026-03-01T03:00:00Z", step="wait_1"),
    line("branched", 60, branch="1", step="choose_1"),
    line("message", 60, template="first", channel="email", to="a@example.com"),
    line("message", 120, template="second", channel="sms", to="+351210000000"),
    line("message", 120, template="other_journey", journey="welcome"),
    line("event", 121, name="done", properties={"a": 1, "b": {"c": [1, 2]}}),
    line("goal", 122, value=99.5),
    line("exited", 123, reason="order_placed"),
    {"at": "2026-03-01T04:10:00Z", "type": "segment", "customer": "u1", "name": "vip", "edge": "entered"},
]


def failures(*expected: str) -> list[Failure]:
    return match_expectations(LINES, expecting(*expected), START)


@pytest.mark.parametrize(
    "expected",
    [
        "{entered: event}",
        "{entered: true, at: +0s}",
        "{exited: order_placed, at: 2026-03-01T05:03:00+01:00}",
        "{exited: order_placed, at: +2h3m}",
        "{waiting: +1h, step: wait_1}",
        "{waiting: 2026-03-01T04:00:00+01:00}",
        "{branched: 1}",
        "{assigned: b, split: subject}",
        "{message: first, channel: email, customer: u1}",
        "{message: true, count: 2}",
        "{message: third, count: 0}",
        "messages: [first, second]",
        "not: {message: third}",
        "not: {message: first, at: +61m}",
        "not: {message: other_journey}",
        "{event: done, properties: {a: 1}}",
        "{event: done, properties: {b: {c: [1, 2]}}}",
        "{goal: 99.5}",
        "{segment: vip, edge: entered}",
        "not: {completed: true}",
    ],
)
def test_what_is_met(expected: str) -> None:
    assert failures(expected) == []


@pytest.mark.parametrize(
    ("expected", "message", "details"),
    [
        ("{exited: timeout}", "it was not there", "reason: expected timeout, was order_placed"),
        ("{exited: order_placed, at: +30m}", "it was not there", "(+30m), was 2026-03-01T04:03:00Z (+2h3m)"),
        ("{completed: true}", "it was not there", "no completed line at all; there were: assigned, branched"),
        ("{message: second, channel: email}", "it was not there", "channel: expected email, was sms"),
        ("{message: first, step: nudge}", "it was not there", "step: expected nudge, was absent"),
        ("{message: true, count: 1}", "once, it was there twice", "found  +1h"),
        ("not: {message: first}", "expected no {message: first}, it was there once", "found  +1h"),
        ("no_messages: true", "expected no messages, twice sent", "{message: second, customer: u1"),
        ("messages: [second, first]", "in another order", "expected  [second, first]"),
        ("messages: [first]", "other messages", "sent      [first, second]"),
        ("{event: done, properties: {b: {c: [1]}}}", "it was not there", "properties: expected"),
        ("{goal: true, at: +1h}", "it was not there", "at: expected"),
        ("{branched: true, count: 2}", "twice, it was there once", "found"),
        ("{goal: yes}", "it was not there", "value: expected yes, was 99.5"),
    ],
)
def test_what_is_not_met_and_why(expected: str, message: str, details: str) -> None:
    [failure] = failures(expected)
    assert message in failure.message
    assert any(details in detail for detail in failure.details), failure.details
    assert failure.line == 6


def test_the_nearest_line_is_the_one_with_the_fewest_differences() -> None:
    [failure] = failures("{message: second, channel: sms, at: +1h}")
    assert failure.details[0].startswith("nearest  +2h ")
    assert failure.details[1:] == ("  at: expected 2026-03-01T03:00:00Z (+1h), was 2026-03-01T04:00:00Z (+2h)",)


def test_what_is_listed_twice_needs_two_lines() -> None:
    assert failures("{message: true}", "{message: true}") == []
    [failure] = failures("{message: first}", "{message: first}")
    assert failure.message == "expected {message: first} twice, it was there once"


def test_true_is_no_number_and_text_is_any_spelling_of_a_number() -> None:
    lines = [line("attribute", name="count", value=1), line("attribute", name="flag", value=True)]
    assert match_expectations(lines, expecting("{attribute: count, value: '1'}"), START) == []
    assert match_expectations(lines, expecting("{attribute: flag, value: 1}"), START) != []
    assert match_expectations(lines, expecting("{attribute: count, value: true}"), START) != []


def test_the_report_shows_the_failure_then_the_journey_from_its_start() -> None:
    test = expecting("{exited: timeout}")
    report = render_failures(test, match_expectations(LINES, test, START), LINES, START)
    assert report.splitlines()[:4] == [
        "tests/cart.yaml:6: expected {exited: timeout}, it was not there",
        "    nearest  +2h3m        2026-03-01T04:03:00Z  {exited: order_placed, customer: u1, journey: cart}",
        "      reason: expected timeout, was order_placed",
        "  what cart did:",
    ]
    assert "other_journey" not in report
    assert "+1h          2026-03-01T03:00:00Z  {message: first, customer: u1" in report


def test_a_journey_that_did_nothing_is_said_so() -> None:
    test = expecting("{completed: true}")
    report = render_failures(test, match_expectations([], test, START), [], START)
    assert report.endswith("cart printed no line")
    assert "no completed line at all" in report


def test_a_long_journey_is_cut() -> None:
    test = expecting("{completed: true}")
    lines = [line("waiting", minute) for minute in range(100)]
    assert "... and 60 more lines" in render_failures(test, match_expectations(lines, test, START), lines, START)


@given(
    st.lists(st.sampled_from(LINES), max_size=6).flatmap(
        lambda lines: st.tuples(st.just(lines), st.permutations(lines))
    )
)
def test_the_order_of_lines_matters_to_messages_only(both: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    test = expecting("{exited: order_placed}", "{message: first}", "not: {goal: true}", "{waiting: true, count: 1}")
    one, other = (match_expectations(lines, test, START) for lines in both)
    assert [failure.message for failure in one] == [failure.message for failure in other]


@given(st.integers(0, 10**7))
def test_offsets_are_written_as_they_are_read(seconds: int) -> None:
    from orchestrator.core.time.iso import parse_offset

    assert parse_offset(offset_text(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


def test_long_texts_of_several_lines_do_not_drown_the_difference() -> None:
    body = "Dear Ana,\n\n" + "word " * 60
    sent = [line("message", template="m", text=body + "\nyours, Ben", html="<p>\n" * 200)]
    test = expecting("{message: m, text: " + repr(" ".join((body + "yours, Eva").split())) + "}")
    [failure] = match_expectations(sent, test, START)
    report = render_failures(test, [failure], sent, START)
    assert "html" not in report and "Dear Ana, word word" in report
    assert failure.details[-1].endswith("word yours, Eva, was ...rd word word yours, Ben"), failure.details
    assert max(map(len, report.splitlines()[1:])) < 250 and len(report.splitlines()) == 5


def test_a_difference_in_white_space_alone_is_seen() -> None:
    test = expecting('{message: m, text: "a b"}')
    [failure] = match_expectations([line("message", template="m", text="a\nb")], test, START)
    assert failure.details[-1].strip() == "text: expected 'a b', was 'a\\nb'"
