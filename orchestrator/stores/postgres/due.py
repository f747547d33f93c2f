"""When something is due next in this store: a look-up in an index for each kind of work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from orchestrator.stores.instants import instant, micros
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.outbox import CLASSES
from orchestrator.stores.postgres.throttles import SEEN, TOLD, UNSEEN, PostgresThrottles

TIMERS: Final = "SELECT min(next_due_at) FROM shards"
INBOX: Final = """
WITH RECURSIVE filled (shard, at) AS (
    (SELECT shard, received_at FROM inbox WHERE parked = 0 ORDER BY shard, received_at LIMIT 1)
    UNION ALL
    SELECT next.shard, next.received_at FROM filled CROSS JOIN LATERAL (
        SELECT i.shard, i.received_at FROM inbox AS i WHERE i.parked = 0 AND i.shard > filled.shard
        ORDER BY i.shard, i.received_at LIMIT 1
    ) AS next
)
SELECT min(at) FROM filled
"""
"""From one shard with items to the next: as many look-ups as there are of these, however many items they have."""
FANOUT: Final = """
SELECT min(f.at) FROM fanout AS f
WHERE f.done = 0 AND EXISTS (SELECT 1 FROM fanout_shards AS s WHERE s.fanout = f.id)
"""
_REQUESTS: Final = "SELECT at FROM requests WHERE seq > 0 AND lease_until IS NULL ORDER BY seq LIMIT 1"
_MESSAGES: Final = tuple(
    "SELECT available_at FROM outbox "
    f"WHERE class = '{klass}' AND throttled = {throttled} AND frozen = 0 AND lease_until IS NULL "
    "ORDER BY available_at, seq LIMIT 1"
    for klass in CLASSES
    for throttled in (0, 2)
)
FIRST: Final = "SELECT " + ", ".join(f"({query})" for query in (TIMERS, INBOX, FANOUT, _REQUESTS, *_MESSAGES))
"""The first of each kind, in one statement."""
_THROTTLED: Final = (
    "SELECT available_at FROM outbox WHERE throttled = 1 AND frozen = 0 AND told = %s AND journey = %s "
    "AND lease_until IS NULL ORDER BY available_at LIMIT 1"
)


class PostgresDue(PostgresThrottles):
    """The part of the store that the loop sleeps by."""

    def next_due_at(self) -> datetime | None:
        """The earliest instant at which something is due. What waits in real time is not asked."""
        with self.db.read() as c:
            instants = list(self._instants(c))
        return instant(min(instants)) if instants else None

    def _instants(self, c: Connection) -> Iterator[int]:
        yield from (at for at in c.execute(FIRST).fetchone() or () if at is not None)
        for journey in self._throttled_journeys(c):
            unseen = _first(c, UNSEEN, journey)
            yield from unseen  # a claim has to look at it, whether there is room or not
            waiting = [*unseen, *_first(c, SEEN, journey), *_first(c, TOLD, journey)]
            throttle = self._throttle(journey)
            if waiting:
                free_at = self._full_until(c, journey, throttle) if throttle is not None else None
                yield max(min(waiting), micros(free_at)) if free_at is not None else min(waiting)


def _first(c: Connection, *asked: Any) -> list[int]:
    found = c.execute(_THROTTLED, asked).fetchone()
    return [] if found is None else [found[0]]
