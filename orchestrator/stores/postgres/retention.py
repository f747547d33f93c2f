"""What nothing can ask for any more goes, in small bites: each kind by a short transaction of its own.

How long: events, the journal and stories that ended `settings.history`; ids of events `settings.dedupe`. Customers and
the ledger of messages stay for good. An event that some expression counts without end is kept, and of every name a
customer's first and last: `first` and `last` see everything.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.stores.forgetting import kept_events
from orchestrator.stores.instants import micros
from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.fanout import finish_fan_outs
from orchestrator.stores.postgres.pools import DAILY
from orchestrator.stores.postgres.throttles import PostgresThrottles

REFUSED_KEPT: Final = 10_000
"""Refused items that are kept: the newest."""
SLICE: Final = 1_000
SLICES: Final = 10
"""Customers that are looked at together, and how many slices one pass looks at: it goes on there the next time."""

SEEN: Final = "SELECT ctid FROM seen WHERE received_at < %s ORDER BY received_at LIMIT %s"
REPLIES: Final = "SELECT ctid FROM replies WHERE until_at <= %s ORDER BY until_at LIMIT %s"
REFUSED: Final = "SELECT ctid FROM refused WHERE id <= (SELECT max(id) FROM refused) - %s ORDER BY id LIMIT %s"
FANOUT: Final = "SELECT ctid FROM fanout WHERE id > 0 AND done = 1 AND at < %s LIMIT %s"
RIGHTS: Final = "SELECT ctid FROM rights WHERE at < %s ORDER BY at LIMIT %s"
HANDED_OVER: Final = "SELECT ctid FROM handed_over WHERE journey = %s AND at <= %s ORDER BY at LIMIT %s"
DAYS: Final = "SELECT ctid FROM tallies WHERE name >= %s AND name < %s LIMIT %s"
_EACH: Final = "FROM unnest(%(shards)s::int[], %(ids)s::bigint[]) AS j (shard, id) JOIN"
_MINE: Final = "ON t.shard = j.shard AND t.customer = j.id"
TRANSITIONS: Final = f"SELECT t.ctid {_EACH} transitions AS t {_MINE} AND t.at < %(before)s LIMIT %(n)s"
EVENTS: Final = f"""
SELECT t.ctid {_EACH} events AS t {_MINE}
WHERE t.at < %(before)s AND t.name <> ALL(%(kept)s::text[])
AND EXISTS (SELECT 1 FROM events AS e
            WHERE e.shard = t.shard AND e.customer = t.customer AND e.name = t.name AND (e.at, e.seq) < (t.at, t.seq))
AND EXISTS (SELECT 1 FROM events AS e
            WHERE e.shard = t.shard AND e.customer = t.customer AND e.name = t.name AND (e.at, e.seq) > (t.at, t.seq))
LIMIT %(n)s
"""
ENROLLMENTS: Final = (
    f"SELECT t.ctid {_EACH} enrollments AS t {_MINE} WHERE t.live = 0 AND t.ended_at < %(before)s LIMIT %(n)s"
)
CUSTOMERS: Final = "SELECT shard, id FROM customers WHERE (shard, id) > (%s, %s) ORDER BY shard, id LIMIT %s"
_OF_CUSTOMERS: Final = (("transitions", TRANSITIONS), ("events", EVENTS), ("enrollments", ENROLLMENTS))


class PostgresRetention(PostgresThrottles):
    """The part of the store that forgets."""

    _looked_at: tuple[int, int] = (-1, -1)
    """(shard, id) of the last customer whose rows were looked at."""

    def retain(self, now: datetime, limit: int) -> int:
        """Delete what may go: at most `limit` rows of each kind."""
        settings = self.index.project.settings
        with self.db.write() as c:
            finish_fan_outs(c)
        count = (
            self._forget("seen", SEEN, (micros(now - settings.dedupe), limit))
            + self._forget("replies", REPLIES, (micros(now), limit))
            + self._forget("refused", REFUSED, (REFUSED_KEPT, limit))
            + self._forget("rights", RIGHTS, (micros(now - settings.history), limit))
            + self._forget("fanout", FANOUT, (micros(now - settings.history), limit))
        )
        yesterday = (now - timedelta(days=2)).date().isoformat()  # whatever the project's zone
        for kind in ("offer", "entries"):
            prefix = f"{DAILY}{kind}:"
            for table in ("tallies", "quotas"):
                count += self._forget(table, DAYS.replace("tallies", table), (prefix, prefix + yesterday, limit))
        return count + self._forget_handed_over(now, limit) + self._forget_of_customers(now, limit)

    def _forget(self, table: str, which: str, asked: Any) -> int:
        with self.db.write() as c:
            return c.execute(f"DELETE FROM {table} WHERE ctid = ANY(ARRAY({which}))".encode(), asked).rowcount

    def _forget_handed_over(self, now: datetime, limit: int) -> int:
        with self.db.read() as c:
            journeys = [journey for (journey,) in c.execute("SELECT DISTINCT journey FROM versions")]
        count = 0
        for journey in journeys:
            throttle = self._throttle(journey)
            since = micros(now - (throttle.per if throttle is not None else timedelta(days=1)))
            count += self._forget("handed_over", HANDED_OVER, (journey, since, limit - count))
        return count

    def _forget_of_customers(self, now: datetime, limit: int) -> int:
        """Rows of the next customers. Where one kind is full, its customers are looked at again."""
        before = micros(now - self.index.project.settings.history)
        kept = texts(sorted(kept_events(self.index, self._versions.values())))
        gone = {table: 0 for table, _ in _OF_CUSTOMERS}
        for _ in range(SLICES):
            with self.db.read() as c:
                places = c.execute(CUSTOMERS, (*self._looked_at, SLICE)).fetchall()
            if places:
                asked = {
                    "shards": ints(shard for shard, _ in places),
                    "ids": ints(id for _, id in places),
                    "before": before,
                    "kept": kept,
                }
                for table, which in _OF_CUSTOMERS:
                    gone[table] += self._forget(table, which, {**asked, "n": limit - gone[table]})
            if any(count >= limit for count in gone.values()):
                break
            self._looked_at = places[-1] if len(places) == SLICE else (-1, -1)
            if len(places) < SLICE:
                break
        return sum(gone.values())
