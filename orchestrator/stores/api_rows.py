"""Keys, and answers that are given again. One text of SQL for both databases, as in orchestrator.stores.erasing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from orchestrator.stores.erasures import PAGE, Run
from orchestrator.stores.instants import instant, instant_or_none, micros, micros_or_none
from orchestrator.stores.naming import Named
from orchestrator.stores.protocol_api import BEGUN_FOR, KEPT_FOR, Begun, Given, Key
from orchestrator.stores.sealed_rows import ANSWER
from orchestrator.stores.sealing import Sealer, Unopened, shown

_COLUMNS: Final = "id, hash, prefix, name, kind, scopes, rate, source, created_at, used_at, expires_at, revoked_at"
_KEEP_KEY: Final = f"""
INSERT INTO api_keys ({_COLUMNS}) VALUES ({", ".join("?" * 12)})
ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, prefix = excluded.prefix, name = excluded.name,
    scopes = excluded.scopes, rate = excluded.rate, source = excluded.source, expires_at = excluded.expires_at,
    revoked_at = excluded.revoked_at
"""
_TOUCH: Final = "UPDATE api_keys SET used_at = ? WHERE id = ? AND (used_at IS NULL OR used_at < ?)"
_SWEPT: Final = 50
"""Answers that are forgotten with each write that begins: more than come in."""
_SWEEP: Final = """
DELETE FROM answers WHERE (caller, key) IN (
    SELECT caller, key FROM answers WHERE begun_at < ? ORDER BY begun_at LIMIT ?)
"""
_BEGIN: Final = """
INSERT INTO answers (caller, key, fingerprint, begun_at) VALUES (?, ?, ?, ?) ON CONFLICT (caller, key) DO NOTHING
"""
_AGAIN: Final = """
UPDATE answers SET begun_at = ? WHERE caller = ? AND key = ? AND fingerprint = ? AND status IS NULL AND begun_at < ?
"""
_KNOWN: Final = "SELECT fingerprint, status, body FROM answers WHERE caller = ? AND key = ?"
_ANSWERS: Final = "SELECT caller, key, body FROM answers WHERE (caller, key) > (?, ?) ORDER BY caller, key LIMIT ?"
_END: Final = "UPDATE answers SET status = ?, body = ? WHERE caller = ? AND key = ?"
_UNDO: Final = "DELETE FROM answers WHERE caller = ? AND key = ?"
GONE: Final = Given(
    "", 410, '{"Content-Type": "application/problem+json"}',
    json.dumps({
        "type": "about:blank", "title": "Gone", "status": 410, "code": "erased",
        "detail": "it was done; whom the answer named was erased since",
    }),
)  # fmt: skip
"""In place of an answer that named somebody who was erased."""


def keep_key(run: Run, key: Key) -> None:
    """Write a key."""
    run(
        _KEEP_KEY, key.id, key.hash, key.prefix, key.name, key.kind, " ".join(key.scopes), key.rate, key.source,
        micros(key.created_at), micros_or_none(key.used_at), micros_or_none(key.expires_at),
        micros_or_none(key.revoked_at),
    )  # fmt: skip


def keys(run: Run) -> list[Key]:
    """All of them."""
    rows = run(f"SELECT {_COLUMNS} FROM api_keys ORDER BY created_at, id").fetchall()
    return [_key(*row) for row in rows]


def _key(
    id: str, hash: str, prefix: str, name: str, kind: Any, scopes: str, rate: float | None, source: str | None,
    created_at: int, used_at: int | None, expires_at: int | None, revoked_at: int | None,
) -> Key:  # fmt: skip
    return Key(
        id, hash, prefix, name, kind, tuple(scopes.split()), rate, source, instant(created_at),
        instant_or_none(used_at), instant_or_none(expires_at), instant_or_none(revoked_at),
    )  # fmt: skip


def touch_keys(run: Run, used: Mapping[str, datetime]) -> None:
    """Note when keys were used."""
    for id, at in sorted(used.items()):
        run(_TOUCH, micros(at), id, micros(at))


def begin_write(run: Run, sealer: Sealer, caller: str, key: str, fingerprint: str, real_at: datetime) -> Begun:
    """Begin a write, unless it is known."""
    at = micros(real_at)
    run(_SWEEP, micros(real_at - KEPT_FOR), _SWEPT)
    run("DELETE FROM answers WHERE caller = ? AND key = ? AND begun_at < ?", caller, key, micros(real_at - KEPT_FOR))
    if run(_BEGIN, caller, key, fingerprint, at).rowcount > 0:
        return Begun(True, fingerprint)
    if run(_AGAIN, at, caller, key, fingerprint, micros(real_at - BEGUN_FOR)).rowcount > 0:
        return Begun(True, fingerprint)  # whoever began it is dead
    known: tuple[Any, ...] | None = run(_KNOWN, caller, key).fetchone()
    if known is None or known[1] is None:
        return Begun(False, fingerprint if known is None else known[0])
    try:
        headers, body = json.loads(sealer.open(ANSWER, known[2]))
    except Unopened:
        return Begun(False, known[0], GONE._replace(fingerprint=known[0]))
    return Begun(False, known[0], Given(known[0], known[1], headers, body))


def end_write(run: Run, sealer: Sealer, caller: str, key: str, given: Given | None) -> None:
    """Keep what was answered."""
    if given is None:
        run(_UNDO, caller, key)
    else:
        text = sealer.seal(ANSWER, json.dumps([given.headers, given.body]))
        run(_END, given.status, text, caller, key)


def forget(run: Run, sealer: Sealer, named: Named) -> int:
    """Answers that name somebody are given no more; that the write was done stays known. Returns how many."""
    changed, after = 0, ("", "")
    while page := run(_ANSWERS, *after, PAGE).fetchall():
        after = page[-1][:2]
        for caller, key, text in page:
            if text is not None and named(shown(sealer, ANSWER, text)):
                end_write(run, sealer, caller, key, GONE)
                changed += 1
    return changed


def old(run: Run, before: int) -> bool:
    """Whether there are answers that are given no more."""
    return run("SELECT 1 FROM answers WHERE begun_at < ? LIMIT 1", before).fetchone() is not None


def swept(run: Run, before: int, limit: int) -> int:
    """Forget old answers. Returns how many."""
    return max(0, int(run(_SWEEP, before, limit).rowcount))
