"""The events that the engine itself makes, with their properties (the language reference, section 10)."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.core.expression.types import BOOLEAN, INTEGER, NUMBER, STRING, UNKNOWN, Enum, Type

_MESSAGE: Mapping[str, Type] = {
    "channel": STRING,
    "topic": STRING,
    "template": STRING,
    "journey": STRING,
    "step": STRING,
    "to": STRING,
    "subject": STRING,
    "text": STRING,
    "reason": STRING,
    "status": STRING,
    "url": STRING,
    "link": STRING,
    "proxy": BOOLEAN,
}
_REPLY: Mapping[str, Type] = {
    "channel": STRING,
    "text": STRING,
    "keyword": STRING,
    "step": STRING,
    "journey": STRING,
    "from": STRING,
    "to": STRING,
}
_TASK: Mapping[str, Type] = {
    "queue": STRING,
    "task": STRING,
    "title": STRING,
    "outcome": STRING,
    "assignee": STRING,
    "journey": STRING,
    "step": STRING,
    "status": STRING,
}

EVENTS: Mapping[str, Mapping[str, Type]] = {
    "message_sent": _MESSAGE,
    "message_delivered": _MESSAGE,
    "message_failed": _MESSAGE,
    "email_opened": _MESSAGE,
    "email_clicked": _MESSAGE,
    "inbox_opened": _MESSAGE,
    "inbox_clicked": _MESSAGE,
    "sms_clicked": _MESSAGE,
    "sms_received": _REPLY,
    "email_received": _REPLY,
    "whatsapp_received": _REPLY,
    "wechat_received": _REPLY,
    "survey_answered": {
        "survey": STRING,
        "kind": STRING,
        "journey": STRING,
        "step": STRING,
        "score": NUMBER,
        "choice": UNKNOWN,
        "text": STRING,
    },
    "task_closed": _TASK,
    "task_overdue": _TASK,
    "task_escalated": {**_TASK, "level": INTEGER, "from_queue": STRING, "from_assignee": STRING, "notify": STRING},
    "coupon_redeemed": {
        "offer": STRING,
        "code": STRING,
        "order_id": STRING,
        "total": NUMBER,
        "currency": STRING,
        "discount": NUMBER,
    },
    "coupon_rolled_back": {"offer": STRING, "code": STRING, "order_id": STRING},
    "consent_changed": {
        "topic": STRING,
        "channel": STRING,
        "state": Enum(("in", "out", "pending", "expired")),
        "from": STRING,
        "to": STRING,
    },
    "stage_changed": {"from": STRING, "to": STRING, "stage": STRING},
    "segment_changed": {"segment": STRING, "edge": Enum(("entered", "left")), "from": UNKNOWN, "to": UNKNOWN},
}
"""Properties by event. A property that an event happens to lack is none."""
