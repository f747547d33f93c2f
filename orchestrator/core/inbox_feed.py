"""The inbox in the brand's app: who may read one, what a reader put away, and which messages stand in it."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.core.links import opened, token
from orchestrator.core.view import LoadedMessage, Switches

CHANNEL: Final = "inbox"
DISMISS: Final = "dismiss_inbox"
"""The trait that puts messages away, by their ids."""
ATTRIBUTE: Final = "inbox_dismissed"
MOST: Final = 100
"""So many messages stand in an inbox, the newest ones."""
KEPT_FOR: Final = timedelta(days=90)
MOST_DISMISSED: Final = 2 * MOST
_PURPOSE: Final = "inbox"


def inbox_token(secret: bytes, customer: str, until: datetime) -> str:
    """What lets its bearer read one customer's inbox until a (real) instant."""
    name = urlsafe_b64encode(customer.encode("utf-8", "surrogatepass")).rstrip(b"=").decode()
    return token(secret, _PURPOSE, f"{name}.{int(until.timestamp())}")


def inbox_owner(secret: bytes, given: str, real_at: datetime) -> str | None:
    """The customer whose inbox a token opens; None: it is none of ours, or its time is over."""
    id = opened(secret, _PURPOSE, given)
    if id is None:
        return None
    name, _, until = id.rpartition(".")
    if int(until) <= real_at.timestamp():
        return None
    return urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode("utf-8", "surrogatepass")


def dismissed(attributes: Mapping[str, Any]) -> frozenset[str]:
    """The ids of messages that the customer put away."""
    known = attributes.get(ATTRIBUTE)
    return frozenset(one for one in known if isinstance(one, str)) if isinstance(known, (list, tuple)) else frozenset()


def with_dismissed(attributes: Mapping[str, Any], value: object) -> list[str] | None:
    """The attribute with more of them; the oldest fall out, since what is older is not shown any more."""
    before = attributes.get(ATTRIBUTE)
    listed = [*before] if isinstance(before, (list, tuple)) else []
    more = value if isinstance(value, (list, tuple)) else [value]
    texts = [one for one in (*listed, *more) if isinstance(one, str)]
    return list(dict.fromkeys(texts))[-MOST_DISMISSED:] or None


def shown(
    messages: Sequence[LoadedMessage], attributes: Mapping[str, Any], switches: Switches, now: datetime
) -> list[LoadedMessage]:
    """The messages of an inbox, newest first. A kill takes those of its journey or channel out of it, too: what was
    sent by mistake need not be read."""
    away = dismissed(attributes)
    found = [
        message
        for message in messages
        if message.row.channel == CHANNEL
        and message.status == "sent"
        and message.row.id not in away
        and now - message.row.at < KEPT_FOR
        and not switches.killed(message.row.journey, CHANNEL)
    ]
    return sorted(found, key=place_of, reverse=True)[:MOST]


def place_of(message: LoadedMessage) -> tuple[datetime, int, str]:
    """Where it stands among the others of its customer."""
    return message.row.at, message.row.seq, message.row.id
