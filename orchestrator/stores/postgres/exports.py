"""Imports of many customers at once, exports by pages, and followers of the journal, on PostgreSQL.

Transactions are committed in another order than they begin, so that a follower reads by the number of the transaction
that wrote a line (`tx`), and only below the oldest one that is under way: nothing can come there any more. A position
is [tx, shard, customer, at, seq, n]; lines of transaction 0 stood there before lines knew their transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from orchestrator.core.customer import Customer
from orchestrator.core.inbox import Event
from orchestrator.core.state import dumps, loads
from orchestrator.errors import UsageError
from orchestrator.stores.arriving import Prepared, joined
from orchestrator.stores.erasures import Run
from orchestrator.stores.export_rows import LINE_COLUMNS, LINE_TABLES, export_page, line_id, line_in
from orchestrator.stores.feed_rows import FeedRows
from orchestrator.stores.instants import micros
from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.base import run_on
from orchestrator.stores.postgres.copying import copy_rows
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.inbox import named
from orchestrator.stores.postgres.ingest import PostgresIngest
from orchestrator.stores.postgres.saving import EVENTS, SEQS_A_TURN, columns
from orchestrator.stores.protocol_exports import ExportKind, ExportPage, FeedLine, FeedPage
from orchestrator.stores.records import customer_of
from orchestrator.stores.sealed_rows import event_properties

KNOWN: Final = """
SELECT c.external_id FROM unnest(%s::text[]) AS j (id) JOIN customers AS c ON c.external_id = j.id
"""
PROFILES: Final = """
SELECT c.external_id, c.created_at, c.state, k.state
FROM unnest(%s::text[]) AS j (id) JOIN customers AS c ON c.external_id = j.id
LEFT JOIN consents AS k ON k.shard = c.shard AND k.customer = c.id
"""
STANDING: Final = """
SELECT DISTINCT j.shard, j.customer, j.name, j.at, j.id
FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::bigint[], %s::text[]) AS j (shard, customer, name, at, id)
JOIN events AS e ON e.shard = j.shard AND e.customer = j.customer AND e.name = j.name AND e.at = j.at AND e.id = j.id
"""
HORIZON: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
OLD_LINES: Final = f"""
SELECT {LINE_COLUMNS}, t.tx FROM {LINE_TABLES}
WHERE t.tx + 0 = 0 AND (t.shard, t.customer, t.at, t.seq, t.n) > (%s, %s, %s, %s, %s)
ORDER BY t.shard, t.customer, t.at, t.seq, t.n LIMIT %s
"""
ANY_OLD: Final = "SELECT EXISTS (SELECT 1 FROM transitions WHERE tx = 0)"
LINES: Final = f"""
SELECT {LINE_COLUMNS}, t.tx FROM {LINE_TABLES}
WHERE t.tx >= %s AND t.tx < %s AND (t.tx, t.shard, t.customer, t.at, t.seq, t.n) > (%s, %s, %s, %s, %s, %s)
ORDER BY t.tx, t.shard, t.customer, t.at, t.seq, t.n LIMIT %s
"""
WINDOW: Final = 4
"""Transactions whose lines are looked at together; more where they wrote nothing."""
BEFORE: Final = (-1, -1, 0, 0, 0)


class PostgresExports(FeedRows, PostgresIngest):
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
            found = {id for (id,) in c.execute(KNOWN, (texts(list(ids)),)).fetchall()}
            others = [id for id in ids if id not in found]
            return frozenset(found | {row[0] for row in named(c, others)} if others else found)

    def profiles_of(self, ids: Collection[str]) -> Mapping[str, Customer]:
        """With their consents."""
        with self.db.read() as c:
            found = c.execute(PROFILES, (texts(list(ids)),)).fetchall()
            known = {row[0]: customer_of(self.db.sealer, *row) for row in found}
            called = {row[0]: row[4] for row in named(c, [id for id in ids if id not in known])}
            found = c.execute(PROFILES, (texts([*called.values()]),)).fetchall() if called else []
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
        with self.db.write(apart=True) as c:
            places = self._places(c, first)
            base = self._count_ordinal(c) * SEQS_A_TURN
            rows: dict[tuple[Any, ...], tuple[Any, ...]] = {}
            whose: dict[tuple[Any, ...], tuple[str, Event]] | None = {} if self.index.gathered else None
            for customer, events in pasts.items():
                place = places.get(customer)
                if place is None:
                    continue
                for n, event in enumerate(events, base):
                    at = micros(event.at)
                    key = (place.shard, place.id, event.name, at, event.id or n)
                    if key not in rows:
                        if whose is not None:
                            whose[key] = customer, event
                        text = event_properties(self.db.sealer, place.id, event.properties, private)
                        rows[key] = (place.shard, place.id, event.name, at, n, event.id, text)
            named = [key for key in rows if type(key[4]) is str]
            if named:
                asked = columns(named, (ints, ints, texts, ints, texts))
                for key in c.execute(STANDING, asked).fetchall():
                    rows.pop(key, None)
            copy_rows(c, EVENTS, list(rows.values()))
            return {} if whose is None else joined([of for key, of in whose.items() if key in rows])

    def export_page(self, kind: ExportKind, after: str, limit: int) -> ExportPage:
        """By the last commit."""
        with self._look() as run:
            return export_page(run, self.db.sealer, kind, after, limit)

    def journal_after(self, position: str, limit: int) -> FeedPage:
        """By transaction, in windows that grow where nothing was written. Raises UsageError where the database is not
        the one that the position is of: a copy that was restored into another server counts transactions anew."""
        with self.db.read() as c:
            tx, *key = loads(position) if position else (0, *BEFORE)
            found: list[tuple[Any, ...]] = []
            if tx == 0:
                found = self._old(c, key, limit)
                if len(found) < limit:
                    tx, key = 1, list(BEFORE)
            horizon = _horizon(c)
            if tx > horizon:
                raise UsageError(
                    "this database counts fewer transactions than its follower has seen: it was restored into another "
                    "server; begin anew with another name",
                    "feed_ahead",
                )
            width = WINDOW
            while tx and len(found) < limit and tx < horizon:
                end, room = min(horizon, tx + width), limit - len(found)
                page = c.execute(LINES, (tx, end, tx, *key, room)).fetchall()
                found += page
                if len(page) == room:
                    break
                tx, key = end, list(BEFORE)
                width = WINDOW if page else width * 4
            upto = [found[-1][-1], *found[-1][:5]] if len(found) >= limit else [tx, *key]
        lines = [FeedLine(line_id(row), line_in(self.db.sealer, row[:-1])) for row in found]
        return FeedPage(lines, dumps(upto))

    def _old(self, c: Connection, key: Sequence[int], limit: int) -> list[tuple[Any, ...]]:
        [any_old] = c.execute(ANY_OLD).fetchone() or (False,)
        return c.execute(OLD_LINES, (*key, limit)).fetchall() if any_old else []

    def journal_end(self) -> str:
        """The oldest transaction that is under way."""
        with self.db.read() as c:
            return dumps([_horizon(c), *BEFORE])


def _horizon(c: Connection) -> int:
    found = c.execute(HORIZON).fetchone()
    assert found is not None
    return int(found[0])
