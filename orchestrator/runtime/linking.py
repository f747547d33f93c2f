"""`link_once`: links between ids that wait are acted on, and what the rules block is kept and counted.

Links come in with what said so (a call with a user id and an anonymous id, an alias) and are written in the same
transaction: whoever brought them acts on them right away, and whatever is left, because a process died in between, the
loop's next pass does.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Final, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

from orchestrator.core.linking import is_nobody
from orchestrator.stores.protocol import RefusedItem, Store, StoreBusy
from orchestrator.stores.protocol_identity import Joined, Link

SOURCE: Final = "identity"
"""Of refused items: what the rules blocked."""
MOST: Final = 1_000
"""Links of one pass."""
ANSWERED_WITHIN: Final = 0.5
"""Seconds for which a request acts on links, its own and those that others left."""
REMEMBERED: Final = 100_000
KNOWN_FOR: Final = timedelta(minutes=10)
"""How many links a process remembers to have seen, and for how long: a page names both ids with every event."""


_Said: TypeAlias = tuple[str, str, str]
"""Kind, value and customer of a link."""
_log = logging.getLogger(__name__)


class LinkCounts(NamedTuple):
    """What one pass did: `merged` customers, `added` identifiers, `blocked` by a rule, `nothing` new (any more)."""

    merged: int = 0
    added: int = 0
    blocked: int = 0
    nothing: int = 0


def link_once(store: Store, now: datetime, limit: int = MOST, seconds: float | None = None) -> LinkCounts:
    """Act on links that wait, oldest first, for so long at most (None: until all of them had their turn)."""
    return _settled(store, now, limit, seconds)[0]


def _settled(store: Store, now: datetime, limit: int, seconds: float | None) -> tuple[LinkCounts, set[_Said]]:
    """The counts, and the links that came to nothing as their customer is nobody yet."""
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    nobodys: set[_Said] = set()
    until = None if seconds is None else monotonic() + seconds
    for link in store.links(limit):
        if until is not None and counts and monotonic() >= until:
            break
        try:
            done = store.settle_link(link, now)
        except StoreBusy:
            raise
        except Exception:  # one that cannot be settled (a row that no key opens) holds up no other, and waits
            _log.exception("a link of an identifier of kind %s could not be settled; it waits", link.kind)
            continue
        counts[done.outcome] += 1
        if done.outcome == "unknown":
            nobodys.add(link[:3])
        if done.outcome == "blocked":
            reasons[f"identity:blocked:{done.reason}"] += 1
            store.keep_refused([_kept(link, done, now)])
    figures = {f"identity:{outcome}": counts[outcome] for outcome in ("merged", "added") if counts[outcome]}
    if figures or reasons:
        store.count({**figures, **reasons})
    nothing = counts["nothing"] + counts["unknown"]
    return LinkCounts(counts["merged"], counts["added"], counts["blocked"], nothing), nobodys


_FIELDS: Final[Mapping[str, str]] = {"external": "previousId", "anonymous": "anonymousId"} | {
    kind: kind for kind in ("email", "phone")
}
"""As whoever erases a person finds ids and addresses in what was refused."""


def _kept(link: Link, done: Joined, now: datetime) -> RefusedItem:
    content = json.dumps({_FIELDS[link.kind]: link.value, "userId": link.customer})
    return RefusedItem(now, SOURCE, f"blocked: {done.reason}", content[:2000])


_KNOWN: Final[WeakKeyDictionary[Store, KnownLinks]] = WeakKeyDictionary()
_KNOWN_LOCK: Final = threading.Lock()


def new_links(store: Store, links: Sequence[Link], now: datetime) -> list[Link]:
    """Those of these links that have to be acted on; what is known costs nothing, as in nearly every request."""
    known = _known_links(store)
    fresh = known.new_among(links, now)
    if not fresh:
        return []
    fresh = _nobodys_once(known, fresh, store.index.project.identity.never, now)
    unlinked = list(store.unlinked(fresh))
    known.remember([link for link in fresh if link not in unlinked], now)
    return unlinked


def act_on(store: Store, links: Sequence[Link], now: datetime) -> None:
    """Act on links that were just written. Whatever the database is too busy for, or takes long, the loop does: the
    sender waits for its answer meanwhile, and sends all of it again when that takes too long."""
    try:
        _, nobodys = _settled(store, now, MOST, ANSWERED_WITHIN)
    except StoreBusy:
        return
    _known_links(store).remember([link for link in links if link[:3] not in nobodys], now)


def _nobodys_once(known: KnownLinks, links: Sequence[Link], never: Container[str], now: datetime) -> list[Link]:
    """Of a value that is nobody's id one link is enough to tell of it, whoever it came with: a client that sends
    `undefined` sends it for everybody."""
    kept = []
    for link in links:
        if is_nobody(link.value, never):
            once = link._replace(customer="")
            if not known.new_among([once], now):
                continue
            known.remember([once], now)
        kept.append(link)
    return kept


def _known_links(store: Store) -> KnownLinks:
    with _KNOWN_LOCK:
        return _KNOWN.setdefault(store, KnownLinks())


class KnownLinks:
    """Links that this process has seen come about, or be blocked, lately: they are not asked about again. Instants are
    journey time."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str, str], datetime] = OrderedDict()
        self._lock = threading.Lock()

    def new_among(self, links: Sequence[Link], now: datetime) -> list[Link]:
        """Those that are not known, each once."""
        since = now - KNOWN_FOR
        found: dict[tuple[str, str, str], Link] = {}
        with self._lock:
            for link in links:
                seen_at = self._seen.get(link[:3])
                if seen_at is None or seen_at < since:
                    found.setdefault(link[:3], link)
        return list(found.values())

    def remember(self, links: Sequence[Link], now: datetime) -> None:
        """These were acted on."""
        with self._lock:
            for link in links:
                self._seen[link[:3]] = now
                self._seen.move_to_end(link[:3])
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
