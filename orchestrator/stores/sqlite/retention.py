"""What nothing can ask for any more goes, in small bites: searched for without the writer's lock, deleted under it.

Enrollments that ended and were waiting for their goal alone are nobody's any more once it is out of reach.
How long: see orchestrator.stores.forgetting; ids of events `settings.dedupe`. Customers and consents stay for good. An
event that some expression counts without end is kept, and of every name a customer's first and last: `first` and `last`
see everything.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from json import dumps as json_text
from typing import Any, Final

from orchestrator.core.goals import goal_is_open
from orchestrator.core.program import Goal
from orchestrator.stores.forgetting import forgotten, kept_events
from orchestrator.stores.instants import micros
from orchestrator.stores.records import ENROLLMENT, enrollment_of
from orchestrator.stores.sealing import sealer_of
from orchestrator.stores.sqlite.api import forget_answers
from orchestrator.stores.sqlite.choosing import ID_OF, SHARD_OF, Chosen, packed
from orchestrator.stores.sqlite.pools import DAILY
from orchestrator.stores.sqlite.throttles import SqliteThrottles

REFUSED_KEPT: Final = 10_000
"""Refused items that are kept: the newest."""
SLICE: Final = 1_000
SLICES: Final = 10
"""Customers that are looked at together, and how many slices one pass looks at: it goes on there the next time."""

_SEEN: Final = "SELECT message_id FROM seen INDEXED BY ix_seen_received_at WHERE received_at < ? LIMIT ?"
_REPLIES: Final = "SELECT url FROM replies INDEXED BY ix_replies_until_at WHERE until_at <= ? LIMIT ?"
_REFUSED: Final = "SELECT id FROM refused WHERE id <= (SELECT max(id) FROM refused) - ? ORDER BY id LIMIT ?"
_FANOUT: Final = "SELECT id FROM fanout WHERE id > 0 AND done = 1 AND at < ? LIMIT ?"
_LETTERS: Final = "SELECT shard, customer, at, seq, n, feed FROM feed_letters WHERE failed_at < ? LIMIT ?"
_RIGHTS: Final = "SELECT id FROM rights INDEXED BY ix_rights_at WHERE at < ? LIMIT ?"
_MERGES: Final = "SELECT shard, customer, id FROM merges INDEXED BY ix_merges_at WHERE at < ? LIMIT ?"
_HANDED_OVER: Final = "SELECT seq FROM handed_over WHERE journey = ? AND at <= ? LIMIT ?"
_DAYS: Final = "SELECT name FROM tallies WHERE name >= ? AND name < ? LIMIT ?"
_CUSTOMERS: Final = "SELECT shard, id FROM customers WHERE (shard, id) > (?, ?) ORDER BY shard, id LIMIT ?"
_EACH: Final = "FROM json_each(:mine) AS j CROSS JOIN"
_MINE: Final = f"ON t.shard = {SHARD_OF} AND t.customer = {ID_OF}"
_TRANSITIONS: Final = f"""
SELECT t.shard, t.customer, t.at, t.seq, t.n {_EACH} transitions AS t {_MINE} AND t.at < :before LIMIT :n
"""
_MESSAGES: Final = f"""
SELECT t.shard, t.customer, t.id {_EACH} messages AS t {_MINE} AND t.at < :before AND t.status <> 'queued' LIMIT :n
"""
_DEAD: Final = "SELECT seq FROM dead_letters WHERE at < ? ORDER BY seq LIMIT ?"
_STALE: Final = "SELECT id FROM refused WHERE at < ? ORDER BY id LIMIT ?"
_EVENTS: Final = f"""
SELECT t.shard, t.customer, t.name, t.at, t.seq {_EACH} events AS t {_MINE}
WHERE t.at < :before AND t.name NOT IN (SELECT value FROM json_each(:kept))
AND EXISTS (SELECT 1 FROM events AS e
            WHERE e.shard = t.shard AND e.customer = t.customer AND e.name = t.name AND (e.at, e.seq) < (t.at, t.seq))
AND EXISTS (SELECT 1 FROM events AS e
            WHERE e.shard = t.shard AND e.customer = t.customer AND e.name = t.name AND (e.at, e.seq) > (t.at, t.seq))
LIMIT :n
"""
_ENROLLMENTS: Final = f"""
SELECT t.shard, t.customer, t.id {_EACH} enrollments AS t {_MINE} WHERE t.live = 0 AND t.ended_at < :before LIMIT :n
"""
_OPEN: Final = f"""
SELECT t.shard, t.customer, {ENROLLMENT} {_EACH} enrollments AS t {_MINE}
WHERE t.live = 1 AND t.ended_at IS NOT NULL AND t.entered_at < :entered_before
"""
_CLOSE: Final = "UPDATE enrollments SET live = 0 WHERE shard = ? AND customer = ? AND id = ? AND ended_at IS NOT NULL"
_DELETE: Final = {
    "seen": "DELETE FROM seen WHERE message_id = ?",
    "replies": "DELETE FROM replies WHERE url = ?",
    "refused": "DELETE FROM refused WHERE id = ?",
    "rights": "DELETE FROM rights WHERE id = ?",
    "feed_letters": (
        "DELETE FROM feed_letters WHERE shard = ? AND customer = ? AND at = ? AND seq = ? AND n = ? AND feed = ?"
    ),
    "merges": "DELETE FROM merges WHERE shard = ? AND customer = ? AND id = ?",
    "fanout": "DELETE FROM fanout WHERE id = ?",
    "dead_letters": "DELETE FROM dead_letters WHERE seq = ?",
    "handed_over": "DELETE FROM handed_over WHERE seq = ?",
    "tallies": "DELETE FROM tallies WHERE name = ?",
    "transitions": "DELETE FROM transitions WHERE shard = ? AND customer = ? AND at = ? AND seq = ? AND n = ?",
    "events": "DELETE FROM events WHERE shard = ? AND customer = ? AND name = ? AND at = ? AND seq = ?",
    "enrollments": "DELETE FROM enrollments WHERE shard = ? AND customer = ? AND id = ?",
    "messages": "DELETE FROM messages WHERE shard = ? AND customer = ? AND id = ?",
}

_Old = dict[str, list[tuple[Any, ...]]]
"""Keys of rows that may go, by table."""


class SqliteRetention(SqliteThrottles):
    """The part of the store that forgets."""

    _looked_at: tuple[int, int] = (-1, -1)
    """(shard, id) of the last customer whose rows were looked at."""
    _over: Sequence[tuple[Any, ...]] = ()
    """Keys of the enrollments that the present pass found out of reach of their goals."""

    def retain(self, now: datetime, limit: int) -> int:
        """Delete what may go: at most `limit` rows of each kind."""
        with self.db.read() as c:
            old = self._old_of_all(c, now, limit)
            old.update(self._old_of_customers(c, now, limit))
        count = sum(map(len, old.values())) + len(self._over)
        if count:
            with self.db.write() as c:
                for table, keys in old.items():
                    c.executemany(_DELETE[table], keys)
                c.executemany(_CLOSE, self._over)
        return count + forget_answers(self.db, limit)

    def _old_of_all(self, c: sqlite3.Connection, now: datetime, limit: int) -> _Old:
        """What belongs to no customer."""
        settings = self.index.project.settings
        old: _Old = {
            "seen": c.execute(_SEEN, (micros(now - settings.dedupe), limit)).fetchall(),
            "replies": c.execute(_REPLIES, (micros(now), limit)).fetchall(),
            "refused": c.execute(_REFUSED, (REFUSED_KEPT, limit)).fetchall(),
            "rights": c.execute(_RIGHTS, (micros(now - settings.history), limit)).fetchall(),
            "merges": c.execute(_MERGES, (micros(now - settings.history), limit)).fetchall(),
            "fanout": c.execute(_FANOUT, (micros(now - settings.history), limit)).fetchall(),
            "feed_letters": c.execute(_LETTERS, (micros(now - settings.history), limit)).fetchall(),
            "handed_over": [],
            "tallies": [],
        }
        bounds = forgotten(self.index, now)
        if bounds.refused is not None:
            old["refused"] = list({*old["refused"], *c.execute(_STALE, (bounds.refused, limit))})
        if bounds.messages is not None:
            old["dead_letters"] = c.execute(_DEAD, (bounds.messages, limit)).fetchall()
        for (journey,) in c.execute("SELECT DISTINCT journey FROM versions").fetchall():
            throttle = self._throttle(journey)
            since = micros(now - (throttle.per if throttle is not None else timedelta(days=1)))
            room = limit - len(old["handed_over"])
            old["handed_over"] += c.execute(_HANDED_OVER, (journey, since, room)).fetchall()
        yesterday = (now - timedelta(days=2)).date().isoformat()  # whatever the project's zone
        for kind in ("offer", "entries"):
            prefix = f"{DAILY}{kind}:"
            room = limit - len(old["tallies"])
            old["tallies"] += c.execute(_DAYS, (prefix, prefix + yesterday, room)).fetchall()
        return old

    def _old_of_customers(self, c: sqlite3.Connection, now: datetime, limit: int) -> _Old:
        """Rows of the next customers. Where one kind is full, its customers are looked at again."""
        bounds = forgotten(self.index, now)
        kept = json_text(sorted(kept_events(self.index, self._versions.values())))
        looked_for = {
            "transitions": (_TRANSITIONS, bounds.transitions),
            "events": (_EVENTS, bounds.events),
            "enrollments": (_ENROLLMENTS, bounds.enrollments),
        }
        if bounds.messages is not None:
            looked_for["messages"] = (_MESSAGES, bounds.messages)
        old: _Old = {table: [] for table in looked_for}
        goals = {place: j.goal for place, j in self._versions.items() if j.goal is not None}
        over: list[tuple[Any, ...]] = []
        for _ in range(SLICES):
            places = c.execute(_CUSTOMERS, (*self._looked_at, SLICE)).fetchall()
            mine = packed([Chosen("", *place) for place in places])
            for table, (query, before) in looked_for.items():
                asked = {"mine": mine, "before": before, "kept": kept, "n": limit - len(old[table])}
                old[table] += c.execute(query, asked).fetchall()
            if goals:
                over += self._out_of_reach(c, mine, goals, now)
            if any(len(keys) >= limit for keys in (*old.values(), over)):
                break
            self._looked_at = places[-1] if len(places) == SLICE else (-1, -1)
            if len(places) < SLICE:
                break
        self._over = over
        return old

    def _out_of_reach(
        self, c: sqlite3.Connection, mine: str, goals: Mapping[tuple[str, str], Goal], now: datetime
    ) -> Iterator[tuple[Any, ...]]:
        """Keys of enrollments that ended, and whose goal nothing can reach that arrives from now on."""
        settings = self.index.project.settings
        before = now - settings.late_tolerance  # so far may a turn lie behind
        asked = {"mine": mine, "entered_before": micros(before - settings.history - settings.late_events)}
        for shard, customer, *columns in c.execute(_OPEN, asked):
            e = enrollment_of(sealer_of(c), "", *columns)
            if e.standing != "reply" and not goal_is_open(goals.get((e.journey, e.version)), e, before, settings):
                yield shard, customer, e.id
