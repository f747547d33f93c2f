"""Calls to make outside of turns, and the answers that may be used again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from orchestrator.core.inbox import Body
from orchestrator.core.ledger import Request
from orchestrator.core.state import body_to_json, dumps, from_json, loads, to_json
from orchestrator.stores.instants import micros
from orchestrator.stores.postgres import arrays
from orchestrator.stores.postgres.base import PostgresBase
from orchestrator.stores.postgres.copying import copy_rows
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.inbox import put_items
from orchestrator.stores.sealed_rows import REPLY, REQUEST
from orchestrator.stores.sealing import sealer_of

LEASE: Final = timedelta(seconds=60)
"""Real time after which a call that nobody settled is made by another."""
_LONGEST_KEY: Final = 600
"""Characters, of at most four bytes each."""
_QUEUE: Final = "requests (id, shard, customer, at, fence, row)"
CLAIM: Final = """
WITH free AS (
    SELECT seq FROM requests WHERE seq > 0 AND (lease_until IS NULL OR lease_until <= %(real)s)
    ORDER BY seq LIMIT %(n)s FOR UPDATE SKIP LOCKED
)
UPDATE requests AS r SET fence = r.fence + 1, lease_until = %(until)s FROM free WHERE r.seq = free.seq
RETURNING r.seq, r.row, r.id
"""
"""Settled calls are gone, so that those before the first free one are the few that are being made."""
_OVER: Final = "DELETE FROM requests WHERE id = ANY(%s::text[]) RETURNING id, shard, customer"
_CACHED: Final = "SELECT status, body, url FROM replies WHERE url = %s AND until_at > %s"
_KEEP: Final = """
INSERT INTO replies (url, status, body, until_at) VALUES (%s, %s, %s, %s) ON CONFLICT (url) DO UPDATE
SET status = excluded.status, body = excluded.body, until_at = excluded.until_at
"""


def queue_requests(c: Connection, requests: Sequence[Request], internal: Mapping[str, tuple[int, int]]) -> None:
    """New calls. `internal`: (shard, id) by the customer's external id."""
    seal = sealer_of(c).seal
    rows = [(r.id, *internal[r.customer_id], micros(r.at), 0, seal(f"{REQUEST}:{r.id}", to_json(r))) for r in requests]
    copy_rows(c, _QUEUE, rows)


class PostgresRequests(PostgresBase):
    """The part of the store that calls ask."""

    def claim_requests(self, now: datetime, limit: int, real_at: datetime | None = None) -> Sequence[Request]:
        """Calls to make, oldest first."""
        real = real_at or now
        with self.db.write() as c:
            asked = {"real": micros(real), "until": micros(real + LEASE), "n": limit}
            found = c.execute(CLAIM, asked).fetchall()
        open_ = self.db.sealer.open
        return [from_json(Request, open_(f"{REQUEST}:{id}", row)) for _, row, id in sorted(found)]

    def settle_requests(self, replies: Sequence[tuple[Request, Body]], now: datetime) -> None:
        """Put the answers into the inbox; a call that somebody else settled is answered already."""
        if not replies:
            return
        with self.db.write() as c:
            found = c.execute(_OVER, (arrays.texts([request.id for request, _ in replies]),)).fetchall()
            places = {id: (shard, customer) for id, shard, customer in found}
            items = []
            for request, body in replies:
                place = places.pop(request.id, None)
                if place is not None:
                    items.append((*place, micros(now), body_to_json(body)))
            put_items(c, items)

    def cached_reply(self, url: str, now: datetime) -> tuple[int, Any] | None:
        """A fetched answer that has not run out."""
        sealer = self.db.sealer
        keys = sealer.marks(_key(url))
        with self.db.read() as c:
            row = next(filter(None, (c.execute(_CACHED, (key, micros(now))).fetchone() for key in keys)), None)
        return None if row is None else (row[0], loads(sealer.open(f"{REPLY}:{row[2]}", row[1])))

    def keep_reply(self, url: str, status: int, body: Any, until_at: datetime) -> None:
        """Remember a fetched answer, instead of an older one."""
        key = self.db.sealer.mark(_key(url))
        with self.db.write() as c:
            text = self.db.sealer.seal(f"{REPLY}:{key}", dumps(body))
            c.execute(_KEEP, (key, status, text, micros(until_at)))


def _key(url: str) -> str:
    """What an address is found by: an index holds no entry of more than some 2,700 bytes."""
    return url if len(url) <= _LONGEST_KEY else f"sha256:{sha256(url.encode()).hexdigest()}"
