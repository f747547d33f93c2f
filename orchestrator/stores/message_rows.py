"""Messages as a turn and a card read them, from the columns that both databases give alike, and which a turn needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.core.inbox import Receipt, SurveyAnswered
from orchestrator.core.ledger import Message
from orchestrator.core.program import MessageClass
from orchestrator.core.view import CustomerView, LoadedMessage
from orchestrator.stores.instants import instant, instant_or_none
from orchestrator.stores.records import message_of
from orchestrator.stores.sealing import Sealer


def loaded_message(
    sealer: Sealer, status: str, opened_at: int | None, clicked_at: int | None, *columns: Any
) -> LoadedMessage:
    """A row of the ledger, whole, behind what became of it."""
    return LoadedMessage(message_of(sealer, *columns), status, instant_or_none(opened_at), instant_or_none(clicked_at))


def counted_message(
    sealer: Sealer,
    customer: str,
    id: str,
    journey: str,
    enrollment: str,
    step: str,
    channel: str,
    topic: str,
    klass: MessageClass,
    template: str,
    to: str,
    at: int,
    seq: int,
    status: str,
    opened_at: int | None,
    clicked_at: int | None,
) -> LoadedMessage:
    """A message as caps and conditions count it: what they never ask for is left empty."""
    sent_at = instant(at)
    row = Message(
        id, customer, enrollment, journey, "", "", step, 0, channel, topic, klass, template, "", None,
        sealer.unmark(to), {}, sent_at, sent_at, seq,
    )  # fmt: skip
    return LoadedMessage(row, status, instant_or_none(opened_at), instant_or_none(clicked_at))


def asked_for(views: Sequence[CustomerView]) -> tuple[list[int], list[str]]:
    """The customers whose messages are wanted whole, by place, and the messages that items in inboxes are about.

    All of a customer's are wanted by what names none: an answer to the latest survey, or the messages on other channels
    of a step that sends on all and is not done.
    """
    whole, named = [], []
    for place, view in enumerate(views):
        wanted = False
        for _, _, body in view.inbox:
            if type(body) is Receipt or type(body) is SurveyAnswered:
                if body.message_id is not None:
                    named.append(body.message_id)
                elif type(body) is SurveyAnswered:
                    wanted = True
        for e in view.enrollments:
            if e.sent_ways:
                wanted = True
        if wanted:
            whole.append(place)
    return whole, named


def give_messages(found: Sequence[dict[str, LoadedMessage]], views: Sequence[CustomerView]) -> None:
    """Give each customer of a view the messages found, ascending by their place in the journal."""
    for view, messages in zip(views, found, strict=True):
        if messages:
            view.messages = sorted(messages.values(), key=lambda message: message.row.seq)
