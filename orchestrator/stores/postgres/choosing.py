"""Whose turn it is: first the shards that have work are claimed, then, by statements of their own, customers in them.

One statement that did both would decide on rows as they were before it waited for a lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.timers import lock_shards

SHARDS_A_TURN: Final = 64
_FEWEST: Final = 16
"""Customers that each shard may bring into a turn at least: most turns are not full."""
LITTLE: Final = 1_000
"""Inbox items that are read sooner than every shard is asked for one."""

WORK: Final = """
(SELECT count(*) FROM (SELECT 1 FROM inbox WHERE parked = 0 LIMIT %(little)s) AS items),
    EXISTS (SELECT 1 FROM shards WHERE next_due_at <= %(now)s)
"""
"""Of a query that asks whether there is anything to do at all: how many items wait (at most `LITTLE` are counted), and
whether a timer is due."""
CLAIM: Final = """
SELECT s.id
FROM (SELECT id FROM shards ORDER BY turned_at NULLS FIRST, id OFFSET 0) AS waiting
JOIN shards AS s ON s.id = waiting.id
WHERE (s.next_due_at <= %(now)s OR EXISTS (SELECT 1 FROM inbox AS i WHERE i.shard = s.id AND i.parked = 0))
    AND s.id <> ALL(%(without)s::int[])
LIMIT %(most)s FOR UPDATE OF s SKIP LOCKED
"""
"""Asks shard by shard until there are enough: quick where most of them have work."""
CLAIM_FEW: Final = """
SELECT s.id FROM shards AS s
WHERE (s.next_due_at <= %(now)s OR s.id IN (SELECT shard FROM inbox WHERE parked = 0))
    AND s.id <> ALL(%(without)s::int[])
ORDER BY s.turned_at NULLS FIRST, s.id LIMIT %(most)s FOR UPDATE OF s SKIP LOCKED
"""
"""Reads all that waits: quick where that is little, and a thousand shards would be asked in vain."""
CLAIM_NAMED: Final = """
SELECT s.id FROM shards AS s
WHERE s.id = ANY(%(named)s::int[]) AND s.id <> ALL(%(without)s::int[])
    AND (s.next_due_at <= %(now)s OR EXISTS (SELECT 1 FROM inbox AS i WHERE i.shard = s.id AND i.parked = 0))
ORDER BY s.turned_at NULLS FIRST, s.id LIMIT %(most)s FOR UPDATE OF s SKIP LOCKED
"""
CLAIM_THESE: Final = "SELECT id FROM shards WHERE id = ANY(%s::int[]) ORDER BY id FOR UPDATE SKIP LOCKED"
WAITING: Final = """
SELECT i.shard, i.customer, i.external_id, i.received_at FROM unnest(%s::int[]) AS s (id)
CROSS JOIN LATERAL (SELECT shard, customer, external_id, received_at FROM inbox
                    WHERE shard = s.id AND parked = 0 ORDER BY received_at LIMIT %s) AS i
"""
DUE: Final = """
SELECT d.shard, d.customer, c.external_id, d.at FROM unnest(%s::int[]) AS s (id)
CROSS JOIN LATERAL (SELECT shard, customer, at FROM due
                    WHERE shard = s.id AND at <= %s ORDER BY at LIMIT %s) AS d
JOIN customers AS c ON c.shard = d.shard AND c.id = d.customer
"""
DUE_AMONG: Final = """
SELECT c.external_id, c.shard, c.id FROM unnest(%s::text[]) AS j (external)
JOIN customers AS c ON c.external_id = j.external
WHERE c.parked IS NULL AND c.shard = ANY(%s::int[]) AND (
    EXISTS (SELECT 1 FROM inbox AS i WHERE i.shard = c.shard AND i.customer = c.id)
    OR EXISTS (SELECT 1 FROM due AS d WHERE d.shard = c.shard AND d.customer = c.id AND d.at <= %s))
"""
_SHARDS_OF: Final = """
SELECT DISTINCT c.shard FROM unnest(%s::text[]) AS j (external) JOIN customers AS c ON c.external_id = j.external
"""
_ALL_WAITING: Final = """
SELECT shard, customer, external_id, min(received_at) FROM inbox WHERE parked = 0
GROUP BY shard, customer, external_id ORDER BY 4, external_id LIMIT %s
"""
_ALL_DUE: Final = """
SELECT d.shard, d.customer, c.external_id, d.at
FROM due AS d JOIN customers AS c ON c.shard = d.shard AND c.id = d.customer
WHERE d.at <= %s ORDER BY d.at, c.external_id LIMIT %s
"""


class Chosen(NamedTuple):
    """A customer whose turn it is."""

    external_id: str
    shard: int
    id: int


_Row = tuple[int, int, str, int]
"""(shard, id, external id, since when in microseconds)."""


def claim_shards(
    c: Connection, now: int, without: Collection[int], waiting: int, named: Sequence[int] | None
) -> list[int]:
    """Shards with work that nobody else holds, those whose turn was longest ago first. `waiting`: how many items there
    are, as WORK counts them; `named`: only among these shards."""
    asked = {"now": now, "without": ints(without), "most": SHARDS_A_TURN}
    if named is not None:
        return [id for (id,) in c.execute(CLAIM_NAMED, {**asked, "named": ints(named)})]
    return [id for (id,) in c.execute(CLAIM_FEW if waiting < LITTLE else CLAIM, asked)]


def claim_these(c: Connection, shards: Iterable[int]) -> list[int]:
    """Those of these shards that nobody else holds."""
    return [id for (id,) in c.execute(CLAIM_THESE, (ints(shards),))]


def choose(c: Connection, shards: Sequence[int], now: int, budget: int) -> list[Chosen]:
    """At most `budget` customers of claimed shards with inbox items or due timers: those due longest, by their ids."""
    if not shards:
        return []
    share = max(2 * budget // len(shards), _FEWEST)
    claimed = ints(shards)
    waiting = c.execute(WAITING, (claimed, share)).fetchall()
    return _longest(waiting, c.execute(DUE, (claimed, now, share)).fetchall(), budget)


def choose_everywhere(c: Connection, now: int, budget: int) -> list[Chosen]:
    """The same among all customers, exactly as memory does, for simulations; their shards are locked."""
    waiting = c.execute(_ALL_WAITING, (budget,)).fetchall()
    chosen = _longest(waiting, c.execute(_ALL_DUE, (now, budget)).fetchall(), budget)
    lock_shards(c, {place.shard for place in chosen})
    return chosen


def choose_among(c: Connection, now: int, budget: int, only: Sequence[str]) -> tuple[list[int], list[Chosen]]:
    """At most `budget` of these customers, as far as they have inbox items or due timers and nobody else holds their
    shards. Returns the shards, which are claimed now, and the customers by external id."""
    names = texts(only)
    shards = claim_these(c, [shard for (shard,) in c.execute(_SHARDS_OF, (names,))])
    return shards, sorted({Chosen(*row) for row in c.execute(DUE_AMONG, (names, ints(shards), now))})[:budget]


def _longest(waiting: Sequence[_Row], due: Sequence[_Row], budget: int) -> list[Chosen]:
    ready: dict[Chosen, int] = {}
    for shard, customer, external, since in (*waiting, *due):
        place = Chosen(external, shard, customer)
        before = ready.get(place)
        if before is None or since < before:
            ready[place] = since
    if len(ready) <= budget:
        return sorted(ready)
    return sorted(sorted(ready, key=lambda place: (ready[place], place.external_id))[:budget])
