"""Throttled journeys: at most so many messages in a rolling time, in the order in which they were due.

Claims of one journey's throttled messages take turns by an advisory lock: who finds it taken leaves that journey to the
one who has it. What is in flight and what went are counted by one statement, so that no settlement falls between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.core.identity import stable_hash
from orchestrator.core.ledger import Message
from orchestrator.core.program import Throttle
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.postgres import arrays
from orchestrator.stores.postgres.base import PostgresBase
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.records import MESSAGE, message_of
from orchestrator.stores.sealing import sealer_of

UNSEEN: Final = 0
TOLD: Final = 1
SEEN: Final = 2
"""Values of outbox.told: nobody looked at it since it was available, people were told that it waits, or a claim found
no room for it and they will be told."""
_QUEUED: Final = "throttled = 1 AND frozen = 0"
_MINE: Final = "SELECT pg_try_advisory_xact_lock(%s)"
JOURNEYS: Final = f"""
WITH RECURSIVE found (journey) AS (
    (SELECT journey FROM outbox WHERE {_QUEUED} ORDER BY journey LIMIT 1)
    UNION ALL
    SELECT (SELECT o.journey FROM outbox AS o
            WHERE o.throttled = 1 AND o.frozen = 0 AND o.journey > found.journey ORDER BY o.journey LIMIT 1)
    FROM found WHERE found.journey IS NOT NULL
)
SELECT journey FROM found WHERE journey IS NOT NULL
"""
"""From one journey to the next: one look-up each, however many messages wait."""
NEXT: Final = f"""
SELECT seq FROM outbox
WHERE {_QUEUED} AND journey = %(journey)s AND available_at <= %(now)s
  AND (lease_until IS NULL OR lease_until <= %(real)s) AND (%(klass)s::text IS NULL OR class = %(klass)s)
ORDER BY at, seq LIMIT %(n)s FOR UPDATE SKIP LOCKED
"""
_USED: Final = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM handed_over WHERE journey = %(journey)s AND at > %(since)s LIMIT %(max)s) s)
     , (SELECT count(*) FROM in_flight WHERE journey = %(journey)s AND lease_until > %(real)s)
"""
_SENT: Final = "SELECT count(*) FROM (SELECT 1 FROM handed_over WHERE journey = %s AND at > %s LIMIT %s) AS s"
_SENT_BEFORE: Final = "SELECT at FROM handed_over WHERE journey = %s ORDER BY at DESC OFFSET %s LIMIT 1"
_LAST_SENT: Final = "SELECT at FROM handed_over WHERE journey = %s ORDER BY at DESC LIMIT %s"
_FLY: Final = """
INSERT INTO in_flight (seq, journey, lease_until) SELECT seq, %s, %s FROM unnest(%s::bigint[]) AS j (seq)
ON CONFLICT (seq) DO UPDATE SET lease_until = excluded.lease_until
"""
_UNTOLD: Final = f"""
SELECT at, seq FROM outbox
WHERE {_QUEUED} AND told IN ({UNSEEN}, {SEEN}) AND journey = %(journey)s AND available_at <= %(now)s
ORDER BY at, seq LIMIT 1
"""
_FIRST_UNSEEN: Final = f"""
SELECT 1 FROM outbox WHERE {_QUEUED} AND told = {UNSEEN} AND journey = %(journey)s AND available_at <= %(now)s LIMIT 1
"""
_BEFORE: Final = f"""
SELECT count(*) FROM outbox
WHERE {_QUEUED} AND journey = %(journey)s AND available_at <= %(now)s AND (at, seq) < (%(at)s, %(seq)s)
"""
_FROM: Final = f"""
SELECT seq, told, shard, customer, id FROM outbox
WHERE {_QUEUED} AND journey = %(journey)s AND available_at <= %(now)s AND (at, seq) >= (%(at)s, %(seq)s)
ORDER BY at, seq
"""
_ROWS: Final = f"""
SELECT {MESSAGE} FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS j (shard, customer, id)
JOIN messages AS m ON m.shard = j.shard AND m.customer = j.customer AND m.id = j.id
"""
_TOLD: Final = f"UPDATE outbox SET told = {TOLD} WHERE seq = ANY(%s::bigint[])"
_WAITS: Final = f"""
UPDATE outbox SET told = {SEEN} WHERE seq IN (
    SELECT seq FROM outbox
    WHERE {_QUEUED} AND told = {UNSEEN} AND journey = %(journey)s AND available_at <= %(now)s
    LIMIT 10000 FOR UPDATE SKIP LOCKED)
"""


class PostgresThrottles(PostgresBase):
    """How many messages of a journey may go, and when the others will."""

    def _throttle(self, journey: str) -> Throttle | None:
        live = self.index.project.journeys.get(journey)
        return live.throttle if live is not None else None

    def _throttled_journeys(self, c: Connection) -> list[str]:
        """Journeys of which throttled messages wait, by name."""
        return [journey for (journey,) in c.execute(JOURNEYS).fetchall()]

    def room(self, journey: str, now: datetime) -> tuple[int | None, datetime | None]:
        """What the journey's throttle lets through."""
        throttle = self._throttle(journey)
        if throttle is None:
            return None, None
        with self.db.read() as c:
            sent = int(_one(c.execute(_SENT, (journey, micros(now - throttle.per), throttle.max)).fetchone())[0])
            if sent < throttle.max:
                return throttle.max - sent, None
            return 0, self._full_until(c, journey, throttle)

    def _full_until(self, c: Connection, journey: str, throttle: Throttle) -> datetime | None:
        """The instant from which the next one may go; None: there has been room all along."""
        found = c.execute(_SENT_BEFORE, (journey, throttle.max - 1)).fetchone()
        return None if found is None else instant(found[0]) + throttle.per

    def _let_through(
        self, c: Connection, now: datetime, at: Mapping[str, int], limit: int, klass: str | None, until: int
    ) -> list[int]:
        """Rows of throttled journeys that may go now, which are in flight from then on until `until`. Those that are
        claimed already take room, too."""
        found: list[int] = []
        for journey in self._throttled_journeys(c):
            if not _one(c.execute(_MINE, (_lock_of(journey),)).fetchone())[0]:
                continue
            asked: dict[str, Any] = {**at, "journey": journey, "klass": klass}
            count = limit - len(found)
            throttle = self._throttle(journey)
            if throttle is not None:
                used = {**asked, "since": micros(now - throttle.per), "max": throttle.max}
                count = min(count, throttle.max - sum(_one(c.execute(_USED, used).fetchone())))
            rows = c.execute(NEXT, {**asked, "n": count}).fetchall() if count > 0 else []
            if rows:
                seqs = [seq for (seq,) in rows]
                c.execute(_FLY, (journey, until, arrays.ints(seqs)))
                found += seqs
            if len(rows) >= count and len(found) < limit:  # it is full
                c.execute(_WAITS, asked)
        return found

    def throttled(self, now: datetime) -> list[tuple[Message, datetime]]:
        """Messages that began to wait for their journey's throttle, each told once."""
        with self.db.read() as c:
            waiting = [j for j in self._throttled_journeys(c) if self._first_untold(c, j, now) is not None]
        if not waiting:
            return []
        with self.db.write() as c:
            return [told for journey in waiting for told in self._tell(c, journey, now)]

    def _first_untold(self, c: Connection, journey: str, now: datetime) -> tuple[Any, ...] | None:
        if self._throttle(journey) is None:
            return None
        return c.execute(_UNTOLD, {"journey": journey, "now": micros(now)}).fetchone()

    def _tell(self, c: Connection, journey: str, now: datetime) -> list[tuple[Message, datetime]]:
        """Everyone behind the first who was not told has the instant of its place in the queue.

        The next place is free when the hand-over `max` places earlier is `per` ago, so that places repeat every `max`.
        """
        if not _one(c.execute(_MINE, (_lock_of(journey),)).fetchone())[0]:
            return []  # somebody else claims or tells: next time
        throttle, first = self._throttle(journey), self._first_untold(c, journey, now)
        if throttle is None or first is None:
            return []
        asked = {"journey": journey, "now": micros(now), "at": first[0], "seq": first[1]}
        last = [at for (at,) in c.execute(_LAST_SENT, (journey, throttle.max)).fetchall()][::-1]
        free = throttle.max - len(last)
        place = int(_one(c.execute(_BEFORE, asked).fetchone())[0])
        told = []
        for number, (seq, known, *key) in enumerate(c.execute(_FROM, asked).fetchall(), place):
            round_, spot = divmod(number, throttle.max)
            begins_at = now if spot < free else max(now, instant(last[spot - free]) + throttle.per)
            at = begins_at + round_ * throttle.per
            if at > now and known != TOLD:
                told.append((seq, key, at))
        if not told:
            return []
        c.execute(_TOLD, (arrays.ints([seq for seq, _, _ in told]),))
        rows = _messages(c, [key for _, key, _ in told])
        return [(rows[key[2]], at) for _, key, at in told]


def _messages(c: Connection, keys: Sequence[Sequence[Any]]) -> dict[str, Message]:
    shards, customers, ids = zip(*keys, strict=True)
    found = c.execute(_ROWS, (arrays.ints(shards), arrays.ints(customers), arrays.texts(ids))).fetchall()
    return {row[0]: message_of(sealer_of(c), *row) for row in found}


def _lock_of(journey: str) -> int:
    """The number of the advisory lock of a journey's throttle."""
    return stable_hash("throttle", journey) >> 1


def _one(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    """The row of a query that always has one."""
    assert row is not None
    return row
