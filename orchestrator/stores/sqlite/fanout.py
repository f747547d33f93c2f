"""Something for many inboxes: the occurrences of schedules, and deploys.

A row says what for whom. The first customers get it in the transaction that makes the row, the others chunk by chunk in
the order of their ids, between turns: ten million promotional entries never stand before a booking confirmation.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Final, NamedTuple

from orchestrator.core.inbox import Body
from orchestrator.core.state import body_to_json
from orchestrator.stores.instants import micros
from orchestrator.stores.records import SEGMENTS
from orchestrator.stores.segment_rows import USABLE
from orchestrator.stores.shards import SHARDS
from orchestrator.stores.sqlite.inbox import put_items

AT_ONCE: Final = 5_000
"""Customers who get a new fan-out at once: a few turns."""
CHUNKS: Final = 10
"""Chunks that one turn looks at, to find those few of a segment whom an occurrence concerns."""
_EVER: Final = (1 << 62) - 1
_ADD: Final = (
    "INSERT INTO fanout (name, at, body, zone, segment, reached, done) VALUES (?, ?, ?, ?, ?, 0, 0) "
    "ON CONFLICT (name) DO NOTHING RETURNING id"
)
_PENDING: Final = (
    "SELECT id, at, body, zone, segment, cursor FROM fanout INDEXED BY ix_fanout_pending WHERE done = 0 ORDER BY at, id"
)
_NEXT: Final = f"""
SELECT c.shard, c.id, c.external_id,
    c.known_from <= :known_by AND (:segment IS NULL
        OR EXISTS (SELECT 1 FROM json_each(c.state, '{SEGMENTS}') AS s WHERE s.value = :segment)
        OR EXISTS (SELECT 1 FROM inbox AS i INDEXED BY ix_inbox_customer WHERE i.shard = c.shard AND i.customer = c.id))
FROM customers AS c INDEXED BY {{index}} WHERE {{zone}} c.external_id > :cursor ORDER BY c.external_id LIMIT :n
"""
_EVERYWHERE: Final = _NEXT.format(index="ix_customers_external_id", zone="")
_IN_ZONE: Final = _NEXT.format(index="ix_customers_zone", zone="c.zone = :zone AND")
"""A customer with a full inbox may be in the segment once it is read: it is asked then."""
_MEMBERS: Final = """
SELECT m.customer, c.known_from <= :known_by AND (:zone IS NULL OR c.zone = :zone)
FROM (SELECT customer FROM segment_members INDEXED BY ix_segment_members_segment
      WHERE segment = :segment AND shard = :shard AND customer > :cursor
      UNION SELECT customer FROM inbox INDEXED BY ix_inbox_customer
      WHERE shard = :shard AND customer > :cursor) AS m
LEFT JOIN customers AS c ON c.shard = :shard AND c.id = m.customer ORDER BY m.customer LIMIT :n
"""
"""The same by the rows of the segment, shard by shard, where these tell of everybody."""
_BY_STATE: Final = f"""
SELECT c.id, c.known_from <= :known_by AND (:zone IS NULL OR c.zone = :zone) AND (
    EXISTS (SELECT 1 FROM json_each(c.state, '{SEGMENTS}') AS s WHERE s.value = :segment)
    OR EXISTS (SELECT 1 FROM inbox AS i INDEXED BY ix_inbox_customer WHERE i.shard = c.shard AND i.customer = c.id))
FROM customers AS c WHERE c.shard = :shard AND c.id > :cursor ORDER BY c.id LIMIT :n
"""
"""The same, where a deploy since then has the rows worked out anew."""
_PLACE: Final = "SELECT shard, cursor FROM fanout_shards WHERE fanout = ?"
_BY_MEMBERS: Final = "INSERT INTO fanout_shards (fanout, shard, cursor) VALUES (?, 0, 0)"
_PLACED: Final = "UPDATE fanout_shards SET shard = ?, cursor = ? WHERE fanout = ?"
_MOVED: Final = "UPDATE fanout SET cursor = ?, reached = reached + ?, done = ? WHERE id = ?"
_INBOX: Final = "SELECT count(*) FROM (SELECT 1 FROM inbox INDEXED BY ix_inbox_waiting WHERE parked = 0 LIMIT ?)"


class _Fanout(NamedTuple):
    id: int
    at: int
    body: str
    zone: str | None
    segment: str | None
    cursor: str | None


def begin_fan_out(
    c: sqlite3.Connection,
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
    fanout = _Fanout(row[0], micros(at), body_to_json(body), zone, segment, None)
    if segment is not None and c.execute(USABLE, (segment,)).fetchone()[0]:
        c.execute(_BY_MEMBERS, (fanout.id,))
    _, reached = _expand(c, fanout, AT_ONCE, _EVER if everyone else fanout.at)
    return reached


def expand_fan_outs(c: sqlite3.Connection, now: datetime, budget: int) -> int:
    """Put the next chunk of what is not done into inboxes, while less than one budget waits there. Returns how many."""
    pending = [_Fanout(*row) for row in c.execute(_PENDING)]
    if not pending:
        return 0
    [waiting] = c.execute(_INBOX, (budget,)).fetchone()
    put = 0
    if waiting >= budget:
        return put
    for _ in range(CHUNKS):
        if not pending or put >= budget:
            break
        looked_at, reached = _expand(c, pending[0], budget - put, pending[0].at)
        put += reached
        if looked_at is None:
            del pending[0]
        else:
            pending[0] = pending[0]._replace(cursor=looked_at)
    return put


def _expand(c: sqlite3.Connection, fanout: _Fanout, count: int, known_by: int) -> tuple[str | None, int]:
    """Look at the next so many customers. Returns the last of them (None: there are no more) and how many were told."""
    place = c.execute(_PLACE, (fanout.id,)).fetchone() if fanout.segment is not None else None
    if place is not None:
        return _expand_members(c, fanout, count, known_by, *place)
    asked = {**fanout._asdict(), "cursor": fanout.cursor or "", "known_by": known_by, "n": count}
    rows = c.execute(_EVERYWHERE if fanout.zone is None else _IN_ZONE, asked).fetchall()
    told = [(shard, customer, fanout.at, fanout.body) for shard, customer, _, concerned in rows if concerned]
    put_items(c, told)
    over = len(rows) < count
    last = rows[-1][2] if rows else fanout.cursor
    c.execute(_MOVED, (last, len(told), int(over), fanout.id))
    return (None if over else last), len(told)


def _expand_members(
    c: sqlite3.Connection, fanout: _Fanout, count: int, known_by: int, shard: int, cursor: int
) -> tuple[str | None, int]:
    """The same by the rows of the segment: whoever is not in it is not looked at."""
    told: list[tuple[int, int, int, str]] = []
    asked = {"known_by": known_by, "zone": fanout.zone, "segment": fanout.segment}
    left = count
    query = _MEMBERS if c.execute(USABLE, (fanout.segment,)).fetchone()[0] else _BY_STATE
    while shard < SHARDS and left > 0:
        rows = c.execute(query, {**asked, "shard": shard, "cursor": cursor, "n": left}).fetchall()
        told += [(shard, customer, fanout.at, fanout.body) for customer, concerned in rows if concerned]
        if len(rows) == left:
            cursor = rows[-1][0]
        else:
            shard, cursor = shard + 1, 0
        left -= len(rows)
    put_items(c, told)
    over = shard >= SHARDS
    if over:
        c.execute("DELETE FROM fanout_shards WHERE fanout = ?", (fanout.id,))
    else:
        c.execute(_PLACED, (shard, cursor, fanout.id))
    c.execute(_MOVED, (fanout.cursor, len(told), int(over), fanout.id))
    return (None if over else ""), len(told)
