"""Throttled journeys: at most so many messages in a rolling time, in the order in which they were due."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from orchestrator.core.ledger import Message
from orchestrator.core.program import Throttle
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.records import MESSAGE, message_of
from orchestrator.stores.sealing import sealer_of
from orchestrator.stores.sqlite.base import SqliteBase

UNSEEN: Final = 0
TOLD: Final = 1
SEEN: Final = 2
"""Values of outbox.told: nobody looked at it since it was available, people were told that it waits, or a claim found
no room for it and they will be told."""
_QUEUED: Final = "throttled = 1 AND frozen = 0"
_JOURNEYS: Final = f"""
WITH RECURSIVE found (journey) AS (
    SELECT min(journey) FROM outbox INDEXED BY ix_outbox_throttled WHERE {_QUEUED}
    UNION ALL
    SELECT (SELECT min(o.journey) FROM outbox AS o INDEXED BY ix_outbox_throttled
            WHERE o.throttled = 1 AND o.frozen = 0 AND o.journey > found.journey)
    FROM found WHERE found.journey IS NOT NULL
)
SELECT journey FROM found WHERE journey IS NOT NULL
"""
"""From one journey to the next: one look-up each, however many messages wait."""
_NEXT: Final = f"""
SELECT seq FROM outbox INDEXED BY ix_outbox_throttled
WHERE {_QUEUED} AND journey = :journey AND available_at <= :now AND (lease_until IS NULL OR lease_until <= :real)
  AND (:klass IS NULL OR class = :klass)
ORDER BY at, seq LIMIT :n
"""
_IN_FLIGHT: Final = """
SELECT count(*) FROM outbox INDEXED BY ix_outbox_leased
WHERE throttled = 1 AND journey = :journey AND lease_until > :real
"""
_SENT: Final = "SELECT count(*) FROM (SELECT 1 FROM handed_over WHERE journey = ? AND at > ? LIMIT ?)"
_SENT_BEFORE: Final = "SELECT at FROM handed_over WHERE journey = ? ORDER BY at DESC LIMIT 1 OFFSET ?"
_LAST_SENT: Final = "SELECT at FROM handed_over WHERE journey = ? ORDER BY at DESC LIMIT ?"
_UNTOLD: Final = f"""
SELECT o.at, o.seq FROM outbox AS o INDEXED BY ix_outbox_told
WHERE {_QUEUED} AND told IN ({UNSEEN}, {SEEN}) AND journey = :journey AND available_at <= :now
ORDER BY o.at, o.seq LIMIT 1
"""
_FIRST_UNSEEN: Final = f"""
SELECT 1 FROM outbox INDEXED BY ix_outbox_told
WHERE {_QUEUED} AND told = {UNSEEN} AND journey = :journey AND available_at <= :now LIMIT 1
"""
_BEFORE: Final = f"""
SELECT count(*) FROM outbox INDEXED BY ix_outbox_throttled
WHERE {_QUEUED} AND journey = :journey AND available_at <= :now AND (at, seq) < (:at, :seq)
"""
_FROM: Final = f"""
SELECT seq, told, shard, customer, id FROM outbox INDEXED BY ix_outbox_throttled
WHERE {_QUEUED} AND journey = :journey AND available_at <= :now AND (at, seq) >= (:at, :seq) ORDER BY at, seq
"""
_ROW: Final = f"SELECT {MESSAGE} FROM messages AS m WHERE shard = ? AND customer = ? AND id = ?"
_TOLD: Final = f"UPDATE outbox SET told = {TOLD} WHERE seq = ?"
_WAITS: Final = f"""
UPDATE outbox SET told = {SEEN} WHERE seq IN (
    SELECT seq FROM outbox INDEXED BY ix_outbox_told
    WHERE {_QUEUED} AND told = {UNSEEN} AND journey = :journey AND available_at <= :now LIMIT 10000)
"""


class SqliteThrottles(SqliteBase):
    """How many messages of a journey may go, and when the others will."""

    def _throttle(self, journey: str) -> Throttle | None:
        live = self.index.project.journeys.get(journey)
        return live.throttle if live is not None else None

    def _throttled_journeys(self, c: sqlite3.Connection) -> list[str]:
        """Journeys of which throttled messages wait, by name."""
        return [journey for (journey,) in c.execute(_JOURNEYS)]

    def room(self, journey: str, now: datetime) -> tuple[int | None, datetime | None]:
        """What the journey's throttle lets through."""
        with self.db.read() as c:
            return self._room(c, journey, now)

    def _room(self, c: sqlite3.Connection, journey: str, now: datetime) -> tuple[int | None, datetime | None]:
        throttle = self._throttle(journey)
        if throttle is None:
            return None, None
        [sent] = c.execute(_SENT, (journey, micros(now - throttle.per), throttle.max)).fetchone()
        if sent < throttle.max:
            return throttle.max - sent, None
        return 0, self._full_until(c, journey, throttle)

    def _full_until(self, c: sqlite3.Connection, journey: str, throttle: Throttle) -> datetime | None:
        """The instant from which the next one may go; None: there has been room all along."""
        found = c.execute(_SENT_BEFORE, (journey, throttle.max - 1)).fetchone()
        return None if found is None else instant(found[0]) + throttle.per

    def _let_through(
        self, c: sqlite3.Connection, now: datetime, at: Mapping[str, int], limit: int, klass: str | None
    ) -> list[int]:
        """Rows of throttled journeys that may go now. Those that are claimed already take room, too."""
        found: list[int] = []
        for journey in self._throttled_journeys(c):
            asked = {**at, "journey": journey, "klass": klass}
            count = limit - len(found)
            room, _ = self._room(c, journey, now)
            if room is not None:
                [in_flight] = c.execute(_IN_FLIGHT, asked).fetchone()
                count = min(count, room - in_flight)
            rows = c.execute(_NEXT, {**asked, "n": count}).fetchall() if count > 0 else []
            found += [seq for (seq,) in rows]
            if len(rows) >= count and len(found) < limit:  # it is full
                c.execute(_WAITS, asked)
        return found

    def _may_go(self, c: sqlite3.Connection, now: datetime, at: Mapping[str, int]) -> bool:
        """Whether a claim would find or note anything about throttled messages."""
        for journey in self._throttled_journeys(c):
            room, _ = self._room(c, journey, now)
            if room != 0 or c.execute(_FIRST_UNSEEN, {**at, "journey": journey}).fetchone() is not None:
                return True
        return False

    def throttled(self, now: datetime) -> list[tuple[Message, datetime]]:
        """Messages that began to wait for their journey's throttle, each told once."""
        with self.db.read() as c:
            waiting = [j for j in self._throttled_journeys(c) if self._first_untold(c, j, now) is not None]
        if not waiting:
            return []
        with self.db.write() as c:
            return [told for journey in waiting for told in self._tell(c, journey, now)]

    def _first_untold(self, c: sqlite3.Connection, journey: str, now: datetime) -> tuple[int, int] | None:
        if self._throttle(journey) is None:
            return None
        found: tuple[int, int] | None = c.execute(_UNTOLD, {"journey": journey, "now": micros(now)}).fetchone()
        return found

    def _tell(self, c: sqlite3.Connection, journey: str, now: datetime) -> list[tuple[Message, datetime]]:
        """Everyone behind the first who was not told has the instant of its place in the queue.

        The next place is free when the hand-over `max` places earlier is `per` ago, so that places repeat every `max`.
        """
        throttle, first = self._throttle(journey), self._first_untold(c, journey, now)
        if throttle is None or first is None:
            return []
        asked = {"journey": journey, "now": micros(now), "at": first[0], "seq": first[1]}
        last = [at for (at,) in c.execute(_LAST_SENT, (journey, throttle.max))][::-1]
        free = throttle.max - len(last)
        [place] = c.execute(_BEFORE, asked).fetchone()
        told = []
        for number, (seq, known, *key) in enumerate(c.execute(_FROM, asked).fetchall(), place):
            round_, spot = divmod(number, throttle.max)
            begins_at = now if spot < free else max(now, instant(last[spot - free]) + throttle.per)
            at = begins_at + round_ * throttle.per
            if at > now and known != TOLD:
                told.append((seq, key, at))
        c.executemany(_TOLD, [(seq,) for seq, _, _ in told])
        return [(message_of(sealer_of(c), *c.execute(_ROW, key).fetchone()), at) for _, key, at in told]
