"""Whose turn it is: the customers that are due, those due longest first, found by indexes that hold nobody else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from orchestrator.stores.shards import SHARDS

WAITING: Final = """
SELECT shard, customer, external_id, received_at FROM inbox INDEXED BY ix_inbox_waiting
WHERE parked = 0 ORDER BY received_at, external_id
"""
DUE: Final = """
SELECT shard, id, external_id, next_due_at FROM customers INDEXED BY ix_customers_due
WHERE next_due_at <= ? ORDER BY next_due_at, external_id LIMIT ?
"""
_WAITING_TOGETHER: Final = f"SELECT * FROM ({WAITING} LIMIT ?) WHERE shard >> ? = ?"
_DUE_TOGETHER: Final = f"SELECT * FROM ({DUE}) WHERE shard >> ? = ?"
_HOW_MANY: Final = f"SELECT count(*) FROM ({WAITING} LIMIT ?)"
_HOW_MANY_DUE: Final = f"SELECT count(*) FROM ({DUE})"
DUE_AMONG: Final = """
SELECT c.shard, c.id, c.external_id
FROM json_each(?) AS j CROSS JOIN customers AS c ON c.external_id = j.value
WHERE c.parked IS NULL AND (
    c.next_due_at <= ?
    OR EXISTS (SELECT 1 FROM inbox AS i INDEXED BY ix_inbox_customer WHERE i.shard = c.shard AND i.customer = c.id)
)
"""
_MOST_BITS: Final = 4
"""At most sixteen turns' customers are looked at, and parted into sixteen groups of neighbours."""
_MANY: Final = 100
"""Customers of a turn from which on it pays to look for neighbours."""
_ID_BITS: Final = 40
SHARD_OF: Final = f"(j.value >> {_ID_BITS})"
ID_OF: Final = f"(j.value & {(1 << _ID_BITS) - 1})"
"""How queries read what `packed` wrote: `json_each(?) AS j`, where j.key is the customer's place in the view."""

assert SHARDS <= 1 << (63 - _ID_BITS)


class Chosen(NamedTuple):
    """A customer whose turn it is."""

    external_id: str
    shard: int
    id: int


def packed(chosen: Sequence[Chosen]) -> str:
    """Customers as one parameter of a query, in their order; see SHARD_OF."""
    return json.dumps([shard << _ID_BITS | id for _, shard, id in chosen])


def choose(
    c: sqlite3.Connection, now: int, budget: int, without: Collection[str] = (), together: bool = False
) -> list[Chosen]:
    """At most `budget` customers with inbox items or due timers, but for those `without`; ordered by external id.

    Those due longest come first, as in memory. `together`: where far more are due than one turn takes, the one due
    longest and its neighbours among them, whose rows lie side by side: a turn writes half as much then.
    """
    bits, limit = _spread(c, now, budget) if together and budget >= _MANY else (0, budget)
    waiting = c.execute(WAITING)
    due = c.execute(DUE, (now, limit + len(without)))
    if bits:
        first = min([*waiting.fetchmany(1), *due.fetchmany(1)], key=lambda row: row[3])
        group = (SHARDS.bit_length() - 1 - bits, first[0] >> (SHARDS.bit_length() - 1 - bits))
        waiting = c.execute(_WAITING_TOGETHER, (limit, *group))
        due = c.execute(_DUE_TOGETHER, (now, limit + len(without), *group))
    ready: dict[Chosen, int] = {}
    for shard, customer, external, received_at in waiting:
        place = Chosen(external, shard, customer)
        if place not in ready and external not in without:
            ready[place] = received_at
            if len(ready) >= budget:
                break
    waiting.close()
    for shard, customer, external, due_at in due:
        place = Chosen(external, shard, customer)
        if external not in without:
            ready[place] = min(ready.get(place, due_at), due_at)
    if len(ready) <= budget:
        return sorted(ready)
    longest = sorted(ready, key=lambda place: (ready[place], place.external_id))
    return sorted(longest[:budget])


def _spread(c: sqlite3.Connection, now: int, budget: int) -> tuple[int, int]:
    """Into how many groups of neighbours (as a power of two) those who are due are parted, and how many are looked at
    for that."""
    limit = budget << _MOST_BITS
    [waiting] = c.execute(_HOW_MANY, (limit,)).fetchone()
    [due] = c.execute(_HOW_MANY_DUE, (now, limit)).fetchone()
    return min((max(waiting, due) // budget).bit_length() - 1, _MOST_BITS) if max(waiting, due) > budget else 0, limit


def choose_among(c: sqlite3.Connection, now: int, budget: int, only: Sequence[str]) -> list[Chosen]:
    """At most `budget` of these customers, as far as they have inbox items or due timers; ordered by external id."""
    found = c.execute(DUE_AMONG, (json.dumps(only), now))
    return sorted({Chosen(external, shard, id) for shard, id, external in found})[:budget]
