"""Messages that came to a bad end: kept beside the ledger, so that they are found among millions, and queued again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from orchestrator.core.ledger import Coupon
from orchestrator.core.state import from_json
from orchestrator.errors import UsageError
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.message_rows import loaded_message
from orchestrator.stores.postgres import arrays, tallies, timers
from orchestrator.stores.postgres.base import PostgresBase
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.protocol import COUPON_GONE, DeadLetter
from orchestrator.stores.records import MESSAGE, message_of
from orchestrator.stores.sealed_rows import END
from orchestrator.stores.sealing import sealer_of, shown, told

_KEEP: Final = """
INSERT INTO dead_letters (id, shard, customer, status, at, fence, reason)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::text[])
ON CONFLICT (id) DO UPDATE SET status = excluded.status, at = excluded.at, fence = excluded.fence,
    reason = excluded.reason
"""
LATEST: Final = f"""
SELECT d.at, d.reason, m.status, m.opened_at, m.clicked_at, {MESSAGE}
FROM (SELECT * FROM dead_letters WHERE %s::text IS NULL OR status = %s ORDER BY seq DESC LIMIT %s) AS d
JOIN messages AS m ON m.shard = d.shard AND m.customer = d.customer AND m.id = d.id ORDER BY d.seq DESC
"""
_PLACE: Final = "SELECT shard FROM dead_letters WHERE id = %s"
_TAKE: Final = "DELETE FROM dead_letters WHERE id = %s RETURNING shard, customer, status, fence"
_ROW: Final = f"SELECT {MESSAGE} FROM messages AS m WHERE shard = %s AND customer = %s AND id = %s FOR UPDATE"
_QUEUED: Final = "UPDATE messages SET status = 'queued' WHERE shard = %s AND customer = %s AND id = %s"
_FROM_NOW: Final = "UPDATE outbox SET fence = %s, available_at = %s WHERE shard = %s AND customer = %s AND id = %s"
_COUPON: Final = "SELECT row FROM coupons WHERE shard = %s AND customer = %s AND id = %s FOR SHARE"


def keep(c: Connection, ended: Sequence[tuple[str, int, int, str, int, str]], at: int) -> None:
    """Keep messages that came to a bad end: (id, shard, customer, status, fence, reason)."""
    if ended:
        sealer = sealer_of(c)
        unique = {row[0]: row for row in ended}.values()
        ids, shards, customers, statuses, fences, reasons = zip(*unique, strict=True)
        c.execute(
            _KEEP,
            (
                arrays.texts(ids), arrays.ints(shards), arrays.ints(customers), arrays.texts(statuses),
                arrays.ints([at] * len(ids)), arrays.ints(fences),
                arrays.texts([
                    sealer.seal(f"{END}:{id}", told(reason.replace("\0", "")))
                    for id, reason in zip(ids, reasons, strict=True)
                ]),
            ),
        )  # fmt: skip


class PostgresDeadLetters(PostgresBase):
    """The part of the store that operators ask about messages that failed."""

    def dead_letters(self, limit: int, status: str | None = None) -> Sequence[DeadLetter]:
        """The latest first."""
        with self.db.read() as c:
            rows = c.execute(LATEST, (status, status, limit)).fetchall()
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
        from orchestrator.stores.postgres.outbox import queue_messages

        with self.db.write() as c:
            place = c.execute(_PLACE, (message_id,)).fetchone()
            if place is None:
                return False
            timers.lock_shards(c, place)  # whoever erases its person holds it, and leaves nothing here to be taken
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
            queue_messages(c, [(m, key)])
            c.execute(_FROM_NOW, (fence, micros(now), *key, message_id))
            tallies.count_messages(c, {(m.channel, status): -1})
        return True
