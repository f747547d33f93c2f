"""Segments, stages, consent, goals, coupons: what follows from what (sections 2, 6, 8 and 9 of the language)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.small_projects import consenting

GO = {"at": "+0m", "event": "go", "properties": {"order": "o1", "n": 1, "total": 5}}


# --- segments and stages ------------------------------------------------------


def test_a_segment_follows_the_stage_that_a_rule_set(tell: Any, shown: Any) -> None:
    project = {"stages": {"new": {}, "use": {"where": "did('go')"}}}
    segments = {"users": {"where": "customer.stage == 'use'"}}
    lines = tell({"enter": {"segment": "users"}, "steps": []}, [GO], project=project, segments=segments)
    assert [(line["type"], line.get("to"), line.get("name"), line.get("trigger")) for line in lines] == [
        ("stage", "use", None, None),
        ("segment", None, "users", None),
        ("entered", None, None, "segment"),
        ("completed", None, None, None),
    ]


def test_a_segment_follows_another_segment(tell: Any) -> None:
    segments = {"a": {"where": "did('go', within='2h')"}, "b": {"where": "in_segment('a') and customer.plan != 'x'"}}
    lines = tell({"enter": {"event": "never"}, "steps": []}, [GO], segments=segments, schema=_SCHEMA)
    assert [(line["at"][11:16], line["name"], line["edge"]) for line in lines] == [
        ("10:00", "a", "entered"),
        ("10:00", "b", "entered"),
        ("12:00", "a", "left"),
        ("12:00", "b", "left"),
    ]


_SCHEMA = {
    "customer": {"plan": {"type": "string"}},
    "events": {
        name: {"order": {"type": "string"}, "n": {"type": "integer"}, "total": {"type": "number"}}
        for name in ("go", "never")
    },
}


def test_consent_among_traits_is_a_change_of_consent(tell: Any, shown: Any) -> None:
    journey = {"topic": "orders", "enter": {"event": "consent_changed", "where": "event.state == 'in'"}, "steps": []}
    traits = {"consents": {"promotions": {"email": "in", "sms": "in"}}}
    customer = {"id": "u1", "consents": {"promotions": {"sms": "in"}}}
    lines = tell(journey, [{"at": "+0m", "identify": traits}, {"at": "+1m", "identify": traits}], [customer])
    assert [(line["at"][11:16], line["type"]) for line in lines] == [("10:00", "entered"), ("10:00", "completed")]


def test_enrollment_ids_do_not_depend_on_the_number_of_turns(tell: Any) -> None:
    """The smear of the hold is drawn from the enrollment's id, whose trigger is a change that the engine made."""
    project = {"quiet_hours": {"from": "09:00", "to": "18:00"}, "settings": {"smear": "2h"}}
    segments = {"goers": {"where": "did('go')"}}
    journey = {"enter": {"segment": "goers"}, "steps": [{"email": "hello"}]}
    alone = tell(journey, [{**GO, "at": "+1h"}], project=project, segments=segments)
    others = [consenting("z1"), consenting("u1", timezone="UTC")]
    more = [{"at": f"+{n}m", "customer": "z1", "event": "ping"} for n in range(30)]
    among = tell(journey, [*more, {**GO, "at": "+1h"}], others, project=project, segments=segments)
    until = [[line["until"] for line in lines if line["type"] == "held"] for lines in (alone, among)]
    assert until[0] == until[1] != []


# --- goals ------------------------------------------------------


def test_a_goal_counts_once_also_after_the_end(tell: Any) -> None:
    journey = {"goal": {"event": "bought", "within": "2h", "value": "event.total"}, "steps": []}
    timeline = [
        GO,
        {"at": "+2h", "event": "bought", "properties": {"total": 7}},
        {"at": "+2h", "event": "bought", "properties": {"total": 8}},
    ]
    lines = tell(journey, timeline)
    assert [(line["type"], line.get("value")) for line in lines] == [
        ("entered", None),
        ("completed", None),
        ("goal", 7),
    ]


def test_a_goal_after_its_time_does_not_count(tell: Any) -> None:
    journey = {"goal": {"event": "bought", "within": "2h"}, "steps": []}
    lines = tell(journey, [GO, {"at": "+121m", "event": "bought"}])
    assert [line["type"] for line in lines] == ["entered", "completed"]


def test_goals_come_before_exits_and_several_in_the_order_of_priority(tell: Any) -> None:
    goal = {"event": "bought", "exit": True}
    rules = {"goal": goal, "exit": {"event": "bought"}, "steps": [{"wait": "1d"}]}
    journeys = {"a": {**rules, "priority": 10}, "b": {**rules, "priority": 90}}
    lines = tell(journeys, [GO, {"at": "+1h", "event": "bought"}])
    assert [(line["journey"], line["type"], line.get("reason")) for line in lines[4:]] == [
        ("b", "goal", None), ("b", "exited", "goal"), ("a", "goal", None), ("a", "exited", "goal"),
    ]  # fmt: skip


def test_a_held_out_enrollment_converts_too(tell: Any) -> None:
    journey = {"holdout": "50%", "goal": {"event": "bought"}, "steps": [{"email": "hello"}, {"wait": "1d"}]}
    lines = tell(journey, [GO, {"at": "+1h", "event": "bought"}], force={"holdout": True})
    assert [(line["type"], line.get("reason") or line.get("variant")) for line in lines] == [
        ("entered", None), ("assigned", "holdout"), ("suppressed", "holdout"), ("waiting", None), ("goal", None),
        ("completed", None),
    ]  # fmt: skip


# --- coupons ------------------------------------------------------

TEN = {"ten": {"discount": {"percent": 10}, "codes": {"prefix": "T", "length": 6}, "limits": {"per_customer": 1}}}
COUPON = {"coupon": {"offer": "ten", "as": "coupon", "on_exhausted": "skip"}}


def test_a_coupon_is_not_issued_for_a_message_that_cannot_go(tell: Any, shown: Any) -> None:
    lines = tell({"steps": [COUPON, {"email": "code"}]}, [GO], [{"id": "u1", "email": "u1@example.com"}], offers=TEN)
    assert shown(lines, "reason")[1:] == [
        ("10:00", "suppressed", "coupon_1", "no_consent"),
        ("10:00", "suppressed", "email_1", "no_consent"),
        ("10:00", "completed", None, None),
    ]


@pytest.mark.parametrize("end", [{"exit": "enough"}, {"email": "code", "skip_if": "entry.n == 1"}])
def test_a_coupon_whose_message_is_never_written_is_taken_back(tell: Any, end: dict[str, Any]) -> None:
    steps = [COUPON, {"if": "entry.n == 1", "then": [end]}, {"email": "code", "skip_if": "entry.n == 1"}]
    lines = tell({"steps": steps}, [GO], offers=TEN)
    assert [line["type"] for line in lines if line["type"] in ("coupon", "released", "message")] == [
        "coupon",
        "released",
    ]


def test_the_latest_coupon_is_redeemed_and_an_order_counts_once(tell: Any) -> None:
    offers = {"ten": {**TEN["ten"], "limits": {"per_customer": 2}}}
    journey = {"enter": {"event": "go", "key": "event.order", "reentry": "always"}, "steps": [COUPON]}
    timeline = [
        GO,
        {"at": "+1h", "event": "go", "properties": {"order": "o2"}},
        {"at": "+2h", "redeem": {"customer": "u1", "offer": "ten", "order_id": "r1", "total": 80}},
        {"at": "+3h", "redeem": {"customer": "u1", "offer": "ten", "order_id": "r1", "total": 80}},
    ]
    lines = tell(journey, timeline, offers=offers)
    codes = [line["code"] for line in lines if line["type"] == "coupon"]
    assert [(line["at"][11:16], line["code"]) for line in lines if line["type"] == "redeemed"] == [("12:00", codes[1])]
