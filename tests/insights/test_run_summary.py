"""Counts of a run: complete, aligned, in order."""

from __future__ import annotations

from orchestrator.insights.run_summary import RunSummary, summary_text

LINES = [
    *({"type": "entered", "journey": "welcome"} for _ in range(1_200)),
    {"type": "refused", "journey": "welcome", "reason": "reentry"},
    *({"type": "message", "channel": "email", "template": "hello"} for _ in range(11)),
    {"type": "message", "channel": "sms", "template": "hello"},
    {"type": "suppressed", "channel": "sms", "reason": "no_consent"},
    {"type": "coupon", "offer": "ten"},
    {"type": "released", "offer": "ten"},
    {"type": "exited", "journey": "welcome", "reason": "order_placed"},
    {"type": "completed", "journey": "welcome"},
    {"type": "failed", "reason": "bad_date"},
    {"type": "waiting"},
    {"type": "unheard_of"},
]


def test_text() -> None:
    summary = RunSummary()
    for line in LINES:
        summary.add(line)
    assert summary.lines == len(LINES)
    assert summary_text(summary) == (
        "entered                 1,200\n"
        "  welcome               1,200\n"
        "not let in                  1\n"
        "  welcome reentry           1  the same key had been in before, and `reentry` did not allow it again\n"
        "messages                   12\n"
        "  email hello              11\n"
        "  sms hello                 1\n"
        "suppressed                  1\n"
        "  no_consent                1  the customer had not agreed to messages of this topic\n"
        "coupons issued              1\n"
        "  ten                       1\n"
        "coupons later               1\n"
        "  ten released              1\n"
        "left early                  1\n"
        "  welcome order_placed      1\n"
        "came to the end             1\n"
        "  welcome                   1\n"
        "parked by an error          1\n"
        "  bad_date                  1  a date is missing or cannot be read"
    )


def test_nothing() -> None:
    assert summary_text(RunSummary()) == "nothing happened: no journey was entered"


def test_machine_form() -> None:
    summary = RunSummary()
    for line in LINES:
        summary.add(line)
    counts = summary.as_dict()
    assert counts["messages"] == {"email": {"hello": 11}, "sms": {"hello": 1}}
    assert counts["coupons"] == {"ten": {"coupon": 1, "released": 1}}
    assert counts["refused"] == {"welcome": {"reentry": 1}}
