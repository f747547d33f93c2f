"""What people asked not to have any more, written down in the transaction that makes it so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from orchestrator.stores.instants import instant, micros
from orchestrator.stores.postgres import writing
from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.base import PostgresBase
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.protocol import Right

_CHOSEN: Final = """
INSERT INTO rights (at, kind, shard, customer, external_id, topic, channel)
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, j.kind, j.shard, j.id, c.external_id, j.topic,
    j.channel
FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY
    AS j (shard, id, kind, topic, channel, n)
JOIN customers AS c ON c.shard = j.shard AND c.id = j.id ORDER BY j.n
"""
SINCE: Final = """
SELECT id, at, kind, external_id, topic, channel, address, cause FROM rights WHERE id > %s AND at >= %s
ORDER BY id LIMIT %s
"""
_TAKEN_BACK: Final = "DELETE FROM suppressions WHERE channel = %s AND address = %s AND cause = %s"

Chosen = tuple[int, int, str, str, str]
"""(shard, id) of a customer, kind, topic, channel."""


def write(c: Connection, rows: Sequence[Chosen]) -> None:
    """Choices that closed something, or opened it again."""
    if rows:
        shards, ids, kinds, topics, channels = zip(*rows, strict=True)
        c.execute(_CHOSEN, (ints(shards), ints(ids), texts(kinds), texts(topics), texts(channels)))


class PostgresRights(PostgresBase):
    """The part of the store that a restored backup is brought up to date from."""

    def rights(self, since: datetime | None, after: int, limit: int) -> Sequence[Right]:
        """Opt-outs, their ends, and suppressions."""
        with self.db.read() as c:
            found = c.execute(SINCE, (after, micros(since) if since is not None else 0, limit)).fetchall()
        open_ = self.db.sealer.unmark
        return [
            Right(id, instant(at), kind, who, topic, channel, None if address is None else open_(address), cause)
            for id, at, kind, who, topic, channel, address, cause in found
        ]

    def suppress(self, entries: Sequence[tuple[str, str, str]], now: datetime) -> None:
        """Put addresses on the suppression list."""
        at = micros(now)
        with self.db.write() as c:
            writing.suppress(c, sorted({(*entry, at) for entry in entries}))

    def unsuppress(self, entries: Sequence[tuple[str, str, str]]) -> None:
        """Take causes off the suppression list. No right is written: whoever goes back to a backup is careful."""
        with self.db.write() as c:
            for channel, address, cause in sorted(set(entries)):
                for mark in self.db.sealer.marks(address):
                    c.execute(_TAKEN_BACK, (channel, mark, cause))
