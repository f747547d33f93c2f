"""The messages that a turn may look at: those that caps and conditions count, and those that something just came for.

A row of the ledger is wide, and conditions ask for little of it: what they count is made of its columns alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.core.inbox import Receipt, SurveyAnswered
from orchestrator.core.index import Index
from orchestrator.core.ledger import Message
from orchestrator.core.program import MessageClass
from orchestrator.core.view import CustomerView, LoadedMessage
from orchestrator.stores.instants import instant, instant_or_none, micros
from orchestrator.stores.postgres.arrays import texts
from orchestrator.stores.postgres.choosing import Chosen
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.loading import EACH, keys_of
from orchestrator.stores.records import MESSAGE, message_of

_MINE: Final = "ON m.shard = j.shard AND m.customer = j.id"
_FATE: Final = "m.status, m.opened_at, m.clicked_at"
COUNTED: Final = f"""
SELECT j.n - 1, m.id, m.journey, m.enrollment, m.step, m.channel, m.topic, m.class, m.template, m.address, m.at, m.seq,
       {_FATE}
{EACH} JOIN messages AS m {_MINE} WHERE m.at > %s OR m.status = 'queued'
"""
WHOLE: Final = f"SELECT j.n - 1, {_FATE}, {MESSAGE} {EACH} JOIN messages AS m {_MINE}"
NAMED: Final = f"SELECT {_FATE}, {MESSAGE} FROM unnest(%s::text[]) AS j (id) JOIN messages AS m ON m.id = j.id"
_EVER: Final = -(1 << 62)


def load_messages(
    c: Connection, chosen: Sequence[Chosen], views: Sequence[CustomerView], index: Index, now: datetime
) -> None:
    """Fill in the messages of the customers of a view, ascending by their place in the journal."""
    found: list[dict[str, LoadedMessage]] = [{} for _ in views]
    kept_for = index.messages_asked_for()
    if kept_for is None or kept_for > timedelta(0):
        since = _EVER if kept_for is None else micros(now - kept_for)
        for place, *columns in c.execute(COUNTED, (*keys_of(chosen), since)):
            message = _counted(chosen[place].external_id, *columns)
            found[place][message.row.id] = message
    whole = [place for place, view in enumerate(views) if _asks_whole(view)]
    if whole:
        for place, *columns in c.execute(WHOLE, keys_of([chosen[place] for place in whole])):
            _keep(found[whole[place]], _message(*columns))
    named = [id for view in views for id in _named(view)]
    if named:
        place_of = {customer.external_id: place for place, customer in enumerate(chosen)}
        for row in c.execute(NAMED, (texts(named),)):
            message = _message(*row)
            if message.row.customer_id in place_of:
                _keep(found[place_of[message.row.customer_id]], message)
    for view, messages in zip(views, found, strict=True):
        if messages:
            view.messages = sorted(messages.values(), key=lambda message: message.row.seq)


def _asks_whole(view: CustomerView) -> bool:
    """Whether something asks for messages that nothing names: an answer to the latest survey, or the messages on other
    channels of a step that sends on all and is not done."""
    return any(isinstance(item.body, SurveyAnswered) and item.body.message_id is None for item in view.inbox) or any(
        e.sent_ways for e in view.enrollments
    )


def _named(view: CustomerView) -> list[str]:
    """The messages that items in the inbox are about."""
    bodies = [item.body for item in view.inbox]
    ids = [body.message_id for body in bodies if isinstance(body, (Receipt, SurveyAnswered))]
    return [id for id in ids if id is not None]


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
