"""Rows of the inbox, for everything that puts something there: ingest, receipts, answers, operators, fan-outs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.stores.sealed_rows import INBOX
from orchestrator.stores.sealing import sealer_of

_PUT: Final = """
INSERT INTO inbox (shard, customer, external_id, received_at, parked, body)
SELECT shard, id, external_id, ?3, parked IS NOT NULL, ?4 FROM customers WHERE shard = ?1 AND id = ?2
"""
_IDS: Final = """
SELECT c.external_id, c.shard, c.id
FROM json_each(?) AS j CROSS JOIN customers AS c ON c.external_id = j.value
"""


def put_items(c: sqlite3.Connection, rows: Iterable[tuple[int, int, int, str]]) -> None:
    """Put items into inboxes, in their order: (shard, internal customer id, received_at in microseconds, body as
    `body_to_json` writes it). Those of a parked customer wait until it is resumed."""
    sealer = sealer_of(c)
    if sealer.seals:
        rows = [(shard, id, at, sealer.seal(f"{INBOX}:{id}", body)) for shard, id, at, body in rows]
    c.executemany(_PUT, rows)


_NAMED: Final = """
SELECT i.value, c.shard, c.id, c.parked IS NOT NULL, c.external_id
FROM json_each(?) AS j CROSS JOIN identifiers AS i ON i.kind IN ('anonymous', 'external') AND i.value = j.value
CROSS JOIN customers AS c ON c.shard = i.shard AND c.id = i.customer ORDER BY i.kind
"""


def internal_ids(c: sqlite3.Connection, external_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(shard, internal id) by external id, or another id of theirs; unknown customers are left out."""
    found = {external: (shard, id) for external, shard, id in c.execute(_IDS, (json.dumps(external_ids),))}
    if len(found) < len(external_ids) and (others := [id for id in external_ids if id not in found]):
        found.update((value, (row[0], row[1])) for value, *row in named(c, others))
    return found


def named(c: sqlite3.Connection, others: Sequence[str]) -> list[tuple[str, int, int, int, str]]:
    """Customers by ids that are not their own: (id, shard, internal id, whether parked, external id)."""
    return c.execute(_NAMED, (json.dumps(list(others)),)).fetchall()


def who_is(c: sqlite3.Connection, id: str) -> tuple[str, tuple[int, int]] | None:
    """A customer by one of its ids: (external id, (shard, internal id))."""
    found = c.execute(_IDS, (json.dumps([id]),)).fetchone()
    if found is not None:
        return id, (found[1], found[2])
    rows = named(c, [id])
    return (rows[-1][4], (rows[-1][1], rows[-1][2])) if rows else None
