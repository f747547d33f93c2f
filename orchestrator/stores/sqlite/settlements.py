"""What became of claimed messages, written for a batch by a handful of statements."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from json import dumps as json_text
from typing import Any, Final, NamedTuple

from orchestrator.core.ledger import Coupon
from orchestrator.core.state import body_to_json, from_json
from orchestrator.core.transition import Transition
from orchestrator.stores.instants import micros
from orchestrator.stores.protocol import ANSWERED_ON, BAD_ENDS, Settlement, reason_of
from orchestrator.stores.sqlite import addressees, dead_letters, tallies
from orchestrator.stores.sqlite.base import SqliteBase
from orchestrator.stores.sqlite.inbox import internal_ids, put_items
from orchestrator.stores.sqlite.pools import release_code
from orchestrator.stores.sqlite.writing import (
    insert_transitions,
    suppress,
    transition_rows,
    write_coupon,
    write_transitions,
)

_QUEUED: Final = """
SELECT o.id, o.seq, o.shard, o.customer, o.fence, o.throttled, o.journey, o.channel, m.status
FROM json_each(?) AS j
CROSS JOIN messages AS m INDEXED BY ix_messages_id ON m.id = j.value
CROSS JOIN outbox AS o INDEXED BY ix_outbox_customer ON o.shard = m.shard AND o.customer = m.customer AND o.id = m.id
"""
_SETTLED_BEFORE: Final = """
SELECT m.id, 0, m.shard, m.customer, 0, 0, m.journey, m.channel, m.status
FROM json_each(?) AS j CROSS JOIN messages AS m ON m.id = j.value
"""
_STATUS: Final = "UPDATE messages SET status = ? WHERE shard = ? AND customer = ? AND id = ? AND status = ?"
_GONE: Final = "DELETE FROM outbox WHERE seq = ? AND id = ? AND fence = ?"
_KEPT: Final = """
UPDATE outbox
SET lease_until = NULL, uncertain = ?, begun = max(begun - ?, 0), frozen = ?, retry_at = ?,
    available_at = coalesce(?, available_at), told = CASE told WHEN 2 THEN 0 ELSE told END
WHERE seq = ? AND id = ? AND fence = ?
"""
_HANDED_OVER: Final = "INSERT INTO handed_over (journey, at) VALUES (?, ?)"
_COUPON: Final = "SELECT row FROM coupons WHERE shard = ? AND customer = ? AND id = ?"
PAUSED: Final = 1
REFUSED_FOR_NOW: Final = 2
"""Values of outbox.frozen."""


_MOST_LEASES: Final = 100_000
"""Claims of this process that are remembered at most; others are looked up."""


class Leased(NamedTuple):
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


class _Changed(Exception):
    """A row is not as this process claimed it, or it is not known how it claimed it."""


_Settled = list[tuple[Settlement, Leased]]


class SqliteSettlements(SqliteBase):
    """The end of a claim."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._leases: dict[str, Leased] = {}
        """What this process claimed and did not settle yet: a settlement finds its rows without looking for them."""

    def remember(self, leases: Iterable[Leased]) -> None:
        """These were claimed by this process."""
        if len(self._leases) > _MOST_LEASES:
            self._leases.clear()
        for leased in leases:
            self._leases[leased.id] = leased

    def settle_messages(self, settlements: Sequence[Settlement], now: datetime) -> None:
        """Write what became of claimed messages; those that somebody else claimed since are left alone."""
        if not settlements:
            return
        try:
            with self.db.write() as c:
                told = self._settle_remembered(c, settlements, now)
        except _Changed:
            with self.db.write() as c:
                rows = _rows(c, settlements)
                asked = ((s, rows.get(s.message_id)) for s in settlements)
                valid = [(s, row) for s, row in asked if row is not None and s.fence in (0, row.fence)]
                told = self._settle(c, valid, now)
        self._drain(told)

    def _settle_remembered(
        self, c: sqlite3.Connection, settlements: Sequence[Settlement], now: datetime
    ) -> Sequence[Transition]:
        """Settle rows as this process claimed them. Raises _Changed where something is not as it was then: what was
        done is to be undone."""
        if self.db.holding:
            raise _Changed  # a turn of this thread stands, whatever becomes of this
        valid: _Settled = []
        for s in settlements:
            leased = self._leases.pop(s.message_id, None)
            if leased is None or leased.fence != s.fence:
                raise _Changed
            valid.append((s, leased))
        before = c.total_changes
        leaving = [pair for pair in valid if pair[0].status != "queued"]
        if len(leaving) < len(valid):
            _keep(c, [pair for pair in valid if pair[0].status == "queued"])
        _take_off(c, leaving)
        if c.total_changes - before != len(valid) + len(leaving):
            raise _Changed
        return self._write_out(c, valid, now)

    def _settle(self, c: sqlite3.Connection, valid: _Settled, now: datetime) -> Sequence[Transition]:
        """Settle rows that were just looked up."""
        _keep(c, [pair for pair in valid if pair[0].status == "queued"])
        last = {row.id: (s, row) for s, row in valid if s.status != "queued"}  # settled twice: the last one stands
        _take_off(c, last.values())
        return self._write_out(c, valid, now)

    def _write_out(self, c: sqlite3.Connection, valid: _Settled, now: datetime) -> Sequence[Transition]:
        """Everything beside the rows themselves. Returns the lines that were written."""
        told: list[Transition] = []
        lines: list[tuple[Any, ...]] = []
        for s, row in valid:
            if s.transitions:
                told += s.transitions
                lines += transition_rows(s.transitions, self.db.sealer, row.shard, row.customer)
        if lines:
            insert_transitions(c, lines)
        at = micros(now)
        sent = [(row.journey, at) for s, row in valid if s.handed_over and row.throttled]
        if sent:
            c.executemany(_HANDED_OVER, sent)
        answerable = [
            (row.shard, row.customer, row.id)
            for s, row in valid
            if row.channel in ANSWERED_ON and s.handed_over and s.status != "queued"
        ]
        if answerable:
            addressees.written_to(c, answerable)
        moved: Counter[tuple[str, str]] = Counter()
        status: dict[str, str] = {}
        items = []
        for s, row in valid:
            if s.status == "queued":
                continue
            moved[row.channel, status.get(row.id, row.status)] -= 1
            moved[row.channel, s.status] += 1
            status[row.id] = s.status
            if s.release_coupon is not None:
                _take_back(c, s.release_coupon, row)
            if s.suppress is not None:
                suppress(c, *s.suppress, at)
            items += [(row.shard, row.customer, at, body_to_json(body)) for body in s.receipts]
        bad = [(s, row) for s, row in valid if s.status in BAD_ENDS]
        dead_letters.keep(
            c, [(row.id, row.shard, row.customer, s.status, row.fence, reason_of(s)) for s, row in bad], at
        )
        tallies.count_messages(c, moved)
        if items:
            put_items(c, items)
        return told

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


def _take_off(c: sqlite3.Connection, leaving: Iterable[tuple[Settlement, Leased]]) -> None:
    """These are on their way no more."""
    gone, settled = [], []
    for s, row in leaving:
        gone.append((row.seq, row.id, row.fence))
        settled.append((s.status, row.shard, row.customer, row.id, row.status))
    if gone:
        c.executemany(_GONE, gone)
        c.executemany(_STATUS, settled)


def _rows(c: sqlite3.Connection, settlements: Sequence[Settlement]) -> dict[str, Leased]:
    """Where the messages stand. One that is settled is found only for those who do not ask whose claim it was."""
    ids = [settled.message_id for settled in settlements]
    rows = {row[0]: Leased(*row) for row in c.execute(_QUEUED, (json_text(ids),))}
    missing = [s.message_id for s in settlements if s.fence == 0 and s.status != "queued" and s.message_id not in rows]
    if missing:
        rows.update((row[0], Leased(*row)) for row in c.execute(_SETTLED_BEFORE, (json_text(missing),)))
    return rows


def _keep(c: sqlite3.Connection, settled: Sequence[tuple[Settlement, Leased]]) -> None:
    """These stay: until an instant of the journey's time or of real time, or until a pause ends."""
    rows: list[tuple[int | str | None, ...]] = []
    for s, row in settled:
        doubt, place = (s.uncertain, s.untaken), (row.seq, row.id, row.fence)
        if s.retry_at is not None:
            rows.append((*doubt, REFUSED_FOR_NOW, micros(s.retry_at), None, *place))
        elif s.available_at is not None:
            rows.append((*doubt, 0, 0, micros(s.available_at), *place))
        else:
            rows.append((*doubt, PAUSED, 0, None, *place))
    if rows:
        c.executemany(_KEPT, rows)


def _take_back(c: sqlite3.Connection, coupon_id: str, row: Leased) -> None:
    """The message is certainly unsent: its coupon is nobody's any more."""
    found = c.execute(_COUPON, (row.shard, row.customer, coupon_id)).fetchone()
    coupon = from_json(Coupon, found[0]) if found is not None else None
    if coupon is not None and coupon.status == "issued":
        write_coupon(c, coupon._replace(status="released"), row.shard, row.customer)
        release_code(c, coupon)
