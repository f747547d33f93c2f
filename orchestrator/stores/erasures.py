"""Which ids were erased: nothing of them is taken for a while, a restored backup is told to forget them again, and what
arrived for them meanwhile goes.

One text of SQL for both databases; `Run` puts in what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.stores.erasure_certificates import ERASED, hash_of
from orchestrator.stores.instants import micros

PAGE: Final = 1_000
"""Rows of a long table that are looked at together."""
SWEPT_AFTER: Final = timedelta(minutes=1)
"""By then whatever was arriving while somebody was erased has arrived."""
NOBODY: Final = (-1, -1)
"""The place of somebody who is not there to be erased."""
Run = Callable[..., Any]
"""Executes a statement whose values stand as `?`; returns the driver's cursor."""
Key = tuple[int, int]


def rows_by_id(run: Run, table: str, columns: str) -> Iterator[tuple[Any, ...]]:
    """(id, columns ...) of all rows of a table, no more than PAGE in memory at once. Rows that were given may be
    changed or deleted meanwhile."""
    text, after = f"SELECT id, {columns} FROM {table} WHERE id > ? ORDER BY id LIMIT ?", -1
    while page := run(text, after, PAGE).fetchall():
        yield from page
        after = page[-1][0]


def bury(run: Run, hashes: Mapping[str, Key], at: int, real: int, digest: str = "") -> None:
    """Take nothing of these ids (by their hashes) from now on, and tell it to the export of rights."""
    for hash, (shard, id) in hashes.items():
        run(
            "INSERT INTO erasures (hash, at, erased_at, shard, customer, swept, digest) VALUES (?, ?, ?, ?, ?, 0, ?) "
            "ON CONFLICT (hash) DO UPDATE SET at = excluded.at, erased_at = excluded.erased_at, "
            "shard = excluded.shard, customer = excluded.customer, swept = 0, digest = excluded.digest",
            hash, at, real, shard, id, digest,
        )  # fmt: skip
        run("INSERT INTO rights (at, kind, external_id) VALUES (?, 'erased', ?)", real, ERASED + hash)


def buried(run: Run, salt: str, customers: Collection[tuple[str, int]], keep: int) -> set[str]:
    """Those of these customers (id, arrival in microseconds) whom an erasure keeps out for `keep` microseconds."""
    if run("SELECT EXISTS (SELECT 1 FROM erasures)").fetchone()[0] in (0, False):
        return set()
    kept_out = set()
    for customer, at in customers:
        found = run("SELECT at FROM erasures WHERE hash = ?", hash_of(salt, customer)).fetchone()
        if found is not None and at - found[0] <= keep:
            kept_out.add(customer)
    return kept_out


def erased_elsewhere(run: Run, salt: str, hashes: Mapping[str, datetime], ahead: timedelta) -> dict[str, str]:
    """See Store.erased: every id is looked at. `ahead`: of journey time, before real time."""
    wanted: dict[str, datetime] = {}
    for hash, at in hashes.items():
        known = run("SELECT erased_at FROM erasures WHERE hash = ?", hash).fetchone()
        if known is None or known[0] < micros(at):
            wanted[hash] = at
    found = {}
    if wanted:
        for customer, known_from in run("SELECT external_id, known_from FROM customers"):
            hash = hash_of(salt, customer)
            if hash in wanted and known_from <= micros(wanted[hash] + ahead):
                found[hash] = customer
    for hash in sorted(wanted.keys() - found.keys()):
        bury(run, {hash: NOBODY}, micros(wanted[hash] + ahead), micros(wanted[hash]))
    return found


def sweep(run: Run, before: int) -> int:
    """Delete what arrived for erased customers while they were being erased. Returns how many items went."""
    gone = 0
    for hash, shard, id in run(
        "SELECT hash, shard, customer FROM erasures WHERE swept = 0 AND at < ?", before
    ).fetchall():
        gone += max(0, run("DELETE FROM inbox WHERE shard = ? AND customer = ?", shard, id).rowcount)
        run("UPDATE erasures SET swept = 1 WHERE hash = ?", hash)
    return gone
