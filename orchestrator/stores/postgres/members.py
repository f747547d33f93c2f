"""Rows of `segment_members` on PostgreSQL: written for all customers of a save at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.segment_rows import Moves, Row

PUT: Final = """
INSERT INTO segment_members (shard, customer, segment, since)
SELECT * FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::bigint[]) AS j (shard, customer, segment, since)
ON CONFLICT DO NOTHING
"""
DROP: Final = """
DELETE FROM segment_members AS m USING unnest(%s::int[], %s::bigint[], %s::text[]) AS j (shard, customer, segment)
WHERE m.shard = j.shard AND m.customer = j.customer AND m.segment = j.segment
"""


def put_members(c: Connection, rows: Sequence[Row]) -> None:
    """New members; some may stand there already."""
    if rows:
        shards, ids, names, since = zip(*rows, strict=True)
        c.execute(PUT, (ints(shards), ints(ids), texts(names), ints(since)))


def write(c: Connection, moves: Moves) -> None:
    """Those who joined and those who left."""
    put_members(c, moves.joined)
    if moves.left:
        shards, ids, names = zip(*moves.left, strict=True)
        c.execute(DROP, (ints(shards), ints(ids), texts(names)))
