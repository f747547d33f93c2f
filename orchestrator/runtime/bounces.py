"""What follows from mails that came back: addresses that are given up, complaints that end mails, and figures.

Only a bounce that names a message of ours acts: by its signed envelope address (VERP), or by the signed id in our
header or the envelope id (ENVID) in what came back, and then for the customer of that message alone. Anybody may write
to a mailbox of bounces, and ids stand in links that are passed on: without the signature they prove nothing.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

from orchestrator.channels.bounces.classify import Reading, Returned, read_returned
from orchestrator.channels.bounces.mailbox import AT_ONCE, Found, Mailbox
from orchestrator.core.addresses import stored_address
from orchestrator.core.inbox import Receipt
from orchestrator.core.plus_addresses import binding, put_as, softness_of, unmarked
from orchestrator.core.suppression import HALF_LIFE, HASHED, TOO_MANY, hashed_entry
from orchestrator.core.verp import signed_id, verp_id
from orchestrator.core.view import LoadedMessage
from orchestrator.errors import UsageError
from orchestrator.runtime.plus_addresses import kept_apart
from orchestrator.stores.protocol import Arrival, Store, StoreBusy

EMAIL: Final = "email"
_FIGURE: Final = "bounces:"

log = logging.getLogger(__name__)


class BounceCounts(NamedTuple):
    """What a pass over a mailbox came to: `mails` read, and of those what they said. `unclear`: put aside for people,
    because they are no report, or name no message of ours. `known`: what was read before."""

    mails: int = 0
    hard: int = 0
    soft: int = 0
    block: int = 0
    delayed: int = 0
    delivered: int = 0
    complaint: int = 0
    auto_reply: int = 0
    unclear: int = 0
    known: int = 0


class Consequence(NamedTuple):
    """What one mail came to: a word of BounceCounts for each recipient, and whether it may be put away."""

    words: tuple[str, ...]
    clear: bool = True


def read_bounces_once(
    store: Store,
    mailbox: Mailbox,
    secret: bytes,
    now: datetime,
    limit: int = AT_ONCE,
    stopping: Callable[[], bool] = lambda: False,
) -> BounceCounts:
    """Read what came back, at most `limit` mails, and draw the consequences. Each mail is put away after they are
    committed; one that is read again because of an interruption changes nothing more.

    `secret` signs links and envelope addresses. Raises MailboxFailed, StoreBusy: the mails that were not reached stay.
    """
    counted: Counter[str] = Counter()
    try:
        for found in mailbox.unread(limit):
            if stopping():
                break
            done = _settled(store, found, secret, now)
            (mailbox.put_away if done.clear else mailbox.put_aside)(found.name)
            counted.update(["mails", *done.words])
    finally:
        if counted:
            store.count({f"{_FIGURE}{word}": count for word, count in counted.items()})
    return BounceCounts(**counted)


def _settled(store: Store, found: Found, secret: bytes, now: datetime) -> Consequence:
    """The consequences of one mail; where it cannot be read for a fault of ours, it is put aside, so that those behind
    it are read."""
    try:
        return settle_bounce(store, found.data, secret, now)
    except (StoreBusy, UsageError):
        raise
    except Exception:
        log.exception("the mail %s is put aside: it could not be read", found.name)
        return Consequence(("unclear",), clear=False)


def settle_bounce(store: Store, data: bytes, secret: bytes, now: datetime) -> Consequence:
    """Draw the consequences of one mail, as its bytes came. Raises StoreBusy."""
    reading = read_returned(data)
    if reading.kind == "auto_reply":
        return Consequence(("auto_reply",))
    message = _message_of(store, reading, secret)
    if message is None or not reading.returned:
        return Consequence(("unclear",), clear=False)
    digest = sha256(data).hexdigest()[:32]
    words = [
        _take(store, message, one, f"bounce:{digest}:{number}", now)
        for number, one in enumerate(_of_message(reading.returned, message))
    ]
    return Consequence(tuple(words))


def note_soft_bounce(store: Store, channel: str, address: str, at: datetime, alive_at: datetime | None = None) -> bool:
    """An address takes nothing just now (`at`: journey time). Returns whether that was once too often: then it is on
    the suppression list as `bounced`.

    `alive_at`: when somebody last opened or clicked what was sent there; what was before does not count any more.
    `address` may be written in any way.
    """
    apart = kept_apart(store)
    name = _name(store, channel, address, apart)
    if store.soften(name, at, HALF_LIFE, alive_at) < TOO_MANY:
        return False
    cause = put_as("bounced", channel, address, apart, store.salt)
    store.suppress([(channel, _normal(channel, address), cause)], at)
    store.unsoften(name)
    return True


def note_delivered(store: Store, channel: str, address: str) -> None:
    """An address took something, or somebody there opened or clicked: its soft bounces are forgotten."""
    store.unsoften(_name(store, channel, address, kept_apart(store)))


def lift_suppressions(store: Store, channel: str, address: str) -> tuple[str, ...]:
    """Take an address off the list, its hashed entry, too. Returns the causes that it was there for.

    An entry goes as it was put: one of a whole mailbox with any of its addresses.
    """
    normal, apart = _normal(channel, address), kept_apart(store)
    causes = binding(store.suppressions().get((channel, normal), ()), channel, address, apart, store.salt)
    places = [(channel, normal), hashed_entry(store.salt, channel, normal)]
    store.unsuppress([(*place, cause) for place in places for cause in sorted(causes)])
    store.unsoften(_name(store, channel, address, apart))
    return tuple(sorted(set(map(unmarked, causes))))


def _take(store: Store, message: LoadedMessage, one: Returned, id: str, now: datetime) -> str:
    """What one recipient's report comes to; a word of BounceCounts."""
    row = message.row
    normal = _normal(row.channel, row.to)
    said = one.said
    if said in ("delayed", "delivered"):
        if said == "delivered":
            note_delivered(store, row.channel, row.to)
        return said
    if said == "hard" and one.address is not None and _normal(row.channel, one.address) != normal:
        said = "soft"  # it went to our reader, whose mailbox sent it on to an address that is gone
    if said in ("hard", "complaint"):
        cause = "bounced" if said == "hard" else "complained"
        store.suppress([(row.channel, normal, put_as(cause, row.channel, row.to, kept_apart(store), store.salt))], now)
    kind = {"hard": "bounce", "complaint": "complaint"}.get(said, "failed")
    receipt = Receipt(kind, row.channel, row.id, text=one.words or None)  # type: ignore[arg-type]
    if not store.ingest([Arrival(row.customer_id, now, receipt, id)]).accepted:
        return "known"
    if said == "soft":
        note_soft_bounce(store, row.channel, row.to, now, _alive_at(store, row.customer_id, row.channel))
    return said


def _message_of(store: Store, reading: Reading, secret: bytes) -> LoadedMessage | None:
    """The message of ours that a mail is about."""
    envelopes = [verp_id(secret, address) for address in reading.arrived_for]
    for id in (*envelopes, *(signed_id(secret, written) for written in reading.message_ids)):
        found = store.ledger(id) if id is not None and len(id) <= 200 else None
        if found is not None and found.row.channel == EMAIL:
            return found
    return None


def _of_message(returned: Sequence[Returned], message: LoadedMessage) -> Sequence[Returned]:
    """What concerns the message's own address; where nothing says that it does, the first thing that was said: a
    message of ours has one recipient."""
    normal = _normal(EMAIL, message.row.to)
    own = [one for one in returned if one.address is not None and _normal(EMAIL, one.address) == normal]
    return own[:1] or returned[:1]


def _alive_at(store: Store, customer: str, channel: str) -> datetime | None:
    card = store.card(customer)
    seen = [
        at
        for message in (card.messages if card is not None else ())
        if message.row.channel == channel
        for at in (message.opened_at, message.clicked_at)
        if at is not None
    ]
    return max(seen, default=None)


def _normal(channel: str, address: str) -> str:
    found = stored_address(channel, address, None)
    return found.normal if found is not None else address


def _name(store: Store, channel: str, address: str, apart: bool) -> str:
    """Under which soft bounces are kept: names nobody."""
    kept_for = softness_of(channel, address, _normal(channel, address), apart, store.salt)
    return "".join(hashed_entry(store.salt, channel, kept_for)).removeprefix(HASHED)
