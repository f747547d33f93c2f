"""Exits, updates, and waits for something (sections 2, 3 and 6 of the language)."""

from __future__ import annotations

from typing import Any

import pytest

GO = {"at": "+0m", "event": "go", "properties": {"order": "o1", "n": 1}}
WAITS = {"steps": [{"wait": "5h"}]}


# --- exits ------------------------------------------------------


def test_the_first_exit_of_the_list_that_holds_names_the_reason(tell: Any, shown: Any) -> None:
    first = {"when": "did('stop')", "reason": "condition"}
    second = {"event": "stop", "reason": "event"}
    timeline = [GO, {"at": "+1h", "event": "stop"}]
    assert shown(tell({**WAITS, "exit": [first, second]}, timeline), "reason")[-1][3] == "condition"
    assert shown(tell({**WAITS, "exit": [second, first]}, timeline), "reason")[-1][3] == "event"


def test_an_exit_that_is_true_at_the_entry_comes_before_the_first_step(tell: Any, shown: Any) -> None:
    journey = {"steps": [{"email": "hello"}], "exit": {"when": "entry.n == 1"}}
    assert shown(tell(journey, [GO]), "reason") == [("10:00", "entered", None, None), ("10:00", "exited", None, "when")]


def test_time_alone_makes_an_exit_true(tell: Any, shown: Any) -> None:
    journey = {**WAITS, "exit": {"when": "not did('go', within='2h')", "reason": "quiet"}}
    assert shown(tell(journey, [GO]), "reason")[2:] == [("12:00", "exited", "wait_1", "quiet")]


def test_an_exit_and_the_end_of_a_wait_at_one_instant_exit(tell: Any, shown: Any) -> None:
    journey = {"steps": [{"wait": "2h"}, {"email": "hello"}], "exit": {"when": "not did('go', within='2h')"}}
    assert shown(tell(journey, [GO]), "reason")[2:] == [("12:00", "exited", "wait_1", "when")]


def test_an_exits_own_steps_run_once(tell: Any, shown: Any) -> None:
    rule = {"event": "stop", "do": [{"sms": "hello"}, {"email": {"template": "second", "topic": "care"}}]}
    lines = tell({**WAITS, "exit": [rule, rule]}, [GO, {"at": "+1h", "event": "stop"}])
    assert shown(lines, "reason")[2:] == [
        ("11:00", "exited", "wait_1", "stop"),
        ("11:00", "message", "exit_sms_1", None),
        ("11:00", "message", "exit_email_1", None),
    ]


def test_an_exits_steps_see_the_event(tell: Any) -> None:
    rule = {"event": "stop", "do": [{"track": {"event": "pong", "properties": {"n": "{{ event.n }}"}}}]}
    lines = tell({**WAITS, "exit": rule}, [GO, {"at": "+1h", "event": "stop", "properties": {"n": 7}}])
    assert [line["properties"] for line in lines if line["type"] == "event"] == [{"n": 7}]


def test_an_exit_may_fetch_and_call_before_it_writes(tell: Any, shown: Any) -> None:
    steps = [
        {"fetch": {"url": "https://x.example/kind", "as": "answer", "default": {}}},
        {"webhook": {"url": "https://y.example", "body": {"kind": "{{ answer.kind | default('none') }}"}}},
        {"email": "hello"},
    ]
    timeline = [
        GO,
        {"at": "+1m", "http": {"url": "https://x.example/*", "status": 200, "json": {"kind": "rain"}}},
        {"at": "+1h", "event": "stop"},
    ]
    lines = tell({**WAITS, "exit": {"event": "stop", "do": steps}}, timeline)
    assert shown(lines)[2:] == [
        ("11:00", "exited", "wait_1"),
        ("11:00", "fetched", "exit_fetch_1"),
        ("11:00", "webhook", "exit_webhook_1"),
        ("11:00", "message", "exit_email_1"),
    ]
    assert lines[4]["body"] == {"kind": "rain"}


def test_an_enrollment_that_another_exit_ended_is_not_ended_twice(tell: Any, shown: Any) -> None:
    journeys = {
        "a": {**WAITS, "priority": 90, "exit": {"event": "stop", "do": [{"unenroll": {"journey": "b"}}]}},
        "b": {**WAITS, "exit": {"event": "stop", "do": [{"email": "hello"}]}},
    }
    lines = tell(journeys, [GO, {"at": "+1h", "event": "stop"}])
    assert [(line["journey"], line["type"], line.get("reason")) for line in lines[4:]] == [
        ("a", "exited", "stop"),
        ("b", "exited", "unenrolled"),
    ]


def test_a_step_that_makes_its_own_exit_true_is_the_last(tell: Any, shown: Any) -> None:
    journey = {
        "steps": [{"set": {"customer.plan": "x"}}, {"email": "hello"}, {"wait": "1h"}],
        "exit": {"when": "customer.plan == 'x'", "do": [{"sms": "hello"}]},
    }
    assert shown(tell(journey, [GO]), "reason") == [
        ("10:00", "entered", None, None),
        ("10:00", "attribute", "set_1", None),
        ("10:00", "exited", "set_1", "when"),
        ("10:00", "message", "exit_sms_1", None),
    ]


def test_a_parked_enrollment_still_hears_its_exit(tell: Any, shown: Any) -> None:
    journey = {"steps": [{"wait": {"until": "entry.day"}}], "exit": {"event": "stop"}}
    lines = tell(journey, [GO, {"at": "+1h", "event": "stop"}, {"at": "+2h", "resume": "j"}])
    assert shown(lines, "reason") == [
        ("10:00", "entered", None, None),
        ("10:00", "failed", "wait_1", "bad_date"),
        ("11:00", "exited", "wait_1", "stop"),
    ]


def test_the_event_that_let_someone_in_is_not_shown_to_the_enrollment(tell: Any, shown: Any) -> None:
    journey = {
        "enter": {"event": "go", "reentry": "always"},
        "exit": {"event": "go"},
        "steps": [{"wait": {"event": "go", "up_to": "1h"}, "then": [{"email": "hello"}]}],
    }
    lines = tell(journey, [GO])
    assert shown(lines) == [
        ("10:00", "entered", None),
        ("10:00", "waiting", "wait_1"),
        ("11:00", "branched", "wait_1"),
        ("11:00", "completed", None),
    ]


def test_an_event_that_ended_an_enrollment_may_start_the_next(tell: Any, shown: Any) -> None:
    journey = {**WAITS, "enter": {"event": "go", "reentry": "always"}, "exit": {"event": "go"}}
    assert shown(tell(journey, [GO, {**GO, "at": "+1h"}], until="+2h"), "reason")[2:] == [
        ("11:00", "exited", "wait_1", "go"),
        ("11:00", "entered", None, None),
        ("11:00", "waiting", "wait_1", None),
    ]


# --- updates ------------------------------------------------------


def test_an_event_that_updates_one_enrollment_is_not_refused_for_it(tell: Any, shown: Any) -> None:
    journey = {
        "enter": {"event": "go", "key": "event.order"},
        "update": {"event": "go", "where": "event.order == entry.order"},
        "steps": [{"wait": {"until": "entry.updated_at", "offset": "1h"}}],
    }
    lines = tell(journey, [GO, {**GO, "at": "+30m"}, {**GO, "at": "+45m", "properties": {"order": "o2"}}])
    assert [(line["at"][11:16], line["type"], line["key"], line.get("until", "")[11:16]) for line in lines] == [
        ("10:00", "entered", "o1", ""),
        ("10:00", "waiting", "o1", "11:00"),
        ("10:30", "rescheduled", "o1", "11:30"),
        ("10:45", "entered", "o2", ""),
        ("10:45", "waiting", "o2", "11:45"),
        ("11:30", "completed", "o1", ""),
        ("11:45", "completed", "o2", ""),
    ]


@pytest.mark.parametrize(
    ("if_past", "ends"),
    [("continue", ["message", "completed"]), ("skip_next", ["completed"]), ("exit", ["exited"])],
)
def test_an_update_that_puts_a_wait_into_the_past_applies_if_past(
    tell: Any, shown: Any, if_past: str, ends: Any
) -> None:
    journey = {
        "update": {"event": "changed"},
        "steps": [{"wait": {"until": "entry.day", "if_past": if_past}}, {"email": "hello"}],
    }
    timeline = [
        {**GO, "properties": {"day": "2026-03-05"}},
        {"at": "+1h", "event": "changed", "properties": {"day": "2026-03-02"}},
    ]
    lines = tell(journey, timeline)
    assert shown(lines, "until")[1:3] == [
        ("10:00", "waiting", "wait_1", "2026-03-05T00:00:00Z"),
        ("11:00", "rescheduled", "wait_1", "2026-03-02T11:00:00Z"),
    ]
    assert [line["type"] for line in lines[3:]] == ends
    assert {line["at"] for line in lines[3:]} == {"2026-03-02T11:00:00Z"}


def test_an_event_is_seen_where_the_zone_is_computed(tell: Any, shown: Any) -> None:
    """The zone is an expression of its own, which must not forget the event that is being looked at."""
    journey = {
        "timezone": "customer.plan",
        "update": {"event": "changed", "where": "event.order == entry.order"},
        "exit": {"event": "stop", "where": "event.n == 7"},
        "steps": [{"wait": {"until": "entry.updated_at", "offset": "1d"}}],
    }
    timeline = [
        {"at": "+0m", "identify": {"plan": "Asia/Tokyo"}},
        GO,
        {"at": "+1h", "event": "changed", "properties": {"order": "o1"}},
        {"at": "+2h", "event": "stop", "properties": {"n": 7}},
    ]
    assert shown(tell(journey, timeline), "until")[2:] == [
        ("11:00", "rescheduled", "wait_1", "2026-03-03T11:00:00Z"),
        ("12:00", "exited", "wait_1", None),
    ]


def test_a_change_of_the_zone_moves_a_wait(tell: Any, shown: Any) -> None:
    journey = {"steps": [{"wait": {"until": "18:00"}}]}
    lines = tell(journey, [GO, {"at": "+1h", "identify": {"timezone": "America/New_York"}}])
    assert shown(lines, "until")[1:] == [
        ("10:00", "waiting", "wait_1", "2026-03-02T18:00:00Z"),
        ("11:00", "rescheduled", "wait_1", "2026-03-02T23:00:00Z"),
        ("23:00", "completed", None, None),
    ]


# --- waits for something ------------------------------------------------------


@pytest.mark.parametrize(
    ("alternatives", "value"),
    [
        ([{"event": "ping"}, {"when": "did('ping')"}], "ping"),
        ([{"when": "did('ping')"}, {"event": "ping"}], "when"),
        ([{"event": "pong"}, {"event": "ping", "where": "event.n == 9"}, {"event": "ping"}], "ping"),
    ],
)
def test_of_several_the_first_of_the_list_wins(tell: Any, alternatives: Any, value: str) -> None:
    wait = {"wait": {"any": alternatives, "up_to": "1d", "as": "found"}}
    journey = {"steps": [wait, {"track": {"event": "pong", "properties": {"order": "{{ found.name }}"}}}]}
    lines = tell(journey, [GO, {"at": "+1h", "event": "ping", "properties": {"n": 1}}])
    assert [line["properties"] for line in lines if line["type"] == "event"] == [{"order": value}]


def test_what_is_true_already_ends_the_wait_at_once_and_after_the_events(tell: Any, shown: Any) -> None:
    journey = {"steps": [{"wait": {"when": "entry.n == 1", "up_to": "1d"}, "then": [{"email": "hello"}]}]}
    lines = tell(journey, [GO])
    assert shown(lines, "until", "branch") == [
        ("10:00", "entered", None, None, None),
        ("10:00", "waiting", "wait_1", "2026-03-03T10:00:00Z", None),
        ("10:00", "branched", "wait_1", None, "then"),
        ("10:00", "message", "email_1", None, None),
        ("10:00", "completed", None, None, None),
    ]


def test_time_alone_ends_a_wait(tell: Any, shown: Any) -> None:
    journey = {"steps": [{"wait": {"when": "now >= entry.at + hours(3)", "up_to": "1d"}}]}
    assert shown(tell(journey, [GO]), "branch")[2:] == [
        ("13:00", "branched", "wait_1", "then"),
        ("13:00", "completed", None, None),
    ]


def test_an_event_of_the_outage_counts_if_it_came_before_the_deadline(tell: Any, shown: Any) -> None:
    journey = {"steps": [{"wait": {"event": "ping", "up_to": "1h"}}]}
    stalled = [GO, {"at": "+30m", "stall": "5h"}]
    in_time = tell(journey, [*stalled, {"at": "+59m", "event": "ping"}])
    too_late = tell(journey, [*stalled, {"at": "+61m", "event": "ping"}])
    assert shown(in_time, "branch")[2:] == [("15:30", "branched", "wait_1", "then"), ("15:30", "completed", None, None)]
    assert shown(too_late, "branch")[2:] == [
        ("15:30", "branched", "wait_1", "else"),
        ("15:30", "completed", None, None),
    ]


def test_a_wait_without_an_end_has_no_until(tell: Any) -> None:
    lines = tell({"steps": [{"wait": {"event": "ping"}}]}, [GO])
    assert [line["type"] for line in lines] == ["entered", "waiting"]
    assert "until" not in lines[1]


def test_a_condition_that_cannot_be_decided_takes_no_branch(tell: Any, shown: Any) -> None:
    schema = {"customer": {"plan": {"type": "string"}}, "events": {"go": {"x": {"type": "object"}}}}
    journey = {"steps": [{"if": "entry.x.y > 1", "then": [{"email": "hello"}], "else": [{"email": "second"}]}]}
    lines = tell(journey, [{**GO, "properties": {"x": {"y": "text"}}}], schema=schema)
    assert shown(lines, "reason")[1:] == [("10:00", "failed", "if_1", "evaluation_error")]


def test_a_parked_step_runs_again_on_resume(tell: Any, shown: Any) -> None:
    journey = {
        "update": {"event": "changed"},
        "steps": [{"wait": {"until": "entry.day"}}, {"email": "hello"}],
    }
    timeline = [
        GO,
        {"at": "+1h", "event": "changed", "properties": {"day": "2026-03-02"}},
        {"at": "+2h", "resume": "j"},
    ]
    assert shown(tell(journey, timeline), "reason") == [
        ("10:00", "entered", None, None),
        ("10:00", "failed", "wait_1", "bad_date"),
        ("12:00", "waiting", "wait_1", None),
        ("12:00", "message", "email_1", None),
        ("12:00", "completed", None, None),
    ]


def test_a_survey_that_is_out_is_not_sent_again_by_resume(tell: Any, shown: Any) -> None:
    survey = {"survey": {"name": "nps", "kind": "nps", "via": "email", "up_to": "7d", "as": "answer"}}
    schema = {"customer": {}, "events": {"go": {}, "ping": {"x": {"type": "object"}}}}
    journey = {"steps": [survey], "exit": {"event": "ping", "where": "event.x.y > 1"}}
    timeline = [
        {"at": "+0m", "event": "go"},
        {"at": "+1h", "event": "ping", "properties": {"x": {"y": "text"}}},
        {"at": "+2h", "resume": "j"},
        {"at": "+3h", "survey": {"customer": "u1", "name": "nps", "score": 9}},
    ]
    assert shown(tell(journey, timeline, schema=schema), "reason") == [
        ("10:00", "entered", None, None),
        ("10:00", "message", "survey_1", None),
        ("10:00", "waiting", "survey_1", None),
        ("11:00", "failed", "survey_1", "evaluation_error"),
        ("13:00", "branched", "survey_1", None),
        ("13:00", "completed", None, None),
    ]
