"""What became of claimed messages, written for a batch by a handful of statements."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from json import dumps as json_text
from typing import Final, NamedTuple

from orchestrator.core.ledger import Coupon
from orchestrator.core.state import body_to_json, from_json
from orchestrator.core.transition import Transition
from orchestrator.stores.instants import micros
from orchestrator.stores.protocol import Settlement
from orchestrator.stores.sqlite import tallies
from orchestrator.stores.sqlite.base import SqliteBase
from orchestrator.stores.sqlite.inbox import internal_ids, put_items
from orchestrator.stores.sqlite.pools import release_code
from orchestrator.stores.sqlite.writing import suppress, write_coupon, write_transitions

_CLAIMED: Final = """
SELECT o.id, o.seq, o.shard, o.customer, o.fence, o.throttled, o.journey, o.channel, m.status
FROM json_each(?) AS j
CROSS JOIN outbox AS o ON o.id = j.value
CROSS JOIN messages AS m ON m.shard = o.shard AND m.customer = o.customer AND m.id = o.id
"""
_SETTLED_BEFORE: Final = """
SELECT m.id, 0, m.shard, m.customer, 0, 0, m.journey, m.channel, m.status
FROM json_each(?) AS j CROSS JOIN messages AS m ON m.id = j.value
"""
_STATUS: Final = "UPDATE messages SET status = ? WHERE shard = ? AND customer = ? AND id = ?"
_GONE: Final = "DELETE FROM outbox WHERE seq = ?"
_KEPT: Final = """
UPDATE outbox
SET lease_until = NULL, uncertain = ?, begun = max(begun - ?, 0), frozen = ?, retry_at = ?,
    available_at = coalesce(?, available_at), told = CASE told WHEN 2 THEN 0 ELSE told END
WHERE seq = ?
"""
_HANDED_OVER: Final = "INSERT INTO handed_over (journey, at) VALUES (?, ?)"
_COUPON: Final = "SELECT row FROM coupons WHERE shard = ? AND customer = ? AND id = ?"
PAUSED: Final = 1
REFUSED_FOR_NOW: Final = 2
"""Values of outbox.frozen."""


class _Row(NamedTuple):
    """Where a message stands before its settlement. `seq` 0: it is on its way no more."""

    id: str
    seq: int
    shard: int
    customer: int
    fence: int
    throttled: int
    journey: str
    channel: str
    status: str


class SqliteSettlements(SqliteBase):
    """The end of a claim."""

    def settle_messages(self, settlements: Sequence[Settlement], now: datetime) -> None:
        """Write what became of claimed messages; those that somebody else claimed since are left alone."""
        if not settlements:
            return
        with self.db.write() as c:
            rows = _rows(c, settlements)
            valid = [(s, row) for s in settlements if (row := rows.get(s.message_id)) and s.fence in (0, row.fence)]
            told = [line for settled, _ in valid for line in settled.transitions]
            if told:
                write_transitions(c, told, {s.customer_id: (row.shard, row.customer) for s, row in valid})
            self._leave(c, [(s, row) for s, row in valid if s.status != "queued"], now)
            _keep(c, [(s, row) for s, row in valid if s.status == "queued"])
            at = micros(now)
            sent = [(row.journey, at) for s, row in valid if s.handed_over and row.throttled]
            if sent:
                c.executemany(_HANDED_OVER, sent)
        self._drain(told)

    def record(self, transitions: Sequence[Transition]) -> None:
        """Append lines to the journal."""
        if not transitions:
            return
        with self.db.write() as c:
            write_transitions(c, transitions, internal_ids(c, [t.customer for t in transitions]))
        self._drain(transitions)

    def _drain(self, told: Iterable[Transition]) -> None:
        if self._drained is not None:
            self._drained.extend(told)

    def _leave(self, c: sqlite3.Connection, settled: Sequence[tuple[Settlement, _Row]], now: datetime) -> None:
        """These are on their way no more."""
        if not settled:
            return
        c.executemany(_GONE, [(row.seq,) for _, row in settled])
        c.executemany(_STATUS, [(s.status, row.shard, row.customer, row.id) for s, row in settled])
        moved: Counter[tuple[str, str]] = Counter()
        status: dict[str, str] = {}
        items = []
        at = micros(now)
        for s, row in settled:
            moved[row.channel, status.get(row.id, row.status)] -= 1
            moved[row.channel, s.status] += 1
            status[row.id] = s.status
            if s.release_coupon is not None:
                _take_back(c, s.release_coupon, row)
            if s.suppress is not None:
                suppress(c, *s.suppress, at)
            items += [(row.shard, row.customer, at, body_to_json(body)) for body in s.receipts]
        tallies.count_messages(c, moved)
        if items:
            put_items(c, items)


def _rows(c: sqlite3.Connection, settlements: Sequence[Settlement]) -> dict[str, _Row]:
    """Where the messages stand. One that is settled is found only for those who do not ask whose claim it was."""
    ids = [settled.message_id for settled in settlements]
    rows = {row[0]: _Row(*row) for row in c.execute(_CLAIMED, (json_text(ids),))}
    missing = [s.message_id for s in settlements if s.fence == 0 and s.status != "queued" and s.message_id not in rows]
    if missing:
        rows.update((row[0], _Row(*row)) for row in c.execute(_SETTLED_BEFORE, (json_text(missing),)))
    return rows


def _keep(c: sqlite3.Connection, settled: Sequence[tuple[Settlement, _Row]]) -> None:
    """These stay: until an instant of the journey's time or of real time, or until a pause ends."""
    rows: list[tuple[int, int, int, int, int | None, int]] = []
    for s, row in settled:
        doubt = (s.uncertain, s.untaken)
        if s.retry_at is not None:
            rows.append((*doubt, REFUSED_FOR_NOW, micros(s.retry_at), None, row.seq))
        elif s.available_at is not None:
            rows.append((*doubt, 0, 0, micros(s.available_at), row.seq))
        else:
            rows.append((*doubt, PAUSED, 0, None, row.seq))
    if rows:
        c.executemany(_KEPT, rows)


def _take_back(c: sqlite3.Connection, coupon_id: str, row: _Row) -> None:
    """The message is certainly unsent: its coupon is nobody's any more."""
    found = c.execute(_COUPON, (row.shard, row.customer, coupon_id)).fetchone()
    coupon = from_json(Coupon, found[0]) if found is not None else None
    if coupon is not None and coupon.status == "issued":
        write_coupon(c, coupon._replace(status="released"), row.shard, row.customer)
        release_code(c, coupon.offer, coupon.amount)
