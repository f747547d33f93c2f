"""Calls to make outside of turns, and the answers that may be used again."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from json import dumps as json_text
from typing import Any, Final

from orchestrator.core.inbox import Body
from orchestrator.core.ledger import Request
from orchestrator.core.state import body_to_json, dumps, from_json, loads, to_json
from orchestrator.stores.instants import micros
from orchestrator.stores.sealed_rows import REPLY, REQUEST
from orchestrator.stores.sealing import sealer_of
from orchestrator.stores.sqlite.base import SqliteBase
from orchestrator.stores.sqlite.inbox import put_items

LEASE: Final = timedelta(seconds=60)
"""Real time after which a call that nobody settled is made by another."""
_QUEUE: Final = "INSERT INTO requests (id, shard, customer, at, fence, row) VALUES (?, ?, ?, ?, 0, ?)"
_FREE: Final = (
    "SELECT seq, row, id FROM requests WHERE seq > 0 AND (lease_until IS NULL OR lease_until <= ?) ORDER BY seq LIMIT ?"
)
"""Settled calls are gone, so that those before the first free one are the few that are being made."""
_LEASE: Final = "UPDATE requests SET fence = fence + 1, lease_until = ? WHERE seq IN (SELECT value FROM json_each(?))"
_CACHED: Final = "SELECT status, body, url FROM replies WHERE url = ? AND until_at > ?"
_OVER: Final = "DELETE FROM requests WHERE id = ? RETURNING shard, customer"


def queue_requests(c: sqlite3.Connection, requests: Sequence[Request], internal: Mapping[str, tuple[int, int]]) -> None:
    """New calls. `internal`: (shard, id) by the customer's external id."""
    seal = sealer_of(c).seal
    rows = [(r.id, *internal[r.customer_id], micros(r.at), seal(f"{REQUEST}:{r.id}", to_json(r))) for r in requests]
    c.executemany(_QUEUE, rows)


class SqliteRequests(SqliteBase):
    """The part of the store that calls ask."""

    def claim_requests(self, now: datetime, limit: int, real_at: datetime | None = None) -> Sequence[Request]:
        """Calls to make, oldest first."""
        real = real_at or now
        with self.db.read() as c:
            if c.execute(_FREE, (micros(real), 1)).fetchone() is None:
                return []  # without the writer's lock
        with self.db.write() as c:
            found = c.execute(_FREE, (micros(real), limit)).fetchall()
            c.execute(_LEASE, (micros(real + LEASE), json_text([row[0] for row in found])))
        open_ = self.db.sealer.open
        return [from_json(Request, open_(f"{REQUEST}:{id}", row)) for _, row, id in found]

    def settle_requests(self, replies: Sequence[tuple[Request, Body]], now: datetime) -> None:
        """Put the answers into the inbox; a call that somebody else settled is answered already."""
        if not replies:
            return
        with self.db.write() as c:
            items = []
            for request, body in replies:
                row = c.execute(_OVER, (request.id,)).fetchone()
                if row is not None:
                    items.append((*row, micros(now), body_to_json(body)))
            put_items(c, items)

    def cached_reply(self, url: str, now: datetime) -> tuple[int, Any] | None:
        """A fetched answer that has not run out."""
        sealer = self.db.sealer
        keys = sealer.marks(url)
        with self.db.read() as c:
            row = next(filter(None, (c.execute(_CACHED, (key, micros(now))).fetchone() for key in keys)), None)
        return None if row is None else (row[0], loads(sealer.open(f"{REPLY}:{row[2]}", row[1])))

    def keep_reply(self, url: str, status: int, body: Any, until_at: datetime) -> None:
        """Remember a fetched answer, instead of an older one."""
        key = self.db.sealer.mark(url)
        with self.db.write() as c:
            c.execute(
                "INSERT INTO replies (url, status, body, until_at) VALUES (?, ?, ?, ?) ON CONFLICT (url) DO UPDATE "
                "SET status = excluded.status, body = excluded.body, until_at = excluded.until_at",
                (key, status, self.db.sealer.seal(f"{REPLY}:{key}", dumps(body)), micros(until_at)),
            )
