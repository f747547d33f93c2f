"""When customers must be looked at again: the table `due`, and what each shard's row says of it.

Only who holds a shard's row changes either of them: a turn, and who wakes or parks a customer from outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.copying import copy_rows
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.sealed_rows import DETAIL
from orchestrator.stores.sealing import sealer_of

LOCK: Final = "SELECT id FROM shards WHERE id = ANY(%s::int[]) ORDER BY id FOR UPDATE"
CLOSE: Final = """
UPDATE shards SET next_due_at = (SELECT min(d.at) FROM due AS d WHERE d.shard = shards.id),
    turned_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
WHERE id = ANY(%s::int[])
"""
_SET: Final = """
INSERT INTO due (shard, customer, at) SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS j (shard, id, at)
ON CONFLICT (shard, customer) DO UPDATE SET at = excluded.at
"""
CHANGE: Final = """
UPDATE due SET at = j.at FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS j (shard, id, at)
WHERE due.shard = j.shard AND due.customer = j.id
"""
DROP: Final = """
DELETE FROM due USING unnest(%s::int[], %s::bigint[]) AS j (shard, id) WHERE due.shard = j.shard AND due.customer = j.id
"""
_PARK: Final = """
UPDATE customers SET parked = j.reason, parked_detail = j.detail, parked_at = j.at
FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::text[], %s::bigint[]) AS j (shard, id, reason, detail, at)
WHERE customers.shard = j.shard AND customers.id = j.id
"""
PARK_ITEMS: Final = """
UPDATE inbox SET parked = 1 FROM unnest(%s::int[], %s::bigint[]) AS j (shard, id)
WHERE inbox.shard = j.shard AND inbox.customer = j.id
"""

Key = tuple[int, int]
"""(shard, internal id) of a customer."""


def lock_shards(c: Connection, shards: Iterable[int]) -> None:
    """Wait until these shards are ours, in one order for everybody."""
    c.execute(LOCK, (ints(sorted(set(shards))),))


def close_shards(c: Connection, shards: Iterable[int]) -> None:
    """At the end of whatever held shards: say exactly when they are due next, and that they had their turn."""
    c.execute(CLOSE, (ints(shards),))


def wake(c: Connection, rows: Sequence[tuple[int, int, int]]) -> None:
    """Customers (shard, id) are to be looked at again at an instant, in microseconds. Locks their shards."""
    if rows:
        shards = {row[0] for row in rows}
        lock_shards(c, shards)
        c.execute(_SET, tuple(map(ints, zip(*rows, strict=True))))
        close_shards(c, shards)


def set_timers(c: Connection, rows: Sequence[tuple[Key, int | None, int | None]]) -> None:
    """Write when customers are due (microseconds, None: never), each with what stood there; their shards are held."""
    new = [(*key, at) for key, before, at in rows if before is None and at is not None]
    changed = [(*key, at) for key, before, at in rows if before is not None and at is not None and at != before]
    over = [key for key, before, at in rows if before is not None and at is None]
    copy_rows(c, "due (shard, customer, at)", new)
    if changed:
        c.execute(CHANGE, tuple(map(ints, zip(*changed, strict=True))))
    if over:
        c.execute(DROP, tuple(map(ints, zip(*over, strict=True))))


def park(c: Connection, rows: Sequence[tuple[Key, str, str, int]]) -> None:
    """Take no turn for customers: (key, reason, detail, microseconds). Neither their timers nor their items are found
    any more. Their shards are held."""
    if not rows:
        return
    shards, ids = ints(row[0][0] for row in rows), ints(row[0][1] for row in rows)
    seal = sealer_of(c).seal
    reasons, details = texts([row[1] for row in rows]), texts([seal(f"{DETAIL}:{row[0][1]}", row[2]) for row in rows])
    c.execute(_PARK, (shards, ids, reasons, details, ints(row[3] for row in rows)))
    c.execute(PARK_ITEMS, (shards, ids))
    c.execute(DROP, (shards, ids))


def park_items(c: Connection, keys: Sequence[Key]) -> None:
    """What came for customers while they were being parked waits with the rest."""
    c.execute(PARK_ITEMS, (ints(key[0] for key in keys), ints(key[1] for key in keys)))
