"""Leads and who looks after them: tasks that make an owner, go to the owner, or to somebody else where that is late."""

from __future__ import annotations

from typing import Any

GO = {"at": "+0m", "event": "go", "properties": {"n": 1}}
SCHEMA = {"customer": {"owner": {"type": "string"}}, "events": {"go": {"n": {"type": "integer"}}}}
STEPS = [
    {
        "task": {
            "queue": "desk",
            "title": "first call",
            "owns": True,
            "due": "4h",
            "wait": True,
            "as": "call",
        }
    },
    {
        "if": "call.status == 'overdue'",
        "then": [
            {"task": {"queue": "desk", "title": "instead of {{ customer.owner }}", "assign": "other", "owns": True}}
        ],
    },
    {"task": {"queue": "desk", "title": "for {{ customer.owner }}", "assign": "owner"}},
]


def test_an_overdue_lead_goes_to_somebody_else(tell: Any) -> None:
    lines = tell({"enter": {"event": "go"}, "steps": STEPS}, [GO], schema=SCHEMA)
    assert [line["title"] for line in lines if line["type"] == "task"] == [
        "first call", "instead of ana", "for li"
    ]  # fmt: skip


def test_an_answered_lead_stays_with_its_owner(tell: Any) -> None:
    done = {"at": "+1h", "task": {"customer": "u1", "step": "task_1", "outcome": "reached"}}
    lines = tell({"enter": {"event": "go"}, "steps": STEPS}, [GO, done], schema=SCHEMA)
    assert [line["title"] for line in lines if line["type"] == "task"] == ["first call", "for ana"]


def test_an_owner_is_an_attribute_that_others_see(tell: Any) -> None:
    segments = {"anas": {"where": "customer.owner == 'ana'"}}
    lines = tell({"enter": {"event": "go"}, "steps": STEPS[:1]}, [GO], schema=SCHEMA, segments=segments)
    assert ("segment", "anas") in [(line["type"], line.get("name")) for line in lines]
