"""Segments by their members, on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from orchestrator.core.index import Index
from orchestrator.core.view import Pools, View
from orchestrator.stores.segment_rows import JOINED, Key, Row, SegmentRows
from orchestrator.stores.segment_sql.dialects import SQLITE
from orchestrator.stores.sqlite.asked_messages import load_messages
from orchestrator.stores.sqlite.base import SqliteBase, run_on
from orchestrator.stores.sqlite.choosing import Chosen
from orchestrator.stores.sqlite.loading import load_customers, load_suppressions

_NAMED: Final = "SELECT external_id FROM customers WHERE shard = ? AND id = ?"


class SqliteSegments(SegmentRows, SqliteBase):
    """See SegmentStore."""

    _WHO = "SELECT id, external_id, state, next_due_at FROM customers WHERE shard = ? ORDER BY id"
    _ZONES = "SELECT DISTINCT zone FROM customers"
    _PENDING_DEPLOYS = "SELECT EXISTS (SELECT 1 FROM fanout WHERE done = 0 AND name LIKE ?)"
    _dialect = SQLITE
    _run = staticmethod(run_on)

    def _ask(self, c: sqlite3.Connection, sql: str) -> list[tuple[Any, ...]]:
        return c.execute(sql).fetchall()

    def _cannot_ask(self, error: Exception) -> bool:
        code = getattr(error, "sqlite_errorcode", None)
        return isinstance(error, sqlite3.Error) and code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG)

    def _put_members(self, c: sqlite3.Connection, rows: Sequence[Row]) -> None:
        c.executemany(JOINED, rows)

    def _hold_shards(self, c: sqlite3.Connection, shards: range) -> None:
        """There is one writer."""

    @contextmanager
    def _view(self, keys: Sequence[Key], index: Index, now: datetime) -> Iterator[tuple[View, Mapping[str, Key]]]:
        with self.db.read() as c:
            begun = not c.in_transaction
            if begun:
                c.execute("BEGIN")  # one snapshot: nobody is erased between two questions
            try:
                named = [(key, c.execute(_NAMED, key).fetchone()) for key in keys]
                chosen = [Chosen(row[0], *key) for key, row in named if row is not None]
                view = View(0, self.salt, index, self._versions, (), pools=Pools())
                if chosen:
                    view.suppressions = load_suppressions(c, self.db, self.salt, view)
                    view.customers, _ = load_customers(c, self.db, chosen)
                    load_messages(c, chosen, view.customers, index, now)
                yield view, {place.external_id: (place.shard, place.id) for place in chosen}
            finally:
                if begun:
                    c.execute("COMMIT")
