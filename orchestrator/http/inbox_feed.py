"""One customer's inbox as JSON, and what its reader did with the messages in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from orchestrator.core.identity import stable_hash
from orchestrator.core.inbox import Identified, Receipt
from orchestrator.core.inbox_feed import CHANNEL, DISMISS, shown
from orchestrator.core.time.iso import format_instant
from orchestrator.core.view import LoadedMessage
from orchestrator.http.problems import HttpRefusal
from orchestrator.http.service import Service
from orchestrator.runtime.ingest import Told, ingest_once
from orchestrator.templating.failure import RenderError
from orchestrator.templating.structured import expiry_of, nested

Deed: TypeAlias = Literal["read", "click", "dismiss"]
PAGE: Final = 20
MOST_IDS: Final = 100
"""Messages in one request."""


class Feed(NamedTuple):
    """A page of an inbox. `cursor` asks for the next one; None: there is none."""

    items: list[dict[str, Any]]
    unread: int
    cursor: str | None


def feed_of(service: Service, customer: str, limit: int, after: str | None) -> Feed:
    """The messages that have not run out, newest first, behind the one that `after` names.

    Raises HttpRefusal for a cursor that names none of this inbox.
    """
    live = _live(service, customer)
    ids = [item["id"] for item in live]
    start = 0
    if after is not None:
        if after not in ids:
            raise HttpRefusal(410, "cursor_gone", "the message that the cursor names is not there any more; begin anew")
        start = ids.index(after) + 1
    page = live[start : start + limit]
    more = start + limit < len(live)
    return Feed(page, sum(not item["read"] for item in live), page[-1]["id"] if more else None)


def _live(service: Service, customer: str) -> list[dict[str, Any]]:
    now = service.journey_now()
    items = [_item(service, message) for message in _messages(service, customer, now)]
    return [item for item in items if item is not None and (item["expires_at"] or "~") > format_instant(now)]


def _messages(service: Service, customer: str, now: datetime) -> list[LoadedMessage]:
    card = service.store.card(customer)
    if card is None or card.customer is None:
        return []
    return shown(card.messages, card.customer.attributes, service.store.switches(), now)


def _item(service: Service, message: LoadedMessage) -> dict[str, Any] | None:
    """A message as the app shows it; None: it cannot be rendered any more."""
    row = message.row
    try:
        rendered = service.renderer.render(row)
        fields = nested(dict(rendered.fields))
        ends = expiry_of(fields["expires"]) if fields.get("expires", "").strip() else None
    except (RenderError, ValueError, OverflowError):
        return None
    try:
        ends_at = row.at + ends if isinstance(ends, timedelta) else ends
    except OverflowError:
        ends_at = None
    return {
        "id": row.id,
        "at": format_instant(row.at),
        "topic": row.topic,
        "title": rendered.subject,
        "body": rendered.text,
        "url": fields.get("url"),
        "image": fields.get("image"),
        "action": fields.get("action"),
        "data": fields.get("data") or {},
        "expires_at": None if ends_at is None else format_instant(ends_at),
        "read": message.opened_at is not None or message.clicked_at is not None,
        "clicked": message.clicked_at is not None,
    }


def ids_in(body: bytes) -> list[str]:
    """The messages that a request is about: {"ids": [...]}. Raises HttpRefusal."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    ids = given.get("ids") if isinstance(given, dict) else None
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids) or len(ids) > MOST_IDS:
        detail = f'send the ids of at most {MOST_IDS} messages as JSON: {{"ids": ["..."]}}'
        raise HttpRefusal(400, "bad_ids", detail)
    return list(dict.fromkeys(ids))


def note(service: Service, customer: str, deed: Deed, ids: Sequence[str]) -> int:
    """Write down what the reader did; how many of the messages stand in this inbox. Raises StoreBusy.

    It shows in the feed as soon as the engine has taken it, which is within a second or two.
    """
    mine = {message.row.id for message in _messages(service, customer, service.journey_now())}
    known = [id for id in ids if id in mine]
    told: list[Told] = []
    for id in known:
        told.append(Told(customer, Receipt("open", CHANNEL, id), _same("open", id)))
        if deed == "click":
            told.append(Told(customer, Receipt("click", CHANNEL, id), _same("click", id)))
    if known and deed == "dismiss":
        told.append(Told(customer, Identified({DISMISS: known}), _same("dismiss", *known)))
    if told:
        with service.arrival() as now:
            ingest_once(service.store, told, now)
        service.nudge()
    return len(known)


def _same(kind: str, *ids: str) -> str:
    """The same id whenever the app says the same again."""
    return f"n-{stable_hash(kind, *ids):016x}"
