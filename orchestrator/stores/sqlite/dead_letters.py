"""Messages that came to a bad end: kept beside the ledger, so that they are found among millions, and queued again."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from orchestrator.core.ledger import Coupon
from orchestrator.core.state import from_json
from orchestrator.errors import UsageError
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.message_rows import loaded_message
from orchestrator.stores.protocol import COUPON_GONE, DeadLetter
from orchestrator.stores.records import MESSAGE, message_of
from orchestrator.stores.sealed_rows import END
from orchestrator.stores.sealing import sealer_of, shown, told
from orchestrator.stores.sqlite import tallies
from orchestrator.stores.sqlite.base import SqliteBase

_KEEP: Final = """
INSERT INTO dead_letters (id, shard, customer, status, at, fence, reason) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, at = excluded.at, fence = excluded.fence,
    reason = excluded.reason
"""
_LATEST: Final = f"""
SELECT d.at, d.reason, m.status, m.opened_at, m.clicked_at, {MESSAGE}
FROM dead_letters AS d CROSS JOIN messages AS m ON m.shard = d.shard AND m.customer = d.customer AND m.id = d.id
WHERE d.seq > 0 AND (?1 IS NULL OR d.status = ?1) ORDER BY d.seq DESC LIMIT ?2
"""
_TAKE: Final = "DELETE FROM dead_letters WHERE id = ? RETURNING shard, customer, status, fence"
_ROW: Final = f"SELECT {MESSAGE} FROM messages AS m WHERE shard = ? AND customer = ? AND id = ?"
_QUEUED: Final = "UPDATE messages SET status = 'queued' WHERE shard = ? AND customer = ? AND id = ?"
_FENCED: Final = "UPDATE outbox SET fence = ? WHERE shard = ? AND customer = ? AND id = ?"
_COUPON: Final = "SELECT row FROM coupons WHERE shard = ? AND customer = ? AND id = ?"


def keep(c: sqlite3.Connection, ended: Sequence[tuple[str, int, int, str, int, str]], at: int) -> None:
    """Keep messages that came to a bad end: (id, shard, customer, status, fence, reason)."""
    if ended:
        sealer = sealer_of(c)
        rows = [(*row[:4], at, row[4], sealer.seal(f"{END}:{row[0]}", told(row[5]))) for row in ended]
        c.executemany(_KEEP, rows)


class SqliteDeadLetters(SqliteBase):
    """The part of the store that operators ask about messages that failed."""

    def dead_letters(self, limit: int, status: str | None = None) -> Sequence[DeadLetter]:
        """The latest first."""
        with self.db.read() as c:
            rows = c.execute(_LATEST, (status, limit)).fetchall()
        return [
            DeadLetter(
                loaded_message(self.db.sealer, status, opened_at, clicked_at, *columns),
                instant(at),
                shown(self.db.sealer, f"{END}:{columns[0]}", reason),
            )
            for at, reason, status, opened_at, clicked_at, *columns in rows
        ]

    def retry_message(self, message_id: str, now: datetime) -> bool:
        """Queue a dead letter again."""
        from orchestrator.stores.sqlite.outbox import queue_messages

        with self.db.write() as c:
            found = c.execute(_TAKE, (message_id,)).fetchone()
            if found is None:
                return False
            shard, customer, status, fence = found
            key = (shard, customer)
            row = c.execute(_ROW, (*key, message_id)).fetchone()
            if row is None:
                return False  # the ledger does not reach so far back any more
            m = message_of(self.db.sealer, *row)
            coupon = c.execute(_COUPON, (*key, m.coupon)).fetchone() if m.coupon is not None else None
            if coupon is not None and from_json(Coupon, coupon[0]).status == "released":
                raise UsageError(f"{message_id}: {COUPON_GONE}", "coupon_released")
            c.execute(_QUEUED, (*key, message_id))
            queue_messages(c, [(m.id, *key, m.journey, m.channel, m.klass, m.throttled, micros(m.at), micros(now))])
            c.execute(_FENCED, (fence, *key, message_id))
            tallies.count_messages(c, {(m.channel, status): -1})
        return True
