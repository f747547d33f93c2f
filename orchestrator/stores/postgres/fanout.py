"""Something for many inboxes: the occurrences of schedules, and deploys.

A row says what for whom, and a row for each shard how far it came there. The first customers get it in the transaction
that makes them, the others shard by shard between turns, in whichever process has time: ten million promotional
entries never stand before a booking confirmation, and nobody waits for another's shard.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from orchestrator.core.inbox import Body
from orchestrator.core.state import body_to_json
from orchestrator.stores.instants import micros
from orchestrator.stores.postgres import arrays
from orchestrator.stores.postgres.database import Connection, Database
from orchestrator.stores.postgres.inbox import put_items
from orchestrator.stores.records import segments_of
from orchestrator.stores.segment_rows import USABLE
from orchestrator.stores.shards import SHARDS

AT_ONCE: Final = 5_000
"""Customers who get a new fan-out at once: a few turns."""
CHUNKS: Final = 10
"""Chunks that are looked at before one turn, to find those few of a segment whom an occurrence concerns."""
SHARDS_A_CHUNK: Final = 64
_EVER: Final = (1 << 62) - 1
_ADD: Final = (
    "INSERT INTO fanout (name, at, body, zone, segment, reached, done) VALUES (%s, %s, %s, %s, %s, 0, 0) "
    "ON CONFLICT (name) DO NOTHING RETURNING id"
)
_WHO: Final = """
c.shard, c.id, c.known_from <= %(known_by)s, CASE WHEN %(segment)s::text IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM inbox AS i WHERE i.shard = c.shard AND i.customer = c.id) THEN c.state END
"""
"""A customer with a full inbox may be in the segment once it is read: it is asked then."""
FIRST: Final = f"SELECT {_WHO} FROM customers AS c ORDER BY c.shard, c.id LIMIT %(n)s"
FIRST_IN_ZONE: Final = f"""
SELECT {_WHO} FROM customers AS c WHERE c.zone = %(zone)s ORDER BY c.shard, c.id LIMIT %(n)s
"""
_LEFT: Final = """
INSERT INTO fanout_shards (fanout, shard, cursor)
SELECT %(id)s::bigint, shard, CASE shard WHEN %(shard)s::int THEN %(last)s::bigint ELSE 0 END
FROM generate_series(%(shard)s::int, %(most)s::int) AS shard
"""
_PENDING: Final = """
SELECT f.id, f.at, f.body, f.zone, f.segment FROM fanout AS f
WHERE f.done = 0 AND EXISTS (SELECT 1 FROM fanout_shards AS s WHERE s.fanout = f.id) ORDER BY f.at, f.id LIMIT 1
"""
_MINE: Final = """
SELECT shard, cursor FROM fanout_shards WHERE fanout = %s ORDER BY shard LIMIT %s FOR UPDATE SKIP LOCKED
"""
_NEXT: Final = f"""
SELECT {_WHO}
FROM unnest(%(shards)s::bigint[], %(cursors)s::bigint[]) AS j (shard, cursor)
CROSS JOIN LATERAL (
    SELECT * FROM customers AS c WHERE c.shard = j.shard AND c.id > j.cursor {{zone}} ORDER BY c.id LIMIT %(n)s
) AS c
"""
NEXT: Final = _NEXT.format(zone="")
NEXT_IN_ZONE: Final = _NEXT.format(zone="AND c.zone = %(zone)s")
NEXT_MEMBERS: Final = """
SELECT j.shard, u.customer, coalesce(c.known_from <= %(known_by)s AND (%(zone)s::text IS NULL OR c.zone = %(zone)s),
    FALSE), NULL
FROM unnest(%(shards)s::bigint[], %(cursors)s::bigint[]) AS j (shard, cursor)
CROSS JOIN LATERAL (
    SELECT customer FROM (
        SELECT m.customer FROM segment_members AS m
        WHERE m.segment = %(segment)s AND m.shard = j.shard AND m.customer > j.cursor
        UNION SELECT i.customer FROM inbox AS i WHERE i.shard = j.shard AND i.customer > j.cursor) AS either
    ORDER BY customer LIMIT %(n)s
) AS u
LEFT JOIN customers AS c ON c.shard = j.shard AND c.id = u.customer
"""
"""The same by the rows of the segment, where these tell of everybody."""
_MOVED: Final = """
UPDATE fanout_shards AS s SET cursor = j.cursor FROM unnest(%s::bigint[], %s::bigint[]) AS j (shard, cursor)
WHERE s.fanout = %s AND s.shard = j.shard
"""
_OVER: Final = "DELETE FROM fanout_shards WHERE fanout = %s AND shard = ANY(%s::bigint[])"
_DONE: Final = """
UPDATE fanout SET done = 1
WHERE done = 0 AND NOT EXISTS (SELECT 1 FROM fanout_shards AS s WHERE s.fanout = fanout.id)
"""
_USABLE: Final = USABLE.replace("?", "%s")
_INBOX: Final = "SELECT count(*) FROM (SELECT 1 FROM inbox WHERE parked = 0 LIMIT %s) AS s"


class _Fanout(NamedTuple):
    id: int
    at: int
    body: str
    zone: str | None
    segment: str | None


def begin_fan_out(
    c: Connection,
    name: str,
    body: Body,
    at: datetime,
    zone: str | None = None,
    segment: str | None = None,
    everyone: bool = False,
) -> int | None:
    """Tell everyone who was known at `at`, is in the zone and (as far as it is decided) in the segment.

    `everyone`: all who are known now, whatever their instants say. Returns how many were told at once; None: there was
    a fan-out of this name.
    """
    row = c.execute(_ADD, (name, micros(at), body_to_json(body), zone, segment)).fetchone()
    if row is None:
        return None
    fanout = _Fanout(row[0], micros(at), body_to_json(body), zone, segment)
    if _by_members(c, segment):
        c.execute(_LEFT, {"id": fanout.id, "shard": 0, "last": 0, "most": SHARDS - 1})
        told = 0
        for _ in range(0, SHARDS, SHARDS_A_CHUNK):
            looked_at, more = _expand(c, fanout, AT_ONCE - told)
            told += more
            if not looked_at or told >= AT_ONCE:
                break
        return told
    asked = {**fanout._asdict(), "known_by": _EVER if everyone else fanout.at, "n": AT_ONCE}
    rows = c.execute(FIRST if zone is None else FIRST_IN_ZONE, asked).fetchall()
    told = _tell(c, fanout, rows)
    if len(rows) == AT_ONCE:
        shard, last, *_ = rows[-1]
        c.execute(_LEFT, {"id": fanout.id, "shard": shard, "last": last, "most": SHARDS - 1})
    return told


def expand_fan_outs(db: Database, now: datetime, budget: int) -> int:
    """Put the next chunks of what is not done into inboxes, while less than one budget waits there. Returns how many.

    Each chunk is a short transaction of its own; shards that somebody else expands just now are left to it.
    """
    put = 0
    for _ in range(CHUNKS):
        with db.read() as c:
            pending = c.execute(_PENDING).fetchone()
            if pending is None or _count(c, budget) + put >= budget:
                return put
        with db.write(apart=True) as c:
            looked_at, told = _expand(c, _Fanout(*pending), budget - put)
        put += told
        if not looked_at or put >= budget:
            return put
    return put


def _by_members(c: Connection, segment: str | None) -> bool:
    """Whether the rows of a segment tell of everybody."""
    if segment is None:
        return False
    found = c.execute(_USABLE, (segment,)).fetchone()
    return found is not None and bool(found[0])


def finish_fan_outs(c: Connection) -> None:
    """Mark those as done that have no shard left."""
    c.execute(_DONE)


def _count(c: Connection, budget: int) -> int:
    row = c.execute(_INBOX, (budget,)).fetchone()
    return int(row[0]) if row is not None else 0


def _expand(c: Connection, fanout: _Fanout, count: int) -> tuple[int, int]:
    """Look at the next customers of the shards that nobody else has. Returns how many shards these were, and how many
    customers were told."""
    mine: list[tuple[Any, ...]] = c.execute(_MINE, (fanout.id, SHARDS_A_CHUNK)).fetchall()
    if not mine:
        return 0, 0
    each = max(count // len(mine), 1)
    asked = {**fanout._asdict(), "known_by": fanout.at, "n": each}
    asked["shards"] = arrays.ints([shard for shard, _ in mine])
    asked["cursors"] = arrays.ints([cursor for _, cursor in mine])
    if _by_members(c, fanout.segment):
        rows = c.execute(NEXT_MEMBERS, asked).fetchall()
    else:
        rows = c.execute(NEXT if fanout.zone is None else NEXT_IN_ZONE, asked).fetchall()
    told = _tell(c, fanout, rows)
    seen: dict[int, list[int]] = {shard: [] for shard, _ in mine}
    for shard, customer, *_ in rows:
        seen[shard].append(customer)
    over = [shard for shard, customers in seen.items() if len(customers) < each]
    moved = [(shard, max(customers)) for shard, customers in seen.items() if len(customers) == each]
    if over:
        c.execute(_OVER, (fanout.id, arrays.ints(over)))
    if moved:
        shards, cursors = zip(*moved, strict=True)
        c.execute(_MOVED, (arrays.ints(shards), arrays.ints(cursors), fanout.id))
    return len(mine), told


def _tell(c: Connection, fanout: _Fanout, rows: Sequence[tuple[Any, ...]]) -> int:
    """Put it into the inboxes of those of the rows whom it concerns. Returns how many these are."""
    told = [
        (shard, customer, fanout.at, fanout.body)
        for shard, customer, was_known, state in rows
        if was_known and (state is None or fanout.segment in segments_of(state))
    ]
    put_items(c, told)
    return len(told)
