"""Segments by their members, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import psycopg

from orchestrator.core.index import Index
from orchestrator.core.view import Pools, View
from orchestrator.stores.postgres import timers
from orchestrator.stores.postgres.asked_messages import load_messages
from orchestrator.stores.postgres.base import PostgresBase, run_on
from orchestrator.stores.postgres.choosing import Chosen
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.loading import EACH, keys_of, load_before, load_customers, suppressions_of
from orchestrator.stores.postgres.members import put_members
from orchestrator.stores.segment_rows import Key, Row, SegmentRows
from orchestrator.stores.segment_sql.dialects import POSTGRES

_NAMED: Final = f"SELECT t.external_id, t.shard, t.id {EACH} JOIN customers AS t ON t.shard = j.shard AND t.id = j.id"
_ZONES: Final = """
WITH RECURSIVE found AS (
    (SELECT zone FROM customers ORDER BY zone LIMIT 1)
    UNION ALL SELECT (SELECT c.zone FROM customers AS c WHERE c.zone > f.zone ORDER BY c.zone LIMIT 1)
    FROM found AS f WHERE f.zone IS NOT NULL)
SELECT zone FROM found WHERE zone IS NOT NULL
"""
"""From one to the next by the index: a plain DISTINCT reads a row for every customer."""


class PostgresSegments(SegmentRows, PostgresBase):
    """See SegmentStore."""

    _WHO = """
    SELECT c.id, c.external_id, c.state, d.at FROM customers AS c
    LEFT JOIN due AS d ON d.shard = c.shard AND d.customer = c.id WHERE c.shard = ? ORDER BY c.id
    """
    _ZONES = _ZONES
    _PENDING_DEPLOYS = """
    SELECT EXISTS (SELECT 1 FROM fanout AS f WHERE f.done = 0 AND f.name LIKE ?
                   AND EXISTS (SELECT 1 FROM fanout_shards AS s WHERE s.fanout = f.id))
    """
    _dialect = POSTGRES
    _run = staticmethod(run_on)

    def _ask(self, c: Connection, sql: str) -> list[tuple[Any, ...]]:
        return c.execute(sql.encode(), prepare=False).fetchall()

    def _cannot_ask(self, error: Exception) -> bool:
        return isinstance(error, psycopg.Error) and (error.sqlstate or "")[:2] in ("22", "54")

    def _put_members(self, c: Connection, rows: Sequence[Row]) -> None:
        put_members(c, rows)

    def _hold_shards(self, c: Connection, shards: range) -> None:
        timers.lock_shards(c, shards)

    @contextmanager
    def _view(self, keys: Sequence[Key], index: Index, now: datetime) -> Iterator[tuple[View, Mapping[str, Key]]]:
        with self.db.read() as c:
            rows = c.execute(_NAMED, keys_of([Chosen("", *key) for key in keys])).fetchall()
            chosen = [Chosen(*row) for row in rows]
            view = View(0, self.salt, index, self._versions, [], pools=Pools())
            if chosen:
                before = load_before(c)
                view.suppressions = suppressions_of(self.db, not before.any_suppressions, self.salt, view)
                view.customers, _, _ = load_customers(c, self.db, chosen, before)
                load_messages(c, chosen, view.customers, index, now)
            yield view, {place.external_id: (place.shard, place.id) for place in chosen}
