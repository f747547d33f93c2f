"""Who asks: keys from the database and from ORCHESTRATOR_API_KEYS / ORCHESTRATOR_WRITE_KEYS, their scopes, their rates.

Keys are random and long, so that their SHA-256 is enough: it is made once a request and looked up, which compares no
secret. The table is read again every FRESH_FOR seconds at most: a revoked key opens nothing any more after that.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from math import ceil
from time import monotonic
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from orchestrator.http.api.call import Caller
from orchestrator.http.hosts import is_own_host
from orchestrator.http.problems import HttpRefusal
from orchestrator.runtime.keys import hash_of_key
from orchestrator.stores.protocol import Store, StoreBusy
from orchestrator.stores.protocol_api import Key

FRESH_FOR: Final = 2.0
"""Seconds for which what was read of the table is believed."""
_TOUCHED_EACH: Final = 60.0
"""Seconds between two writes of when keys were used."""
_OF_PROXIES: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_BLOCK_FOR: Final = 0.1
"""Seconds of a key's rate that a process takes at once, so that not every request writes to the database."""

_log = logging.getLogger(__name__)


ANYBODY: Final = Caller("open", "nobody's")
"""Whoever asks a server for which no key was ever made."""


class KeyRing:
    """The keys of an installation, as one process knows them. Called from many threads."""

    def __init__(self, store: Store, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._by_hash: dict[str, Key] = {}
        self._read_at = -FRESH_FOR
        self._used: dict[str, datetime] = {}
        self._touched_at = clock()
        self._blocks: dict[str, _Block] = {}

    def find(self, key: str, real_at: datetime) -> Key | None:
        """The key of the table that opens something now; None: there is none. Raises StoreBusy."""
        self._refresh()
        found = self._by_hash.get(hash_of_key(key))
        if found is None or not found.good(real_at):
            return None
        self._used[found.id] = real_at
        return found

    def any(self, kind: str | None = None) -> bool:
        """Whether a key (of a kind) was ever made here: revoking the last one opens no door."""
        self._refresh()
        return any(kind in (None, key.kind) for key in self._by_hash.values())

    def forget(self) -> None:
        """Read the table again at the next look: this process changed it."""
        self._read_at = -FRESH_FOR

    def _refresh(self) -> None:
        now = self._clock()
        if now - self._read_at < FRESH_FOR:
            return
        with self._lock:
            if now - self._read_at < FRESH_FOR:
                return
            self._by_hash = {key.hash: key for key in self._store.all_keys()}
            self._read_at = now
            touch = self._used and now - self._touched_at >= _TOUCHED_EACH
            if touch:
                used, self._used = self._used, {}
                self._touched_at = now
        if touch:
            try:
                self._store.touch_keys(used)
            except StoreBusy:
                _log.info("when keys were used last could not be noted: the database is busy")

    def take(self, name: str, rate: float | None, want: int, real_at: datetime) -> Allowance:
        """Take `want` requests (or events) from a key's bucket, which holds a second's worth and is shared by all
        processes. Some more than are wanted are taken, and kept for the next. More than the bucket holds is granted
        where it is full, so that no batch is too large for ever."""
        if rate is None:
            return Allowance(True, None, 0)
        burst = max(rate, 1.0)
        with self._lock:
            block = self._blocks.setdefault(name, _Block(0, real_at))
            if block.left < want or real_at - block.at > timedelta(seconds=1):
                asked = max(min(want, int(burst)), ceil(rate * _BLOCK_FOR))
                quota = self._store.take_quota(f"api:{name}", rate, burst, asked, real_at)
                fresh = real_at - block.at <= timedelta(seconds=1)
                block = self._blocks[name] = _Block(quota.granted + (block.left if fresh else 0), real_at, quota.left)
            needed = min(want, int(burst))
            allowed = block.left >= needed
            if allowed:
                block = self._blocks[name] = block._replace(left=block.left - needed)
            missing = max(0, needed - block.left - block.behind)
        return Allowance(allowed, block.left + block.behind, max(1, ceil(missing / rate)) if not allowed else 1)


_RINGS: Final[WeakKeyDictionary[Store, KeyRing]] = WeakKeyDictionary()


def ring_of(store: Store) -> KeyRing:
    """The ring that all of this process share over a store."""
    found = _RINGS.get(store)
    if found is None:
        found = _RINGS.setdefault(store, KeyRing(store))
    return found


class Allowance(NamedTuple):
    """Whether it may go on; how much is left (None: there is no limit); seconds until it is worth trying again."""

    allowed: bool
    left: int | None
    after: int


class _Block(NamedTuple):
    """What this process has of a bucket, since when, and what the bucket holds beside it."""

    left: int
    at: datetime
    behind: int = 0


def caller_of(
    ring: KeyRing, api_keys: Collection[str], write_keys: Collection[str], given: str | None, real_at: datetime
) -> Caller:
    """Who brings this key. Raises HttpRefusal (401, 403).

    While no key of any kind is configured, everybody may ask: such a server answers on its own machine only.
    """
    if given is not None:
        hashed = hash_of_key(given)
        if any(hashed == hash_of_key(one) for one in api_keys):
            return Caller("env-" + hashed[:12], "ORCHESTRATOR_API_KEYS")
        found = ring.find(given, real_at)
        if found is not None and found.kind == "api":
            return Caller(found.id, found.name, frozenset(found.scopes), found.rate, found.source)
        if found is not None or given in write_keys:
            detail = "this is a write key: it sends events, and stands in pages; use a secret API key"
            raise HttpRefusal(403, "write_key", detail)
    if not api_keys and not write_keys and not ring.any():
        return ANYBODY
    found_words = "this API key is not known here (any more)" if given else "there is no API key"
    detail = f"{found_words}; send one as `Authorization: Bearer KEY`; `orchestrator keys add` makes one"
    raise HttpRefusal(401, "unknown_api_key", detail, {"WWW-Authenticate": 'Bearer realm="API key"'})


def check_scope(caller: Caller, scope: str) -> None:
    """Raises HttpRefusal (403) where a key may not do this."""
    if caller.scopes is not None and scope not in caller.scopes:
        raise HttpRefusal(403, "missing_scope", f"this key lacks the scope {scope}")


def refuse_strangers(caller: Caller, headers: Mapping[str, str], base_url: str) -> None:
    """Where nobody needs a key, any page could ask through its visitor's browser: by a name that it had point here, or
    across origins. And anybody at all, where a proxy on this machine brings in what comes from elsewhere. Raises
    HttpRefusal (403)."""
    if caller is not ANYBODY:
        return
    host, origin = headers.get("host"), headers.get("origin")
    if any(name in headers for name in _OF_PROXIES):
        detail = "this came through a proxy, and no key guards the API yet: `orchestrator keys add` makes one"
        raise HttpRefusal(403, "open_door", detail)
    if not is_own_host(host, base_url):
        raise HttpRefusal(403, "foreign_host", "this address is not the installation's own; make an API key to use it")
    if origin is not None and not is_own_host(origin.partition("://")[2], base_url):
        raise HttpRefusal(403, "foreign_origin", "pages of other sites may not ask; the API is for servers, with a key")
