"""Rows of the inbox, for everything that puts something there: receipts, answers, operators, fan-outs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.sealed_rows import INBOX
from orchestrator.stores.sealing import sealer_of

PARKED: Final = """
SELECT c.shard, c.id FROM unnest(%s::int[], %s::bigint[]) AS j (shard, id)
JOIN customers AS c ON c.shard = j.shard AND c.id = j.id
WHERE c.parked IS NOT NULL ORDER BY c.shard, c.id FOR SHARE OF c
"""
"""Who resumes a customer changes its row first and its items then: what is put there meanwhile must not stay behind."""
_PUT: Final = """
INSERT INTO inbox (shard, customer, external_id, received_at, parked, body)
SELECT c.shard, c.id, c.external_id, j.at, (c.parked IS NOT NULL)::int, j.body
FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::text[]) WITH ORDINALITY AS j (shard, id, at, body, n)
JOIN customers AS c ON c.shard = j.shard AND c.id = j.id ORDER BY j.n
"""
_IDS: Final = """
SELECT c.external_id, c.shard, c.id
FROM unnest(%s::text[]) AS j (external) JOIN customers AS c ON c.external_id = j.external
"""


def put_items(c: Connection, rows: Iterable[tuple[int, int, int, str]]) -> None:
    """Put items into inboxes, in their order: (shard, internal customer id, received_at in microseconds, body as
    `body_to_json` writes it). Those of a parked customer wait until it is resumed."""
    rows = list(rows)
    if not rows:
        return
    seal = sealer_of(c).seal
    bodies = [seal(f"{INBOX}:{row[1]}", row[3]) for row in rows]
    shards, ids = ints(row[0] for row in rows), ints(row[1] for row in rows)
    c.execute(PARKED, (shards, ids))
    c.execute(_PUT, (shards, ids, ints(row[2] for row in rows), texts(bodies)))


NAMED: Final = """
SELECT i.value, c.shard, c.id, (c.parked IS NOT NULL)::int, c.external_id
FROM unnest(%s::text[]) AS j (value) JOIN identifiers AS i ON i.kind IN ('anonymous', 'external') AND i.value = j.value
JOIN customers AS c ON c.shard = i.shard AND c.id = i.customer ORDER BY i.kind
"""


def internal_ids(c: Connection, external_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(shard, internal id) by external id, or another id of theirs; unknown customers are left out."""
    found = {external: (shard, id) for external, shard, id in c.execute(_IDS, (texts(external_ids),))}
    if len(found) < len(external_ids) and (others := [id for id in external_ids if id not in found]):
        found.update((value, (row[0], row[1])) for value, *row in named(c, others))
    return found


def named(c: Connection, others: Sequence[str]) -> list[tuple[str, int, int, int, str]]:
    """Customers by ids that are not their own: (id, shard, internal id, whether parked, external id)."""
    return c.execute(NAMED, (texts(others),)).fetchall()


def who_is(c: Connection, id: str) -> tuple[str, tuple[int, int]] | None:
    """A customer by one of its ids: (external id, (shard, internal id))."""
    found = c.execute(_IDS, (texts([id]),)).fetchone()
    if found is not None:
        return id, (found[1], found[2])
    rows = named(c, [id])
    return (rows[-1][4], (rows[-1][1], rows[-1][2])) if rows else None
