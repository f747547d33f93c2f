"""Catalogs as rows on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from orchestrator.core.catalog_changes import listens
from orchestrator.core.changes import Changes
from orchestrator.core.view import CatalogRows
from orchestrator.stores import catalog_links, catalog_rows, catalog_waves
from orchestrator.stores.catalog_cache import CatalogCache
from orchestrator.stores.erasures import Run
from orchestrator.stores.instants import instant
from orchestrator.stores.postgres.base import PostgresBase, run_on
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.inbox import put_items
from orchestrator.stores.protocol_catalogs import LINKED_EVERY, CatalogRow, Edit, Edited, Link

_LOCK = " FOR UPDATE SKIP LOCKED"
"""What another process tells just now is left to it."""


def many_on(c: Connection) -> catalog_rows.Many:
    """Statements for each of several rows on a connection."""

    def many(sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            with c.cursor() as cursor:  # in one conversation with the server
                cursor.executemany(sql.replace("?", "%s").encode(), rows)

    return many


class PostgresCatalogs(PostgresBase):
    """The part of the store that keeps catalogs as rows."""

    _cache: CatalogCache | None = None

    def catalog_version(self, catalog: str) -> int | None:
        """How often a catalog changed."""
        with self.db.read() as c:
            return catalog_rows.version_of(run_on(c), catalog)

    def catalog_row(self, catalog: str, key: str) -> CatalogRow | None:
        """A row."""
        with self.db.read() as c:
            return catalog_rows.row_of(run_on(c), catalog, key)

    def catalog_page(self, catalog: str, after: str, limit: int) -> Sequence[CatalogRow]:
        """Rows in the order of their keys."""
        with self.db.read() as c:
            return catalog_rows.page_of(run_on(c), catalog, after, limit)

    def change_catalog(self, catalog: str, edits: Sequence[Edit], now: datetime) -> Edited:
        """Change rows."""
        with self.db.write(apart=True) as c:
            return catalog_rows.change(run_on(c), many_on(c), catalog, edits, now, listens(self.index, catalog))

    def finish_catalog(self, catalog: str, version: int, now: datetime, limit: int) -> int:
        """Delete rows that a replacement left out."""
        with self.db.write(apart=True) as c:
            keys = catalog_rows.unseen(run_on(c), catalog, version, limit)
            if keys:
                gone = [Edit(key, None) for key in keys]
                catalog_rows.change(run_on(c), many_on(c), catalog, gone, now, listens(self.index, catalog))
            return len(keys)

    def spread_catalogs(self, now: datetime, budget: int) -> int:
        """One step of telling changes."""
        index = self.index
        with self.db.read() as c:
            filled = catalog_waves.is_filled(run_on(c), index.interests)
            due_at = catalog_waves.next_at(run_on(c))
        if filled and (due_at is None or due_at > now):
            return 0
        with self.db.write(apart=True) as c:
            run = run_on(c)
            done = 0 if filled else catalog_waves.fill(run, many_on(c), index.interests)
            if done:
                return done
            done = catalog_waves.hand_out(run, index, now, _LOCK)
            return done + catalog_waves.tell(run, lambda rows: put_items(c, rows), budget, _LOCK)

    def next_catalog_at(self) -> datetime | None:
        """When the next change is due to be told."""
        with self.db.read() as c:
            if not catalog_waves.is_filled(run_on(c), self.index.interests) or catalog_links.is_walking(run_on(c)):
                return instant(0)
            return catalog_waves.next_at(run_on(c))

    def link_catalogs(self, now: datetime, every: timedelta = LINKED_EVERY) -> int:
        """One step of working out links anew: a look, and what it found."""
        with self.db.read() as c:
            step = catalog_links.next_step(run_on(c), self.index, now, every)
        if step is None:
            return 0
        with self.db.write(apart=True) as c:
            return catalog_links.take_step(run_on(c), many_on(c), step, " FOR UPDATE")

    def catalog_links(self, catalog: str, kind: str, about: str) -> Sequence[Link]:
        """What goes with an item, or with all."""
        with self.db.read() as c:
            return catalog_links.links_of(run_on(c), catalog, kind, about)

    # --- what other parts of the store ask ---------------------------------------------------------------------------

    def _catalogs(self, c: Connection) -> Mapping[str, CatalogRows]:
        """The catalogs of one turn's view."""
        names = self.index.project.row_catalogs
        if not names:
            return {}
        if self._cache is None:
            self._cache = CatalogCache(self._reading)
        return self._cache.views(run_on(c), list(names))

    @contextmanager
    def _reading(self) -> Iterator[Run]:
        with self.db.read() as c:
            yield run_on(c)

    def _note_interests(self, c: Connection, changes: Changes, places: Mapping[str, Any]) -> None:
        """What the events of a turn tell of items."""
        interests = self.index.interests
        told = [
            (places[change.customer_id].shard, places[change.customer_id].id, event.name, event.at, event.properties)
            for change in changes.customers
            for event in change.events
            if event.name in interests
        ]
        if told:
            catalog_waves.note(many_on(c), interests, told)

    def _note_past(
        self, c: Connection, shard: int, id: int, rows: Sequence[tuple[str, int, str, Mapping[str, Any]]]
    ) -> None:
        """What events that join the past (name, instant in microseconds, id, properties) tell of items."""
        interests = self.index.interests if self._live is not None else {}
        told = [(shard, id, name, instant(at), values) for name, at, _, values in rows if name in interests]
        if told:
            catalog_waves.note(many_on(c), interests, told)
