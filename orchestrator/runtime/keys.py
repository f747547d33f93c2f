"""Making, renewing and revoking keys of the API and of ingest. Each change leaves a row in the audit log."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_api import Key, KeyKind

BEGINNINGS: Final[dict[KeyKind, str]] = {"api": "oa_", "write": "ow_"}
"""How a key begins, so that one that lies about is known for what it is."""
_SHOWN: Final = 8
"""Characters of a key that are kept and shown."""


class KeyWanted(NamedTuple):
    """A key to make; fields as of Key."""

    name: str
    kind: KeyKind
    scopes: tuple[str, ...] = ()
    rate: float | None = None
    source: str | None = None
    expires_at: datetime | None = None


def hash_of_key(key: str) -> str:
    """What is kept of a key: it is random and long, so that no slow hash is needed."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def make_key(store: Store, wanted: KeyWanted, real_at: datetime, actor: str) -> tuple[Key, str]:
    """Make a key. Returns what is kept, and the key itself, which nobody can read again."""
    secret = BEGINNINGS[wanted.kind] + secrets.token_urlsafe(32)
    key = Key(
        "k" + secrets.token_hex(6), hash_of_key(secret), secret[:_SHOWN], wanted.name, wanted.kind,
        tuple(sorted(set(wanted.scopes))), wanted.rate, wanted.source, real_at, None, wanted.expires_at,
    )  # fmt: skip
    store.keep_key(key)
    store.audit(real_at, actor, "key made", told(key))
    return key, secret


def revoke_key(store: Store, id: str, real_at: datetime, actor: str) -> Key | None:
    """Let a key (by its id, or its prefix where that is one key's) open nothing any more. None: there is none."""
    key = find_key(store, id)
    if key is None or key.revoked_at is not None:
        return key
    revoked = key._replace(revoked_at=real_at)
    store.keep_key(revoked)
    store.audit(real_at, actor, "key revoked", told(key))
    return revoked


def rotate_key(
    store: Store, id: str, real_at: datetime, actor: str, overlap: timedelta = timedelta(0)
) -> tuple[Key, Key, str] | None:
    """Make a key that may do the same, and end the old one after `overlap`. Returns the old one, the new one, and the
    new key itself; None: there is none that is good."""
    key = find_key(store, id)
    if key is None or not key.good(real_at):
        return None
    wanted = KeyWanted(key.name, key.kind, key.scopes, key.rate, key.source, key.expires_at)
    new, secret = make_key(store, wanted, real_at, actor)
    end = real_at + overlap
    if overlap:
        old = key._replace(expires_at=end if key.expires_at is None else min(end, key.expires_at))
    else:
        old = key._replace(revoked_at=real_at)
    store.keep_key(old)
    store.audit(real_at, actor, "key rotated", f"{told(key)} by {new.id}")
    return old, new, secret


def find_key(store: Store, id: str) -> Key | None:
    """A key by its id, or by its prefix where that is one key's."""
    keys = store.all_keys()
    found = [key for key in keys if key.id == id] or [key for key in keys if key.prefix == id]
    return found[0] if len(found) == 1 else None


def told(key: Key) -> str:
    """A key in a line of the audit log."""
    may = " ".join(key.scopes) if key.kind == "api" else "write"
    return f"{key.id} ({key.prefix}…) {key.name}: {may}"
