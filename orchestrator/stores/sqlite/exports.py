"""Imports of many customers at once, exports by pages, and followers of the journal, on SQLite.

Lines of the journal stand in the order in which they were committed: there is one writer, and a row's id is one more
than the highest. Where VACUUM numbered them anew, the line that a follower saw last is found by its key.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from orchestrator.core.customer import Customer
from orchestrator.core.inbox import Event
from orchestrator.core.state import dumps, loads
from orchestrator.stores.arriving import Prepared, joined
from orchestrator.stores.erasures import Run
from orchestrator.stores.export_rows import LINE_COLUMNS, LINE_TABLES, export_page, line_id, line_in
from orchestrator.stores.feed_rows import FeedRows
from orchestrator.stores.instants import micros
from orchestrator.stores.protocol_exports import ExportKind, ExportPage, FeedLine, FeedPage
from orchestrator.stores.records import customer_of
from orchestrator.stores.sealed_rows import event_properties
from orchestrator.stores.sqlite.base import run_on
from orchestrator.stores.sqlite.inbox import named
from orchestrator.stores.sqlite.ingest import SqliteIngest
from orchestrator.stores.sqlite.saving import EVENT, SEQS_A_TURN

_EACH: Final = "FROM json_each(?) AS j CROSS JOIN"
_KNOWN: Final = f"""
SELECT c.external_id {_EACH} customers AS c INDEXED BY ix_customers_external_id ON c.external_id = j.value
"""
_PROFILES: Final = f"""
SELECT c.external_id, c.created_at, c.state, k.state {_EACH} customers AS c ON c.external_id = j.value
LEFT JOIN consents AS k ON k.shard = c.shard AND k.customer = c.id
"""
_STANDING: Final = f"""
SELECT j.key {_EACH} events AS e
ON e.shard = j.value ->> 0 AND e.customer = j.value ->> 1 AND e.name = j.value ->> 2 AND e.at = j.value ->> 3
WHERE e.id = j.value ->> 4
"""
_ROW_OF: Final = "SELECT rowid FROM transitions WHERE shard = ? AND customer = ? AND at = ? AND seq = ? AND n = ?"
_LAST_ROW: Final = "SELECT coalesce(max(rowid), 0) FROM transitions"
_LINES: Final = f"SELECT {LINE_COLUMNS}, t.rowid FROM {LINE_TABLES} WHERE t.rowid > ? ORDER BY t.rowid LIMIT ?"
_END: Final = "SELECT shard, customer, at, seq, n, rowid FROM transitions ORDER BY rowid DESC LIMIT 1"


class SqliteExports(FeedRows, SqliteIngest):
    """The part of the store for tables that come and go."""

    @contextmanager
    def _look(self) -> Iterator[Run]:
        with self.db.read() as c:
            yield run_on(c)

    @contextmanager
    def _change(self) -> Iterator[Run]:
        with self.db.write() as c:
            yield run_on(c)

    def known_customers(self, ids: Collection[str]) -> frozenset[str]:
        """By the index alone; others by what else they are called."""
        with self.db.read() as c:
            found = {id for (id,) in c.execute(_KNOWN, (json.dumps(list(ids)),))}
            others = [id for id in ids if id not in found]
            return frozenset(found | {row[0] for row in named(c, others)} if others else found)

    def profiles_of(self, ids: Collection[str]) -> Mapping[str, Customer]:
        """With their consents."""
        with self.db.read() as c:
            found = c.execute(_PROFILES, (json.dumps(list(ids)),)).fetchall()
            known = {row[0]: customer_of(self.db.sealer, *row) for row in found}
            called = {row[0]: row[4] for row in named(c, [id for id in ids if id not in known])}
            found = c.execute(_PROFILES, (json.dumps([*called.values()]),)).fetchall() if called else []
        others = {row[0]: customer_of(self.db.sealer, *row) for row in found}
        return {**known, **{id: others[external] for id, external in called.items() if external in others}}

    def lay_histories(self, pasts: Mapping[str, Sequence[Event]]) -> Mapping[str, Sequence[Event]]:
        """A few statements for all of them. An id that stands there already, at the same instant, is not joined
        again."""
        first = [
            Prepared(customer, micros(events[0].at), "", None, 0, ()) for customer, events in pasts.items() if events
        ]
        if not first:
            return {}
        private = self.index.project.personal
        with self.db.write() as c:
            places = self._places(c, first)
            base = self._count_ordinal(c) * SEQS_A_TURN
            rows: dict[tuple[Any, ...], tuple[Any, ...]] = {}
            whose: dict[tuple[Any, ...], tuple[str, Event]] | None = {} if self.index.gathered else None
            for customer, events in pasts.items():
                place = places.get(customer)
                if place is None:
                    continue
                shard, id = place.shard, place.id
                for n, event in enumerate(events, base):
                    at = micros(event.at)
                    key = (shard, id, event.name, at, event.id or n)
                    if key not in rows:
                        if whose is not None:
                            whose[key] = customer, event
                        text = event_properties(self.db.sealer, id, event.properties, private)
                        rows[key] = (shard, id, event.name, at, n, event.id, text)
            asked = json.dumps([key if type(key[4]) is str else None for key in rows], ensure_ascii=False)
            standing = {place for (place,) in c.execute(_STANDING, (asked,))}
            fresh = rows.values()
            if standing:
                fresh = [row for place, row in enumerate(fresh) if place not in standing]  # type: ignore[assignment]
            c.executemany(EVENT, sorted(fresh))  # page by page: customers of a table are scattered over millions
            return {} if whose is None else joined([of for n, of in enumerate(whose.values()) if n not in standing])

    def export_page(self, kind: ExportKind, after: str, limit: int) -> ExportPage:
        """By the last commit."""
        with self._look() as run:
            return export_page(run, self.db.sealer, kind, after, limit)

    def journal_after(self, position: str, limit: int) -> FeedPage:
        """In the order of row ids."""
        with self.db.read() as c:
            found = c.execute(_LINES, (_row_after(c, position), limit)).fetchall()
        if not found:
            return FeedPage((), position)
        last = [*found[-1][:5], found[-1][-1]]
        lines = [FeedLine(line_id(row), line_in(self.db.sealer, row[:-1])) for row in found]
        return FeedPage(lines, dumps(last))

    def journal_end(self) -> str:
        """The highest row id."""
        with self.db.read() as c:
            found = c.execute(_END).fetchone()
        return "" if found is None else dumps(found)


def _row_after(c: sqlite3.Connection, position: str) -> int:
    if not position:
        return 0
    *key, rowid = loads(position)
    found = c.execute(_ROW_OF, key).fetchone()
    if found is not None:
        return int(found[0])
    [last] = c.execute(_LAST_ROW).fetchone()
    return int(rowid) if rowid <= last else 0  # all that was told is gone, and ids began anew
