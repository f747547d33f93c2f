"""Every kind of line has its sentence, and no line is too strange to be told."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definitions.expectation import LINE_KEYS
from orchestrator.insights.sentences import because, sentence

LISBON = ZoneInfo("Europe/Lisbon")
AT = "2026-07-01T09:00:00Z"

TOLD: list[tuple[dict[str, Any], str]] = [
    ({"type": "entered", "trigger": "event"}, "entered (trigger: event)"),
    (
        {"type": "refused", "reason": "overlap"},
        "was not let in: an earlier passage with the same key was still running (overlap)",
    ),
    (
        {"type": "waiting", "step": "wait_1", "until": AT, "values": {"zone": "customer"}},
        "waits until Wed 2026-07-01 10:00 +01:00 at wait_1 (the customer's time zone)",
    ),
    (
        {"type": "waiting", "step": "wait_1", "until": AT, "values": {"zone": "phone"}},
        (
            "waits until Wed 2026-07-01 10:00 +01:00 at wait_1 (the time zone of the phone number's country; the "
            "project's, where that has several)"
        ),
    ),
    ({"type": "waiting", "step": "wait_1"}, "waits without an end in time at wait_1"),
    (
        {"type": "rescheduled", "until": AT},
        "the wait was computed anew, and now lasts until Wed 2026-07-01 10:00 +01:00",
    ),
    ({"type": "branched", "branch": "then", "step": "if_1"}, "took 'then' at if_1"),
    ({"type": "branched", "branch": "2", "step": "choose_1"}, "took branch 2 at choose_1"),
    ({"type": "assigned", "split": "s", "variant": "a"}, "drew the variant 'a' of the split 's'"),
    (
        {"type": "assigned", "split": "holdout", "variant": "holdout"},
        "was drawn into the control group, for which nothing but transactional messages is done",
    ),
    ({"type": "assigned", "split": "holdout", "variant": "treated"}, "was not drawn into the control group"),
    (
        {"type": "held", "reason": "quiet_hours", "until": AT, "step": "email_1"},
        "a message is held back at email_1 until Wed 2026-07-01 10:00 +01:00: it was quiet hours (quiet_hours)",
    ),
    (
        {
            "type": "message",
            "channel": "email",
            "template": "m",
            "to": "a@example.com",
            "subject": "Hi",
            "step": "email_1",
        },
        "was sent the e-mail 'm' to a@example.com at email_1: “Hi”",
    ),
    ({"type": "message", "channel": "sms", "template": "m", "text": "a\nb"}, "was sent the SMS 'm': “a b”"),
    ({"type": "outcome", "channel": "email", "status": "bounced"}, "the e-mail bounced"),
    ({"type": "outcome", "channel": "sms", "status": "rejected", "reason": "no"}, "the provider refused the SMS: no"),
    (
        {"type": "suppressed", "channel": "sms", "reason": "no_consent", "step": "sms_1"},
        "got no SMS at sms_1: the customer had not agreed to messages of this topic (no_consent)",
    ),
    (
        {"type": "suppressed", "reason": "holdout", "step": "task_1"},
        "this was not done at task_1: the customer is in the control group (holdout)",
    ),
    (
        {"type": "suppressed", "channel": "email", "reason": "no_consent", "step": "coupon_1"},
        (
            "got no coupon at coupon_1, as no e-mail could carry it: the customer had not agreed to messages of this "
            "topic (no_consent)"
        ),
    ),
    (
        {"type": "suppressed", "reason": "holdout", "step": "exit_coupon_2"},
        "got no coupon at exit_coupon_2: the customer is in the control group (holdout)",
    ),
    (
        {"type": "coupon", "offer": "o", "code": "C1", "expires_at": AT},
        "was given the coupon C1 of the offer 'o', valid until Wed 2026-07-01 10:00 +01:00",
    ),
    ({"type": "released", "offer": "o", "code": "C1"}, "the coupon C1 was taken back, since its message was not sent"),
    ({"type": "redeemed", "offer": "o", "code": "C1"}, "redeemed the coupon C1 of the offer 'o'"),
    (
        {"type": "task", "queue": "q", "title": "Call", "due_at": AT, "values": {"assignee": "ana"}},
        "a task for q (ana) was opened: “Call”, due Wed 2026-07-01 10:00 +01:00",
    ),
    ({"type": "attribute", "name": "plan", "value": "gold"}, "customer.plan was set to 'gold'"),
    ({"type": "event", "name": "e", "properties": {"n": 1.0}}, "the event 'e' was made: {n: 1}"),
    ({"type": "fetched", "url": "https://x", "status": 200}, "GET https://x answered 200"),
    ({"type": "fetched", "url": "https://x", "values": {"error": "slow"}}, "GET https://x gave no answer (slow)"),
    (
        {"type": "webhook", "url": "https://x", "method": "POST", "values": {"status": 204}},
        "POST https://x answered 204",
    ),
    ({"type": "goal", "value": 99.5, "values": {"currency": "EUR"}}, "reached the goal, worth 99.5 EUR"),
    ({"type": "goal"}, "reached the goal"),
    ({"type": "exited", "reason": "past", "step": "wait_1"}, "left at wait_1: the date to wait for had passed (past)"),
    ({"type": "exited", "reason": "order_placed"}, "left: order_placed"),
    ({"type": "completed"}, "came to the end"),
    (
        {"type": "failed", "reason": "bad_date", "step": "wait_1", "values": {"error": "none"}},
        "is parked at wait_1: a date is missing or cannot be read (bad_date): none",
    ),
    ({"type": "segment", "name": "s", "edge": "entered"}, "came into the segment 's'"),
    ({"type": "segment", "name": "s", "edge": "left"}, "left the segment 's'"),
    ({"type": "stage", "from": "use", "to": "loyalty"}, "moved from 'use' to the stage 'loyalty'"),
    ({"type": "migrated", "from_version": "a", "to_version": "b"}, "was moved from version a to b"),
    ({"type": "unheard_of", "n": 1}, "unheard_of: {n: 1}"),
]


@pytest.mark.parametrize(("line", "words"), TOLD, ids=lambda value: value["type"] if isinstance(value, dict) else "")
def test_sentences(line: dict[str, Any], words: str) -> None:
    assert sentence({"at": AT, "customer": "u", **line}, LISBON) == words


def test_every_kind_of_line_is_told() -> None:
    assert set(LINE_KEYS) <= {line["type"] for line, _ in TOLD}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(sorted(LINE_KEYS)),
    st.dictionaries(st.sampled_from(sorted(set().union(*LINE_KEYS.values()))), VALUES),
    VALUES,
)
def test_any_line_can_be_told(kind: str, data: dict[str, Any], values: Any) -> None:
    line = {"at": AT, "customer": "u", "type": kind, **data, "values": values}
    told = sentence(line, LISBON)
    assert told and "\n" not in told
    because(line, LISBON)


def test_because() -> None:
    values = {"customer.tier": "gold", "count('e')": 2, "entry.at": AT, "x": None, "on": True, "event": "m1"}
    line = {"at": AT, "customer": "u", "type": "branched", "branch": "then", "values": values}
    assert because(line, LISBON) == (
        "customer.tier was 'gold'",
        "count('e') was 2",
        "entry.at was Wed 2026-07-01 10:00 +01:00",
        "x was none",
        "on was true",
    )
    assert because({**line, "type": "waiting"}, LISBON) == ()
    many = {**line, "values": {f"v{n}": n for n in range(20)}}
    assert len(because(many, LISBON)) == 9 and because(many, LISBON)[-1] == "and 12 more values"
