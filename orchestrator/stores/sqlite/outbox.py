"""Messages on their way: queued in the order of their decisions, claimed for a lease, written down before they go."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from json import dumps as json_text
from typing import Any, Final

from orchestrator.core.claim import Claimed
from orchestrator.core.customer import Customer
from orchestrator.core.view import Switches
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.records import MESSAGE, customer_of, message_of
from orchestrator.stores.sealing import Unopened
from orchestrator.stores.sqlite import switches, tallies
from orchestrator.stores.sqlite.settlements import Leased, SqliteSettlements
from orchestrator.stores.sqlite.throttles import SqliteThrottles

LEASE: Final = timedelta(seconds=60)
"""Real time for which a claimed message is nobody else's."""
ASIDE: Final = timedelta(minutes=10)
"""Real time after which a message that no key opens is looked at again."""
CLASSES: Final = ("promotional", "service", "transactional")
_QUEUE: Final = (
    "INSERT INTO outbox (id, shard, customer, journey, channel, class, throttled, at, available_at, retry_at, frozen, "
    "told, fence, begun, uncertain) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0)"
)
_FREE: Final = "(lease_until IS NULL OR lease_until <= :real)"
_WAKE: Final = """
SELECT seq FROM outbox INDEXED BY ix_outbox_retry WHERE frozen = 2 AND retry_at <= :real ORDER BY retry_at LIMIT :n
"""
_WOKEN: Final = "UPDATE outbox SET frozen = 0 WHERE seq IN (SELECT value FROM json_each(?))"
_CLAIM: Final = "UPDATE outbox SET fence = fence + 1, lease_until = ? WHERE seq IN (SELECT value FROM json_each(?))"
_PUT_ASIDE: Final = """
UPDATE outbox SET frozen = 2, retry_at = ?, lease_until = NULL WHERE seq IN (SELECT value FROM json_each(?))
"""
_CLAIMED: Final = f"""
SELECT c.id, c.external_id, c.created_at, c.state, k.state, CASE WHEN e.ended_by_rule THEN e.reason END,
       o.seq, o.shard, o.fence, o.throttled, o.begun, o.uncertain, o.first_tried_at, {MESSAGE}
FROM json_each(?) AS j
CROSS JOIN outbox AS o ON o.seq = j.value
CROSS JOIN messages AS m ON m.shard = o.shard AND m.customer = o.customer AND m.id = o.id
CROSS JOIN customers AS c ON c.shard = o.shard AND c.id = o.customer
LEFT JOIN consents AS k ON k.shard = o.shard AND k.customer = o.customer
LEFT JOIN enrollments AS e ON e.shard = o.shard AND e.customer = o.customer AND e.id = m.enrollment
ORDER BY j.key
"""
"""CROSS JOIN keeps the order of the tables: a handful of look-ups for each message, whatever statistics say."""
_BEGIN: Final = """
UPDATE outbox SET begun = begun + 1, uncertain = 1, lease_until = :until,
    first_tried_at = coalesce(first_tried_at, :real)
WHERE seq IN (
    SELECT o.seq FROM json_each(:ours) AS ours
    CROSS JOIN messages AS m INDEXED BY ix_messages_id ON m.id = json_extract(ours.value, '$[0]')
    CROSS JOIN outbox AS o INDEXED BY ix_outbox_customer
        ON o.shard = m.shard AND o.customer = m.customer AND o.id = m.id
    WHERE o.fence = json_extract(ours.value, '$[1]'))
RETURNING id
"""


_claimed: Final[Callable[[tuple[Any, ...]], Claimed]] = partial(tuple.__new__, Claimed)
_leased: Final[Callable[[tuple[Any, ...]], Leased]] = partial(tuple.__new__, Leased)
"""Both from all their fields in their order, without the calls that their names take."""


def queue_messages(c: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Put new ledger rows on their way: (id, shard, customer, journey, channel, class, throttled, at, available_at)."""
    c.executemany(_QUEUE, rows)
    tallies.count_messages(c, Counter((row[4], "queued") for row in rows))


def read_switches(c: sqlite3.Connection) -> Switches:
    """What is switched off at the instant of this transaction."""
    return switches.read_switches(c)


class SqliteOutbox(SqliteThrottles, SqliteSettlements):
    """The part of the store that deliveries ask."""

    def claim_messages(
        self, now: datetime, limit: int, real_at: datetime | None = None, klass: str | None = None
    ) -> Sequence[Claimed]:
        """Queued messages, oldest first, as far as throttles allow. The lease is in real time."""
        real = real_at or now
        at = {"now": micros(now), "real": micros(real)}
        with self.db.read() as c:
            if not self._anything(c, now, at, klass):
                return []  # without the writer's lock, which a turn may hold
        with self.db.write() as c:
            woken = [seq for (seq,) in c.execute(_WAKE, {**at, "n": max(limit, 1_000)})]
            if woken:
                c.execute(_WOKEN, (json_text(woken),))
            found = [seq for seq, _ in c.execute(_ready(klass), {**at, "n": limit})]
            if len(found) < limit:
                found += self._let_through(c, now, at, limit - len(found), klass)
            if not found:
                return []
            chosen = json_text(found)
            c.execute(_CLAIM, (micros(real + LEASE), chosen))
            rows = c.execute(_CLAIMED, (chosen,)).fetchall()
            claimed, closed = self._claims(rows)
            if closed:
                c.execute(_PUT_ASIDE, (micros(real + ASIDE), json_text(closed)))
        return claimed

    def _anything(self, c: sqlite3.Connection, now: datetime, at: Mapping[str, int], klass: str | None) -> bool:
        return (
            c.execute(_ready(klass), {**at, "n": 1}).fetchone() is not None
            or c.execute(_WAKE, {**at, "n": 1}).fetchone() is not None
            or self._may_go(c, now, at)
        )

    def begin_hand_over(self, claimed: Sequence[Claimed], real_at: datetime) -> frozenset[str]:
        """Committed before anything leaves. What another claimed since has a higher fence, and is not ours."""
        if not claimed:
            return frozenset()
        ours = json_text([(message.row.id, message.fence) for message in claimed])
        with self.db.write() as c:
            found = c.execute(_BEGIN, {"until": micros(real_at + LEASE), "real": micros(real_at), "ours": ours})
            return frozenset(id for (id,) in found.fetchall())

    def _claims(self, rows: Sequence[tuple[Any, ...]]) -> tuple[list[Claimed], list[int]]:
        """What was claimed, and the places in the queue of what no key opens."""
        customers: dict[int, Customer] = {}
        found, leases, closed = [], [], []
        sealer = self.db.sealer
        for (
            id, external, created_at, state, consents, ended_by, seq, shard, fence, throttled, begun, uncertain,
            first_at, *columns,
        ) in rows:  # fmt: skip
            try:
                customer = customers.get(id)
                if customer is None:
                    customer = customers[id] = customer_of(sealer, external, created_at, state, consents)
                m = message_of(sealer, *columns)
            except Unopened:
                closed.append(seq)
                continue
            tried_at = None if first_at is None else instant(first_at)
            found.append(_claimed((m, customer, ended_by, fence, begun, uncertain == 1, tried_at)))
            leases.append(_leased((m.id, seq, shard, id, fence, throttled, m.journey, m.channel, "queued")))
        self.remember(leases)
        return found, closed


def _ready(klass: str | None) -> str:
    """Those that no throttle holds, of a class or of all, in the order of their instants: at most :n at :now."""
    return _READY[klass]


def _lane(klass: str, throttled: int) -> str:
    return (
        "SELECT * FROM (SELECT seq, available_at FROM outbox INDEXED BY ix_outbox_ready "
        f"WHERE class = '{klass}' AND throttled = {throttled} AND frozen = 0 AND available_at <= :now AND {_FREE} "
        "ORDER BY available_at, seq LIMIT :n)"
    )


def _lanes(*classes: str) -> str:
    lanes = " UNION ALL ".join(_lane(klass, throttled) for klass in classes for throttled in (0, 2))
    return f"{lanes} ORDER BY available_at, seq LIMIT :n"


_READY: Final[dict[str | None, str]] = {None: _lanes(*CLASSES), **{klass: _lanes(klass) for klass in CLASSES}}
