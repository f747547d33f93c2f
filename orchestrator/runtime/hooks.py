"""What follows from what providers say: suppressions at once, then receipts and replies into customers' inboxes.

Whoever wrote STOP, or does not exist, is on the suppression list when the provider gets its answer: that waits for no
turn, and needs no customer who is known by the address. What a provider says twice changes nothing more.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from orchestrator.channels.hooks.protocol import Told
from orchestrator.core.addresses import stored_address
from orchestrator.core.changes import STOPPED
from orchestrator.core.inbox import Body, ConsentChanged, Receipt
from orchestrator.core.ledger import Message
from orchestrator.core.reply_words import Intent, intent_of
from orchestrator.runtime.bounces import note_delivered, note_soft_bounce
from orchestrator.runtime.ingest import Told as Arriving
from orchestrator.runtime.ingest import ingest_once
from orchestrator.stores.protocol import ANSWERED_ON, RefusedItem, Store

FIGURE: Final = "hooks:"
UNKNOWN: Final = "unknown_message"
LONGEST_KEPT: Final = 2_000
_CAUSES: Final[Mapping[str, str]] = {"bounce": "bounced", "complaint": "complained"}
_ALONE: Final = frozenset({"reply", "soft_bounce"})
"""Whether one of these is news decides what else is done; all others come in together."""
_RECEIPTS: Final = frozenset({"delivered", "failed", "open", "click", "bounce", "complaint"})


class Drawn(NamedTuple):
    """What one request came to: how many things it said by kind, whether anything new came for a customer, and who
    asked for help: (channel, address)."""

    counts: Mapping[str, int]
    news: bool = False
    helps: tuple[tuple[str, str], ...] = ()


class _About(NamedTuple):
    """One thing that was said, with whom it is about: our message where it is known, the customer, the address in the
    form that suppression compares."""

    told: Told
    row: Message | None
    customer: str | None
    address: str | None
    intent: Intent | None = None


def take_told(store: Store, provider: str, told: Sequence[Told], now: datetime) -> Drawn:
    """Draw the consequences of what a provider said; `now` is journey time. Raises StoreBusy: then it has to say it
    again, and nothing is done twice."""
    abouts = [_about(store, one) for one in told]
    counts: Counter[str] = Counter(about.told.kind for about in abouts)
    # Of several replies from one address the last one counts.
    last = {(a.told.channel, a.address): a.intent for a in abouts if a.intent in ("stop", "start")}
    _suppress(store, abouts, {place for place, intent in last.items() if intent == "stop"}, now)
    unknown = [about.told for about in abouts if about.told.message_id is not None and about.row is None]
    if unknown:
        counts[UNKNOWN] += len(unknown)
        store.keep_refused([RefusedItem(now, f"hooks/{provider}", UNKNOWN, _kept(one)) for one in unknown])
    helps = []
    news = _arrive_together(store, provider, [about for about in abouts if about.told.kind not in _ALONE], now)
    for about in abouts:
        if about.told.kind not in _ALONE:
            continue
        fresh = _arrive(store, provider, about, now)
        place = (about.told.channel, about.address)
        if fresh and about.intent == "start" and about.address is not None and last[place] == "start":
            store.unsuppress([(about.told.channel, about.address, STOPPED)])
        news = news or (fresh and about.customer is not None)
        if fresh and about.intent == "help" and about.address is not None:
            helps.append((about.told.channel, about.address))
    store.count({f"{FIGURE}{provider}:{kind}": count for kind, count in counts.items()})
    return Drawn(counts, news, tuple(dict.fromkeys(helps)))


def obey(store: Store, customer: str, channel: str, row: Message | None, text: str, now: datetime) -> None:
    """Do at once what a customer's reply asks for, where it is STOP or START. `row`: the message that it answers; None:
    it came from the number in the profile."""
    intent = intent_of(text) if channel in ANSWERED_ON else None
    if intent not in ("stop", "start"):
        return
    card = store.card(customer)
    known = card.customer if card is not None else None
    written = row.to if row is not None else known.phone if known is not None else None
    address = stored_address(channel, written, known.country if known is not None else None) if written else None
    if address is None:
        return
    if intent == "stop":
        store.suppress([(channel, address.normal, STOPPED)], now)
    else:
        store.unsuppress([(channel, address.normal, STOPPED)])


def _about(store: Store, told: Told) -> _About:
    found = store.ledger(told.message_id) if told.message_id is not None else None
    row = found.row if found is not None and found.row.channel == told.channel else None
    written = row.to if row is not None and told.kind != "reply" else told.address
    normal = None
    if written is not None:
        address = stored_address(told.channel, written, None)
        normal = address.normal if address is not None else None
    customer = row.customer_id if row is not None else None
    if customer is None and normal is not None and told.channel in ANSWERED_ON:
        customer = store.addressee(told.channel, normal)
    if told.kind != "reply":
        return _About(told, row, customer, normal)
    if row is None and customer is not None:
        row = store.message(customer, told.channel, None)
    intent = intent_of(told.text or "") if told.channel in ANSWERED_ON else None
    return _About(told, row, customer, normal, intent)


def _suppress(store: Store, abouts: Iterable[_About], stopped: Iterable[tuple[str, str | None]], now: datetime) -> None:
    """Everything that nothing may be sent to any more, in one transaction. `stopped` wrote STOP."""
    entries = {(channel, address, STOPPED): None for channel, address in stopped if address is not None}
    for told, row, _, address, _ in abouts:
        if address is None:
            continue
        if told.kind in _CAUSES:
            entries[told.channel, address, _CAUSES[told.kind]] = None
        elif told.kind == "unsubscribe" and told.channel in ANSWERED_ON:
            entries[told.channel, address, STOPPED] = None
        elif told.kind == "unsubscribe" and (row is None or row.klass == "transactional"):
            entries[told.channel, address, "opted_out"] = None
    if entries:
        store.suppress([*entries], now)


def _arrive_together(store: Store, provider: str, abouts: Sequence[_About], now: datetime) -> bool:
    """Tell the customers' inboxes, in one transaction. Returns whether anything was news."""
    coming = [(about, item) for about in abouts if (item := _item(provider, about)) is not None]
    accepted = 0
    if coming:
        done = ingest_once(store, [item for _, item in coming], now)
        accepted = done.accepted
        _keep_refused(store, provider, [(coming[place][0].told, why) for place, why in done.refused], now)
    delivered = {(about.told.channel, about.address) for about in abouts if about.told.kind == "delivered"}
    for channel, address in delivered:
        if address is not None:
            note_delivered(store, channel, address)
    return accepted > 0


def _arrive(store: Store, provider: str, about: _About, now: datetime) -> bool:
    """Tell the customer's inbox, and do what is done only once. Returns whether it was news."""
    told, _, _, address, _ = about
    item, fresh = _item(provider, about), True
    if item is not None:
        done = ingest_once(store, [item], now)
        fresh = done.accepted > 0
        _keep_refused(store, provider, [(told, why) for _, why in done.refused], now)
    if told.kind == "soft_bounce" and fresh and address is not None:
        note_soft_bounce(store, told.channel, address, now)
    return fresh


def _item(provider: str, about: _About) -> Arriving | None:
    """What the customer's inbox gets; None: nothing, or nobody is known."""
    body = _body(about)
    if body is None or about.customer is None:
        return None
    return Arriving(about.customer, body, f"hook:{provider}:{about.told.event_id}")


def _keep_refused(store: Store, provider: str, refused: Sequence[tuple[Told, str]], now: datetime) -> None:
    if refused:
        store.keep_refused([RefusedItem(now, f"hooks/{provider}", why, _kept(told)) for told, why in refused])


def _body(about: _About) -> Body | None:
    """What the customer's inbox gets; None: nothing (`sent` is known from the hand-over)."""
    told, row = about.told, about.row
    id = row.id if row is not None else None
    if told.kind == "reply":
        return Receipt("reply", told.channel, id, told.text or "")
    if told.kind == "soft_bounce":
        return Receipt("failed", told.channel, id, told.reason)
    if told.kind == "unsubscribe":
        if row is None or row.klass == "transactional" or told.channel in ANSWERED_ON:
            return None
        return ConsentChanged(row.topic, row.channel, "out")
    if told.kind in _RECEIPTS:
        text = told.reason if told.kind in ("failed", "bounce", "complaint") else None
        return Receipt(told.kind, told.channel, id, text, told.url)
    return None


def _kept(told: Told) -> str:
    """What is kept of something that could not be taken."""
    said = {name: value for name, value in told._asdict().items() if value is not None}
    return json.dumps(said, ensure_ascii=False, default=str)[:LONGEST_KEPT]
