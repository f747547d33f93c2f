"""The audit log: what operators did, each row with a hash over its content and the hash of the row before.

A row can be added, and nothing else: triggers refuse to change or to delete one. What a row says in words may name a
person; the chain is made of a digest of the words, keyed with the installation's salt, so that an erasure can put a
hash in their place and the chain still holds. Whoever notes the last hash elsewhere (`audit verify --head`) sees it,
too, when rows are missing at the end.

One text of SQL for both databases, as in orchestrator.stores.erasing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from orchestrator.stores.erasure_certificates import ERASED, digest_of, hash_of
from orchestrator.stores.erasures import Run
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.protocol_audit import AuditRow, Fault, Verified

PAGE: Final = 1_000
_WAIT: Final = "SELECT pg_advisory_xact_lock(hashtextextended('orchestrator audit', 0))"
_LAST: Final = "SELECT hash FROM audit WHERE hash <> '' ORDER BY id DESC LIMIT 1"
_ADD: Final = "INSERT INTO audit (at, actor, action, detail, digest, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?)"
_ROWS: Final = "SELECT id, at, actor, action, detail, digest, previous, hash FROM audit"


def chained(salt: str, at: datetime, actor: str, action: str, detail: str, previous: str) -> tuple[str, str]:
    """The digest of a row's words, and its hash: SHA-256 over the row as JSON with sorted keys, as certificates have
    it."""
    digest = hash_of(salt, detail)
    return digest, row_hash(at, actor, action, digest, previous)


def row_hash(at: datetime, actor: str, action: str, digest: str, previous: str) -> str:
    """The hash that a row must have. `at` counts as microseconds since 1970."""
    return digest_of({"at": micros(at), "actor": actor, "action": action, "detail": digest, "previous": previous})


def add(run: Run, salt: str, at: datetime, actor: str, action: str, detail: str, shared: bool) -> None:
    """Write a row, in a transaction. `shared`: of a database that several processes write at once; then whoever comes
    second waits for the first one's commit, and no turn is among them."""
    if shared:
        run(_WAIT)
    found = run(_LAST).fetchone()
    previous = str(found[0]) if found is not None else ""
    digest, hash = chained(salt, at, actor, action, detail, previous)
    run(_ADD, micros(at), actor, action, detail, digest, previous, hash)


def rows_after(run: Run, after: int, limit: int) -> Sequence[AuditRow]:
    """Rows in their order."""
    return [_row(*found) for found in run(f"{_ROWS} WHERE id > ? ORDER BY id LIMIT ?", after, limit).fetchall()]


def newest(run: Run, limit: int) -> Sequence[AuditRow]:
    """The last rows, in their order."""
    found = run(f"{_ROWS} ORDER BY id DESC LIMIT ?", limit).fetchall()
    return [_row(*one) for one in reversed(found)]


def checked(rows: Iterator[AuditRow], salt: str, head: str | None = None, begin: str | None = "") -> Verified:
    """Whether rows fit each other, from the first one on that is given. `begin`: the hash that it must go on from;
    None: any. `head`: a hash that was noted elsewhere, and must be among them."""
    count = erased = 0
    previous, last, seen = begin, "", head is None
    for row in rows:
        count += 1
        why = _misfit(row, salt, previous)
        if why is not None:
            return Verified(count, erased, last, Fault(row.id, row.at, row.action, why))
        erased += row.detail.startswith(ERASED) and row.digest != hash_of(salt, row.detail)
        previous = last = row.hash
        seen = seen or last == head
    if not seen:
        why = "no row has the hash that was noted: rows are missing at the end, or it is of another database"
        return Verified(count, erased, last, Fault(None, None, None, why))
    return Verified(count, erased, last, None)


def _misfit(row: AuditRow, salt: str, previous: str | None) -> str | None:
    if not row.hash:
        return "it has no hash: an older version of the program wrote it, or somebody else"
    if previous is not None and row.previous != previous:
        return "it does not go on from the row before: one was taken out, put in, or changed"
    if row.hash != row_hash(row.at, row.actor, row.action, row.digest, row.previous):
        return "its content is not what its hash is of"
    if row.digest != hash_of(salt, row.detail) and not row.detail.startswith(ERASED):
        return "its words are not those that were written"
    return None


def _row(id: int, at: int, actor: str, action: str, detail: str, digest: str, previous: str, hash: str) -> AuditRow:
    return AuditRow(id, instant(at), actor, action, detail, digest, previous, hash)
