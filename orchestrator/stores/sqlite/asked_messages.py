"""The messages that a turn may look at: those that caps and conditions count, and those that something just came for.

A row of the ledger is wide, and conditions ask for little of it: what they count is made of its columns alone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.core.inbox import Receipt, SurveyAnswered
from orchestrator.core.index import Index
from orchestrator.core.ledger import Message
from orchestrator.core.program import MessageClass
from orchestrator.core.view import CustomerView, LoadedMessage
from orchestrator.stores.instants import instant, instant_or_none, micros
from orchestrator.stores.records import MESSAGE, message_of
from orchestrator.stores.sqlite.choosing import ID_OF, SHARD_OF, Chosen, packed

_FATE: Final = "t.status, t.opened_at, t.clicked_at"
COUNTED: Final = f"""
SELECT j.key, t.id, t.journey, t.enrollment, t.step, t.channel, t.topic, t.class, t.template, t.address, t.at, t.seq,
       {_FATE}
FROM json_each(?) AS j CROSS JOIN messages AS t ON t.shard = {SHARD_OF} AND t.customer = {ID_OF}
WHERE t.at > ? OR t.status = 'queued'
"""
WHOLE: Final = f"""
SELECT j.key, m.status, m.opened_at, m.clicked_at, {MESSAGE}
FROM json_each(?) AS j CROSS JOIN messages AS m ON m.shard = {SHARD_OF} AND m.customer = {ID_OF}
"""
NAMED: Final = f"""
SELECT m.status, m.opened_at, m.clicked_at, {MESSAGE}
FROM json_each(?) AS j CROSS JOIN messages AS m INDEXED BY ix_messages_id ON m.id = j.value
"""
_EVER: Final = -(1 << 62)


def load_messages(
    c: sqlite3.Connection, chosen: Sequence[Chosen], views: Sequence[CustomerView], index: Index, now: datetime
) -> None:
    """Fill in the messages of the customers of a view, ascending by their place in the journal."""
    found: list[dict[str, LoadedMessage]] = [{} for _ in views]
    kept_for = index.messages_asked_for()
    if kept_for is None or kept_for > timedelta(0):
        since = _EVER if kept_for is None else micros(now - kept_for)
        for place, *columns in c.execute(COUNTED, (packed(chosen), since)):
            message = _counted(chosen[place].external_id, *columns)
            found[place][message.row.id] = message
    whole, named = _asked_for(views)
    if whole:
        for place, *columns in c.execute(WHOLE, (packed([chosen[place] for place in whole]),)):
            _keep(found[whole[place]], _message(*columns))
    if named:
        place_of = {customer.external_id: place for place, customer in enumerate(chosen)}
        for columns in c.execute(NAMED, (json.dumps(named),)):
            message = _message(*columns)
            if message.row.customer_id in place_of:
                _keep(found[place_of[message.row.customer_id]], message)
    for view, messages in zip(views, found, strict=True):
        if messages:
            view.messages = sorted(messages.values(), key=lambda message: message.row.seq)


def _asked_for(views: Sequence[CustomerView]) -> tuple[list[int], list[str]]:
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


def _keep(found: dict[str, LoadedMessage], message: LoadedMessage) -> None:
    found[message.row.id] = message


def _message(status: str, opened_at: int | None, clicked_at: int | None, *columns: Any) -> LoadedMessage:
    return LoadedMessage(message_of(*columns), status, instant_or_none(opened_at), instant_or_none(clicked_at))


def _counted(
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
        id, customer, enrollment, journey, "", "", step, 0, channel, topic, klass, template, "", None, to, {}, sent_at,
        sent_at, seq,
    )  # fmt: skip
    return LoadedMessage(row, status, instant_or_none(opened_at), instant_or_none(clicked_at))
