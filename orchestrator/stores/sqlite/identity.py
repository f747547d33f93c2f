"""Identifiers, links and merges on SQLite. One writer at a time: no turn and no claim is under way meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from orchestrator.core.customer import Customer
from orchestrator.core.linking import Cause
from orchestrator.stores import identity_rows, merge_rows, unmerge_rows
from orchestrator.stores.erasures import Key
from orchestrator.stores.identity_rows import Person
from orchestrator.stores.merge_rows import Done, Rules
from orchestrator.stores.protocol_identity import Identifier, Joined, Link, Merge
from orchestrator.stores.sqlite.base import run_on
from orchestrator.stores.sqlite.ingest import SqliteIngest
from orchestrator.stores.sqlite.pools import release_code
from orchestrator.stores.sqlite.rights import NOW
from orchestrator.stores.sqlite.settlements import Leased

_DUE: Final = "UPDATE customers SET next_due_at = ? WHERE shard = ? AND id = ?"
_RIGHT: Final = f"""
INSERT INTO rights (at, kind, shard, customer, external_id, topic, channel)
SELECT {NOW}, ?, shard, id, external_id, ?, ? FROM customers WHERE shard = ? AND id = ?
"""


class SqliteIdentity(SqliteIngest):
    """The part of the store that knows who is who."""

    _leases: dict[str, Leased]

    def merge(self, source: str, into: str, now: datetime, actor: str, cause: Cause = "operator") -> Joined:
        """Make one customer part of another."""

        def act(c: sqlite3.Connection) -> Done:
            run = run_on(c)
            one, other = identity_rows.find(run, source), identity_rows.find(run, into)
            if one is None or other is None:
                return Done(Joined("unknown", source=source if one is None else into))
            return self._join(c, "external", source, one, other, now, actor, cause)

        return self._acted(act)

    def settle_link(self, link: Link, now: datetime) -> Joined:
        """Act on a link."""

        def act(c: sqlite3.Connection) -> Done:
            run = run_on(c)
            if not identity_rows.take_link(run, link):
                return Done(Joined("nothing"))
            customer = identity_rows.find(run, link.customer)
            if customer is None:
                return Done(Joined("unknown", source=link.customer))
            owner = identity_rows.owner_of(run, self.db.sealer, link.kind, link.value)
            return self._join(c, link.kind, link.value, owner, customer, now, "engine", link.kind)

        return self._acted(act)

    def unmerge(self, source: str, now: datetime, actor: str) -> Joined:
        """Undo a merge."""

        def act(c: sqlite3.Connection) -> Done:
            run = run_on(c)
            found = unmerge_rows.merge_to_undo(run, source)
            if found is None:
                return Done(Joined("unknown", source=source))
            place = Person(source, self._place_of(found.source))
            return unmerge_rows.unmerge_rows(run, self._rules(c), place, found, now)

        return self._acted(act)

    def _acted(self, act: Callable[[sqlite3.Connection], Done]) -> Joined:
        with self.db.write() as c:
            done = act(c)
            for coupon in done.released:
                release_code(c, coupon)
            self._neighbours.forget()
            if done.joined.outcome == "merged":
                self._leases.clear()  # they tell where messages stood
        if self._drained is not None:
            self._drained += done.lines
        return done.joined

    def _join(
        self,
        c: sqlite3.Connection,
        kind: str,
        value: str,
        owner: Person | None,
        customer: Person,
        now: datetime,
        actor: str,
        cause: Cause,
    ) -> Done:
        return merge_rows.join_rows(run_on(c), self._rules(c), kind, value, owner, customer, now, actor, cause)

    def _rules(self, c: sqlite3.Connection) -> Rules:
        def write_due(key: Key, at: int | None) -> None:
            c.execute(_DUE, (at, *key))

        def write_rights(key: Key, told: Sequence[tuple[str, tuple[str, str]]]) -> None:
            c.executemany(_RIGHT, [(kind, *place, *key) for kind, place in told])

        project = self.index.project
        return Rules(
            self.db.sealer, project, self._versions, self.salt, lambda: self._count_ordinal(c), write_due, write_rights
        )

    @staticmethod
    def _place_of(id: int) -> Key:
        from orchestrator.stores.shards import shard_of

        return shard_of(id), id

    def links(self, limit: int) -> Sequence[Link]:
        """Links that wait."""
        with self.db.read() as c:
            return identity_rows.waiting_links(run_on(c), self.db.sealer, limit)

    def unlinked(self, links: Sequence[Link]) -> Sequence[Link]:
        """Those that say something new."""
        if not links:
            return []
        with self.db.read() as c:
            return identity_rows.unlinked(run_on(c), self.db.sealer, links)

    def resolve(self, id: str) -> str | None:
        """The customer whom an id means."""
        with self.db.read() as c:
            found = identity_rows.find(run_on(c), id)
        return None if found is None else found.id

    def identifiers(self, customer: str) -> Sequence[Identifier]:
        """All identifiers of a customer."""
        with self.db.read() as c:
            found = identity_rows.find(run_on(c), customer)
            return [] if found is None else identity_rows.identifiers_of(run_on(c), self.db.sealer, found.key)

    def everybody(self, after: str, limit: int) -> Sequence[Customer]:
        """Customers in the order of their ids."""
        with self.db.read() as c:
            return identity_rows.profiles(run_on(c), self.db.sealer, after, limit)

    def merges(self, customer: str) -> Sequence[Merge]:
        """Who became part of a customer."""
        with self.db.read() as c:
            found = identity_rows.find(run_on(c), customer)
            return [] if found is None else identity_rows.merges_of(run_on(c), found.key)
