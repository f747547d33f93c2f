"""When something is due next in this store: one look-up in an index for each kind of work."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from orchestrator.stores.instants import instant, micros
from orchestrator.stores.sqlite.outbox import CLASSES
from orchestrator.stores.sqlite.throttles import SEEN, TOLD, UNSEEN, SqliteThrottles

TIMERS: Final = (
    "SELECT next_due_at FROM customers INDEXED BY ix_customers_due WHERE next_due_at IS NOT NULL "
    "ORDER BY next_due_at LIMIT 1"
)
INBOX: Final = "SELECT received_at FROM inbox INDEXED BY ix_inbox_waiting WHERE parked = 0 ORDER BY received_at LIMIT 1"
FANOUT: Final = "SELECT at FROM fanout INDEXED BY ix_fanout_pending WHERE done = 0 ORDER BY at LIMIT 1"
_REQUESTS: Final = "SELECT at FROM requests WHERE seq > 0 AND lease_until IS NULL ORDER BY seq LIMIT 1"
_MESSAGES: Final = tuple(
    "SELECT available_at FROM outbox INDEXED BY ix_outbox_ready "
    f"WHERE class = '{klass}' AND throttled = {throttled} AND frozen = 0 AND lease_until IS NULL "
    "ORDER BY available_at LIMIT 1"
    for klass in CLASSES
    for throttled in (0, 2)
)
FIRST: Final = "SELECT " + ", ".join(f"({query})" for query in (TIMERS, INBOX, FANOUT, _REQUESTS, *_MESSAGES))
"""The first of each kind, in one statement."""
_THROTTLED: Final = (
    "SELECT available_at FROM outbox INDEXED BY ix_outbox_told WHERE throttled = 1 AND frozen = 0 AND told = ? "
    "AND journey = ? AND lease_until IS NULL ORDER BY available_at LIMIT 1"
)


class SqliteDue(SqliteThrottles):
    """The part of the store that the loop sleeps by."""

    def next_due_at(self) -> datetime | None:
        """The earliest instant at which something is due. What waits in real time is not asked."""
        with self.db.read() as c:
            instants = list(self._instants(c))
        return instant(min(instants)) if instants else None

    def _instants(self, c: sqlite3.Connection) -> Iterator[int]:
        yield from (at for at in c.execute(FIRST).fetchone() if at is not None)
        for journey in self._throttled_journeys(c):
            unseen = _first(c, _THROTTLED, UNSEEN, journey)
            yield from unseen  # a claim has to look at it, whether there is room or not
            waiting = [*unseen, *_first(c, _THROTTLED, SEEN, journey), *_first(c, _THROTTLED, TOLD, journey)]
            throttle = self._throttle(journey)
            if waiting:
                free_at = self._full_until(c, journey, throttle) if throttle is not None else None
                yield max(min(waiting), micros(free_at)) if free_at is not None else min(waiting)


def _first(c: sqlite3.Connection, query: str, *asked: object) -> list[int]:
    found = c.execute(query, asked).fetchone()
    return [] if found is None else [found[0]]
