"""`/api/v1/messages`: the ledger, messages as they were sent, and dead letters."""

from __future__ import annotations

from typing import Any, Final, get_args

from orchestrator.core.ledger import MessageStatus
from orchestrator.core.program import CHANNELS
from orchestrator.core.view import LoadedMessage
from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.http.api import values
from orchestrator.http.api.call import Answer, Call, unknown
from orchestrator.http.api.frame import Api
from orchestrator.http.problems import HttpRefusal
from orchestrator.runtime.dead_letters import send_again
from orchestrator.stores.protocol import BAD_ENDS, DeadLetter
from orchestrator.stores.protocol_lists import LOOK, MessageFilter

_MOST_DEAD: Final = 1_000


class MessageShown(values.Shown):
    """A row of the ledger. `at`: when it was decided; `to` is empty where the person was erased."""

    id: str
    customer: str
    journey: str
    version: str
    enrollment: str
    step: str
    channel: str
    topic: str
    message_class: str
    template: str
    to: str
    at: values.InstantShown
    status: str
    opened_at: values.InstantShown | None
    clicked_at: values.InstantShown | None


class Rendering(values.Shown):
    """The texts of a message, from the values that were frozen when it was decided."""

    subject: str | None
    text: str
    html: str | None
    fields: dict[str, str]


class MessageWhole(MessageShown):
    """A message with its texts; without them, why they cannot be made any more."""

    rendering: Rendering | None
    rendering_error: str | None


class DeadShown(MessageShown):
    """A message that came to a bad end, and what its provider said."""

    ended_at: values.InstantShown
    reason: str


class Queued(values.Shown):
    """The message is on its way again."""

    id: str
    queued: bool


def add_messages_api(api: Api) -> None:
    """Reading, and sending again."""
    common: dict[str, Any] = {"tag": "messages", "scope": "messages:read"}
    api.add(
        "GET", "/messages", _list, summary="List messages", answer=MessageShown, paged=True,
        description=f"The latest first. With a filter of status, channel or journey a page looks at {LOOK:,} messages: "
        "it may hold few or none, and have a `next_cursor` all the same; `since` and `until` make it quick.",
        query=(
            values.choice("status", "Only of this status", get_args(MessageStatus)),
            values.choice("channel", "Only on this channel", CHANNELS),
            values.text("journey", "Only of this journey", 200),
            values.instant("since", "Decided at this instant or later"),
            values.instant("until", "Decided before this instant"),
        ), **common,
    )  # fmt: skip
    api.add("GET", "/messages/{id}", _get, summary="Read a message as it was sent", answer=MessageWhole, **common)
    api.add(
        "GET", "/dead-letters", _dead, summary="Messages that came to a bad end", answer=values.items_of(DeadShown),
        description=f"Refused for good (rejected), or nobody knows (unknown); the latest {_MOST_DEAD:,} at most.",
        query=(
            values.choice("status", "Only of this status", BAD_ENDS),
            values.whole("limit", "How many; 100 by default", 1, _MOST_DEAD),
        ), **common,
    )  # fmt: skip
    api.add(
        "POST", "/messages/{id}/retry", _retry, scope="messages:write", tag="messages", summary="Send it again",
        description="For dead letters. It is checked as if it were new: consent, suppressions, validity.",
        answer=Queued, status=202, refusals={409: "It came to no bad end, or its coupon was taken back"},
    )  # fmt: skip


def message_shown(message: LoadedMessage) -> dict[str, Any]:
    """The document of a message."""
    row = message.row
    return {
        "id": row.id,
        "customer": row.customer_id,
        "journey": row.journey,
        "version": row.version,
        "enrollment": row.enrollment_id,
        "step": row.step,
        "channel": row.channel,
        "topic": row.topic,
        "message_class": row.klass,
        "template": row.template,
        "to": row.to,
        "at": values.shown(row.at),
        "status": message.status,
        "opened_at": values.shown(message.opened_at),
        "clicked_at": values.shown(message.clicked_at),
    }


def _list(call: Call) -> Answer:
    wanted = MessageFilter(**{name: call.query[name] for name in MessageFilter._fields})
    page = call.store.message_page(wanted, call.after, call.limit)
    return call.listed([message_shown(message) for message in page.messages], page.key)


def _found(call: Call) -> LoadedMessage:
    found = call.store.ledger(call.path["id"])
    if found is None:
        raise unknown("unknown_message", "there is no message of this id (any more)")
    return found


def _get(call: Call) -> Answer:
    found = _found(call)
    rendering, error = None, None
    try:
        made = call.service.renderer.render(found.row)
        rendering = {"subject": made.subject, "text": made.text, "html": made.html, "fields": dict(made.fields)}
    except OrchestratorError as refused:
        error = str(refused)
    return Answer({**message_shown(found), "rendering": rendering, "rendering_error": error})


def _dead(call: Call) -> Answer:
    letters = call.store.dead_letters(call.query["limit"] or 100, call.query["status"])
    return Answer({"items": [_dead_shown(letter) for letter in letters]})


def _dead_shown(letter: DeadLetter) -> dict[str, Any]:
    return {**message_shown(letter.message), "ended_at": values.shown(letter.at), "reason": letter.reason}


def _retry(call: Call) -> Answer:
    id = _found(call).row.id
    try:
        queued = send_again(call.store, id, call.now)
    except UsageError as error:
        raise HttpRefusal(409, "not_retryable", str(error)) from None
    if not queued:
        raise HttpRefusal(409, "not_dead", "this message came to no bad end; /api/v1/dead-letters lists those")
    call.store.audit(call.real_at, call.actor, "messages retry", id)
    call.service.nudge()
    return Answer({"id": id, "queued": True}, 202)
