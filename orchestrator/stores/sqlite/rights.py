"""What people asked not to have any more, written down in the transaction that makes it so."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.stores.instants import instant, micros
from orchestrator.stores.protocol import Right
from orchestrator.stores.records import Choices, told
from orchestrator.stores.sealing import sealer_of
from orchestrator.stores.sqlite.base import SqliteBase

NOW: Final = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
_CHOSEN: Final = f"""
INSERT INTO rights (at, kind, shard, customer, external_id, topic, channel)
SELECT {NOW}, ?, shard, id, external_id, ?, ? FROM customers WHERE shard = ? AND id = ?
"""
_SUPPRESS: Final = "INSERT OR IGNORE INTO suppressions (channel, address, cause, at) VALUES (?, ?, ?, ?)"
_SUPPRESSED: Final = f"INSERT INTO rights (at, kind, channel, address, cause) VALUES ({NOW}, 'suppressed', ?, ?, ?)"
_SINCE: Final = """
SELECT id, at, kind, external_id, topic, channel, address, cause FROM rights WHERE id > ? AND at >= ?
ORDER BY id LIMIT ?
"""
_TAKEN_BACK: Final = "DELETE FROM suppressions WHERE channel = ? AND address = ? AND cause = ?"


def write(c: sqlite3.Connection, key: Sequence[int], before: Choices, after: Choices) -> None:
    """Opt-outs of a customer (shard, id), and their ends: a first "in" closes nothing, and is nobody's right."""
    rows = [(kind, *place, *key) for kind, place in told(before, after)]
    if rows:
        c.executemany(_CHOSEN, rows)


def suppress(c: sqlite3.Connection, entries: Iterable[tuple[Any, ...]]) -> None:
    """Put (channel, normalised address, cause, microseconds) on the suppression list; the first instant of a cause
    stands."""
    mark = sealer_of(c).mark
    for channel, address, cause, at in entries:
        entry = (channel, mark(address), cause, at)
        if c.execute(_SUPPRESS, entry).rowcount > 0:
            c.execute(_SUPPRESSED, entry[:3])


class SqliteRights(SqliteBase):
    """The part of the store that a restored backup is brought up to date from."""

    def rights(self, since: datetime | None, after: int, limit: int) -> Sequence[Right]:
        """Opt-outs, their ends, and suppressions."""
        with self.db.read() as c:
            found = c.execute(_SINCE, (after, micros(since) if since is not None else 0, limit)).fetchall()
        open_ = self.db.sealer.unmark
        return [
            Right(id, instant(at), kind, who, topic, channel, None if address is None else open_(address), cause)
            for id, at, kind, who, topic, channel, address, cause in found
        ]

    def suppress(self, entries: Sequence[tuple[str, str, str]], now: datetime) -> None:
        """Put addresses on the suppression list."""
        at = micros(now)
        with self.db.write() as c:
            suppress(c, [(*entry, at) for entry in entries])

    def unsuppress(self, entries: Sequence[tuple[str, str, str]]) -> None:
        """Take causes off the suppression list. No right is written: whoever goes back to a backup is careful."""
        with self.db.write() as c:
            for channel, address, cause in sorted(set(entries)):
                for mark in self.db.sealer.marks(address):
                    c.execute(_TAKEN_BACK, (channel, mark, cause))
