"""What follows from what providers say: suppressions at once, then receipts and replies into customers' inboxes.

Whoever wrote STOP, or does not exist, is on the suppression list when the provider gets its answer: that waits for no
turn, and needs no customer who is known by the address. What a provider says twice changes nothing more.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from orchestrator.channels.hooks.protocol import Told
from orchestrator.core.addresses import BY_NUMBER, stored_address
from orchestrator.core.changes import STOPPED
from orchestrator.core.inbox import Body, ConsentChanged, Receipt
from orchestrator.core.ledger import Message
from orchestrator.core.plus_addresses import put_as
from orchestrator.core.reply_words import Intent, intent_of
from orchestrator.core.suppression import hashed_entry
from orchestrator.runtime.bounces import note_delivered, note_soft_bounce
from orchestrator.runtime.ingest import Told as Arriving
from orchestrator.runtime.ingest import ingest_once
from orchestrator.runtime.plus_addresses import kept_apart
from orchestrator.runtime.reply_parts import joined
from orchestrator.stores.protocol import ANSWERED_ON, RefusedItem, Store, StoreBusy

FIGURE: Final = "hooks:"
UNKNOWN: Final = "unknown_message"
CHOSEN: Final = "chosen:"
"""Before the names of marks, then the hash of an address: when the newest STOP or START from it was said."""
LONGEST_KEPT: Final = 2_000
COUNTED: Final = ":counted"
"""Behind the id of a soft bounce that was added up, whether or not anybody heard of it yet."""
OLDEST: Final = timedelta(days=365)
"""What a provider says was said before is taken as being so old."""
_CAUSES: Final[Mapping[str, str]] = {"bounce": "bounced", "complaint": "complained"}
_ACTED_ON: Final = frozenset({"reply", "soft_bounce", "bounce", "complaint", "unsubscribe"})
"""What is done only once, whether or not anybody's inbox hears of it."""
_RECEIPTS: Final = frozenset({"delivered", "failed", "open", "click", "bounce", "complaint"})

log = logging.getLogger(__name__)


class Drawn(NamedTuple):
    """What one request came to: how many things it said by kind, whether anything new came for a customer, and who
    asked for help: (channel, address)."""

    counts: Mapping[str, int]
    news: bool = False
    helps: tuple[tuple[str, str], ...] = ()


class _About(NamedTuple):
    """One thing that was said, with whom it is about: our message where it is known, the customer, the address in the
    form that suppression compares, and as it was written (`text`). `said_at` is journey time; where the provider names
    none, when it came."""

    told: Told
    row: Message | None
    customer: str | None
    address: str | None
    said_at: datetime
    text: str = ""
    intent: Intent | None = None


def take_told(
    store: Store, provider: str, told: Sequence[Told], now: datetime, real_at: datetime | None = None
) -> Drawn:
    """Draw the consequences of what a provider said; `now` is journey time, `real_at` the instant that it is by the
    provider's clock. Raises StoreBusy: then it has to say it again, and what was not done is done.

    What has to be done comes before the id is known: nothing is lost where the database goes away in between, and a
    soft bounce may then count twice, and no more than one of a request.
    """
    told = list(joined(store, provider, told, now))
    counts: Counter[str] = Counter(one.kind for one in told)
    ids = {_id(provider, one) for one in told}
    known = store.known_ids(ids | {f"{id}{COUNTED}" for id in ids}, now)
    news_of = {one.event_id: one for one in reversed(told) if _id(provider, one) not in known}
    abouts = [_about(store, one, now, real_at) for one in reversed(news_of.values())]
    abouts.sort(key=lambda about: about.said_at)  # a request may hold what was said in any order
    _suppress(store, abouts, now)
    _obey_choices(store, abouts, now)
    unknown = [about.told for about in abouts if about.told.message_id is not None and about.row is None]
    if unknown:
        counts[UNKNOWN] += len(unknown)
        store.keep_refused([RefusedItem(now, f"hooks/{provider}", UNKNOWN, _kept(one)) for one in unknown])
    for about in abouts:
        if about.address is not None and about.told.kind == "delivered":
            note_delivered(store, about.told.channel, about.text)
        elif about.address is not None and about.told.kind == "soft_bounce":
            counted = f"{_id(provider, about.told)}{COUNTED}"
            if counted not in known:
                note_soft_bounce(store, about.told.channel, about.text, now)
                store.keep_ids([counted], now)
    news = _arrive(store, provider, abouts, now)
    helps = [(a.told.channel, a.address) for a in abouts if a.intent == "help" and a.address is not None]
    _count(store, provider, counts)
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
    if address is not None:
        _choose(store, channel, address.normal, intent, now, now, dated=False)


def _obey_choices(store: Store, abouts: Sequence[_About], now: datetime) -> None:
    """STOP and START: of several from one address the last one counts."""
    last = {(a.told.channel, a.address): (choice, a) for a in abouts if (choice := _choice(a)) is not None}
    for (channel, address), (choice, about) in last.items():
        if address is not None:
            _choose(store, channel, address, choice, about.said_at, now, dated=about.told.at is not None)


def _choice(about: _About) -> Literal["stop", "start"] | None:
    if about.told.kind == "unsubscribe" and about.told.channel in BY_NUMBER:
        return "stop"
    return about.intent if about.intent == "stop" or about.intent == "start" else None


def _choose(
    store: Store, channel: str, address: str, choice: Intent, said_at: datetime, now: datetime, dated: bool
) -> None:
    """Obey a STOP or START unless something newer was said from this address, which may have come before it.

    `dated`: the provider says when it was said, by a clock of seconds perhaps: at one instant, STOP stands.
    """
    name = CHOSEN + "".join(hashed_entry(store.salt, channel, address))
    newest = store.mark(name)
    if newest is not None and (said_at < newest or (choice == "start" and dated and said_at == newest)):
        return
    if choice == "stop":  # written down first, so that a START under way at the same time finds it afterwards
        store.mark(name, said_at)
        store.suppress([(channel, address, STOPPED)], now)
        return
    store.unsuppress([(channel, address, STOPPED)])
    found = store.mark(name)
    if found is not None and found > said_at:
        store.suppress([(channel, address, STOPPED)], now)
    else:
        store.mark(name, said_at)


def _about(store: Store, told: Told, now: datetime, real_at: datetime | None) -> _About:
    found = store.ledger(told.message_id) if told.message_id is not None else None
    row = found.row if found is not None and found.row.channel == told.channel else None
    written = row.to if row is not None and told.kind != "reply" else told.address
    normal = None
    if written is not None:
        address = stored_address(told.channel, written, None)
        normal = address.normal if address is not None else None
    age = timedelta(0) if told.at is None else (real_at or now) - told.at
    said_at = now - min(max(age, timedelta(0)), OLDEST)
    customer = row.customer_id if row is not None else None
    if customer is None and normal is not None and told.channel in ANSWERED_ON:
        customer = store.addressee(told.channel, normal)
    if told.kind != "reply":
        return _About(told, row, customer, normal, said_at, written or "")
    if row is None and customer is not None:
        row = store.message(customer, told.channel, None)
    intent = intent_of(told.text or "") if told.channel in ANSWERED_ON else None
    return _About(told, row, customer, normal, said_at, written or "", intent)


def _suppress(store: Store, abouts: Iterable[_About], now: datetime) -> None:
    """Addresses that are given up, or that complain, in one transaction."""
    entries: dict[tuple[str, str, str], None] = {}
    apart = kept_apart(store)
    for about in abouts:
        told, row, address = about.told, about.row, about.address
        if address is None:
            continue
        cause = _CAUSES.get(told.kind)
        if told.kind == "unsubscribe" and told.channel not in BY_NUMBER:
            cause = "opted_out" if row is None or row.klass == "transactional" else None
        if cause is not None:
            entries[told.channel, address, put_as(cause, told.channel, about.text, apart, store.salt)] = None
    if entries:
        store.suppress([*entries], now)


def _arrive(store: Store, provider: str, abouts: Sequence[_About], now: datetime) -> bool:
    """Tell the customers' inboxes, in one transaction, and know from now on what was said. Returns whether anything was
    news."""
    coming = [(about.told, item) for about in abouts if (item := _item(provider, about)) is not None]
    accepted, refused = 0, []
    if coming:
        done = ingest_once(store, [item for _, item in coming], now)
        accepted = done.accepted
        refused = [(coming[place][0], why) for place, why in done.refused]
    arrived = {told.event_id for told, _ in coming} - {told.event_id for told, _ in refused}
    rest = [a.told for a in abouts if a.told.event_id not in arrived and a.told.kind in _ACTED_ON]
    try:
        _keep_refused(store, provider, refused, now)
        store.keep_ids([_id(provider, told) for told in rest], now)
    except StoreBusy as error:  # everything is done, and the provider does not have to say it again
        log.warning("what %s said twice may be done twice: %s", provider, error)
    return accepted > 0


def _item(provider: str, about: _About) -> Arriving | None:
    """What the customer's inbox gets; None: nothing, or nobody is known."""
    body = _body(about)
    if body is None or about.customer is None:
        return None
    return Arriving(about.customer, body, _id(provider, about.told))


def _id(provider: str, told: Told) -> str:
    return f"hook:{provider}:{told.event_id}"


def _count(store: Store, provider: str, counts: Mapping[str, int]) -> None:
    """A figure is not worth a repetition."""
    try:
        store.count({f"{FIGURE}{provider}:{kind}": count for kind, count in counts.items()})
    except StoreBusy as error:
        log.warning("what %s said was not counted: %s", provider, error)


def _keep_refused(store: Store, provider: str, refused: Sequence[tuple[Told, str]], now: datetime) -> None:
    if refused:
        store.keep_refused([RefusedItem(now, f"hooks/{provider}", why, _kept(told)) for told, why in refused])


def _body(about: _About) -> Body | None:
    """What the customer's inbox gets; None: nothing (`sent` is known from the hand-over)."""
    told, row = about.told, about.row
    id = row.id if row is not None else None
    if told.kind == "reply":
        return Receipt("reply", told.channel, id, told.text or "", at=about.said_at if told.at is not None else None)
    if told.kind == "soft_bounce":
        return Receipt("failed", told.channel, id, told.reason)
    if told.kind == "unsubscribe":
        if row is None or row.klass == "transactional" or told.channel in BY_NUMBER:
            return Receipt("unsubscribe", told.channel, id, at=about.said_at if told.at is not None else None)
        return ConsentChanged(row.topic, row.channel, "out")
    if told.kind in _RECEIPTS:
        text = told.reason if told.kind in ("failed", "bounce", "complaint") else None
        return Receipt(told.kind, told.channel, id, text, told.url)
    return None


def _kept(told: Told) -> str:
    """What is kept of something that could not be taken."""
    said = {name: value for name, value in told._asdict().items() if value is not None}
    return json.dumps(said, ensure_ascii=False, default=str)[:LONGEST_KEPT]
