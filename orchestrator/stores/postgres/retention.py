"""What nothing can ask for any more goes, in small bites: each kind by a short transaction of its own.

How long: see orchestrator.stores.forgetting; ids of events `settings.dedupe`. Customers and consents stay for good. An
event that some expression counts without end is kept, and of every name a customer's first and last: `first` and `last`
see everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.core.goals import goal_is_open
from orchestrator.stores.erasures import SWEPT_AFTER, sweep
from orchestrator.stores.forgetting import forgotten, kept_events
from orchestrator.stores.instants import micros
from orchestrator.stores.postgres.api import forget_answers
from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.base import run_on
from orchestrator.stores.postgres.fanout import finish_fan_outs
from orchestrator.stores.postgres.pools import DAILY
from orchestrator.stores.postgres.throttles import PostgresThrottles
from orchestrator.stores.records import ENROLLMENT, enrollment_of
from orchestrator.stores.sealing import sealer_of

REFUSED_KEPT: Final = 10_000
"""Refused items that are kept: the newest."""
SLICE: Final = 1_000
SLICES: Final = 10
"""Customers that are looked at together, and how many slices one pass looks at: it goes on there the next time."""

REST: Final = timedelta(hours=1)
"""After a look at all customers that found nothing to forget: the next would find as little."""

SEEN: Final = "SELECT ctid FROM seen WHERE received_at < %s ORDER BY received_at LIMIT %s"
REPLIES: Final = "SELECT ctid FROM replies WHERE until_at <= %s ORDER BY until_at LIMIT %s"
REFUSED: Final = "SELECT ctid FROM refused WHERE id <= (SELECT max(id) FROM refused) - %s ORDER BY id LIMIT %s"
FANOUT: Final = "SELECT ctid FROM fanout WHERE id > 0 AND done = 1 AND at < %s LIMIT %s"
LETTERS: Final = "SELECT ctid FROM feed_letters WHERE failed_at < %s LIMIT %s"
RIGHTS: Final = "SELECT ctid FROM rights WHERE at < %s ORDER BY at LIMIT %s"
MERGES: Final = "SELECT ctid FROM merges WHERE at < %s ORDER BY at LIMIT %s"
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
MESSAGES: Final = f"""
SELECT t.ctid {_EACH} messages AS t {_MINE} AND t.at < %(before)s AND t.status <> 'queued' LIMIT %(n)s
"""
DEAD: Final = "SELECT ctid FROM dead_letters WHERE at < %s ORDER BY seq LIMIT %s"
STALE: Final = "SELECT ctid FROM refused WHERE at < %s ORDER BY id LIMIT %s"
OPEN: Final = f"""
SELECT t.shard, t.customer, {ENROLLMENT} {_EACH} enrollments AS t {_MINE}
WHERE t.live + 0 = 1 AND t.ended_at IS NOT NULL AND t.entered_at < %(entered_before)s
"""
CLOSE: Final = """
UPDATE enrollments AS t SET live = 0
FROM unnest(%s::int[], %s::bigint[], %s::text[]) AS j (shard, customer, id)
WHERE t.shard = j.shard AND t.customer = j.customer AND t.id = j.id AND t.ended_at IS NOT NULL
"""
CUSTOMERS: Final = "SELECT shard, id FROM customers WHERE (shard, id) > (%s, %s) ORDER BY shard, id LIMIT %s"


class PostgresRetention(PostgresThrottles):
    """The part of the store that forgets."""

    _looked_at: tuple[int, int] = (-1, -1)
    """(shard, id) of the last customer whose rows were looked at."""
    _found_any: bool = True
    """Whether this look at all customers, from the first on, found anything to forget."""
    _rests_until: datetime | None = None

    def retain(self, now: datetime, limit: int) -> int:
        """Delete what may go: at most `limit` rows of each kind."""
        settings = self.index.project.settings
        with self.db.write() as c:
            finish_fan_outs(c)
            sweep(run_on(c), micros(now - SWEPT_AFTER))
        count = (
            forget_answers(self.db, limit)
            + self._forget("seen", SEEN, (micros(now - settings.dedupe), limit))
            + self._forget("replies", REPLIES, (micros(now), limit))
            + self._forget("refused", REFUSED, (REFUSED_KEPT, limit))
            + self._forget("rights", RIGHTS, (micros(now - settings.history), limit))
            + self._forget("merges", MERGES, (micros(now - settings.history), limit))
            + self._forget("feed_letters", LETTERS, (micros(now - settings.history), limit))
            + self._forget("fanout", FANOUT, (micros(now - settings.history), limit))
        )
        bounds = forgotten(self.index, now)
        if bounds.refused is not None:
            count += self._forget("refused", STALE, (bounds.refused, limit))
        if bounds.messages is not None:
            count += self._forget("dead_letters", DEAD, (bounds.messages, limit))
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
        if self._rests_until is not None and self._rests_until - REST <= now < self._rests_until:
            return 0
        bounds = forgotten(self.index, now)
        looked_for = {
            "transitions": (TRANSITIONS, bounds.transitions),
            "events": (EVENTS, bounds.events),
            "enrollments": (ENROLLMENTS, bounds.enrollments),
        }
        if bounds.messages is not None:
            looked_for["messages"] = (MESSAGES, bounds.messages)
        kept = texts(sorted(kept_events(self.index, self._versions.values())))
        gone = dict.fromkeys(looked_for, 0) | {"closed": 0}
        for _ in range(SLICES):
            with self.db.read() as c:
                places = c.execute(CUSTOMERS, (*self._looked_at, SLICE)).fetchall()
            if places:
                asked = {
                    "shards": ints(shard for shard, _ in places),
                    "ids": ints(id for _, id in places),
                    "kept": kept,
                }
                for table, (which, before) in looked_for.items():
                    given = {**asked, "before": before, "n": limit - gone[table]}
                    gone[table] += self._forget(table, which, given)
                gone["closed"] += self._close(asked, now)
            self._found_any = self._found_any or any(gone.values())
            if any(count >= limit for count in gone.values()):
                break
            if len(places) < SLICE:
                self._rests_until = None if self._found_any else now + REST
                self._looked_at, self._found_any = (-1, -1), False
                break
            self._looked_at = places[-1]
        return sum(gone.values())

    def _close(self, asked: Mapping[str, Any], now: datetime) -> int:
        """Enrollments that ended, and whose goal nothing can reach that arrives from now on, are out of sight."""
        goals = {place: j.goal for place, j in self._versions.items() if j.goal is not None}
        if not goals:
            return 0
        settings = self.index.project.settings
        before = now - settings.late_tolerance  # so far may a turn lie behind
        earliest = micros(before - settings.history - settings.late_events)
        over: list[tuple[Any, ...]] = []
        with self.db.write() as c:
            for shard, customer, *columns in c.execute(OPEN, {**asked, "entered_before": earliest}).fetchall():
                e = enrollment_of(sealer_of(c), "", *columns)
                if e.standing != "reply" and not goal_is_open(goals.get((e.journey, e.version)), e, before, settings):
                    over.append((shard, customer, e.id))
            if over:
                shards, customers, ids = zip(*over, strict=True)
                c.execute(CLOSE, (ints(shards), ints(customers), texts(ids)))
        return len(over)
