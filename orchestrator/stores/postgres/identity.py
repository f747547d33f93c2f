"""Identifiers, links and merges on PostgreSQL.

Who merges two customers holds both their shards (the lower first, as everybody does), so that no turn is under way for
either; then the source's rows of the queue, both customers, and the rows of their choices, in the order in which claims
and opt-outs take them. A claim that is under way is waited for. What an ingest put for the source meanwhile, which
holds no shard, is found by its forwarding row: see orchestrator.stores.postgres.loading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from orchestrator.core.customer import Customer
from orchestrator.core.linking import Cause
from orchestrator.stores import identity_rows, merge_rows, unmerge_rows
from orchestrator.stores.erasures import Key
from orchestrator.stores.identity_rows import Person
from orchestrator.stores.merge_rows import Done, Rules, SomebodysNow
from orchestrator.stores.postgres import rights, timers
from orchestrator.stores.postgres.arrays import ints
from orchestrator.stores.postgres.base import run_on
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.ingest import PostgresIngest
from orchestrator.stores.postgres.pools import release_codes
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.protocol_identity import Identifier, Joined, Link, Merge
from orchestrator.stores.shards import shard_of

_QUEUED: Final = "SELECT 1 FROM outbox WHERE shard = %s AND customer = %s ORDER BY seq FOR UPDATE"
_THEM: Final = """
SELECT 1 FROM unnest(%s::int[], %s::bigint[]) AS j (shard, id) JOIN customers AS c ON c.shard = j.shard AND c.id = j.id
ORDER BY c.shard, c.id FOR UPDATE OF c
"""
_CHOICES: Final = """
SELECT 1 FROM unnest(%s::int[], %s::bigint[]) AS j (shard, id)
JOIN consents AS k ON k.shard = j.shard AND k.customer = j.id
ORDER BY k.shard, k.customer FOR UPDATE OF k
"""
_STAYS: Final = "SELECT 1 FROM customers WHERE shard = %s AND id = %s FOR KEY SHARE"
_DUE: Final = """
INSERT INTO due (shard, customer, at) VALUES (%s, %s, %s) ON CONFLICT (shard, customer) DO UPDATE SET at = excluded.at
"""
_NOT_DUE: Final = "DELETE FROM due WHERE shard = %s AND customer = %s"
_TRIES: Final = 20
"""Those who are to be merged may be merged with others while their shards are waited for."""


class PostgresIdentity(PostgresIngest):
    """The part of the store that knows who is who."""

    def merge(self, source: str, into: str, now: datetime, actor: str, cause: Cause = "operator") -> Joined:
        """Make one customer part of another."""

        def ask(c: Connection) -> tuple[Person | None, Person | None]:
            run = run_on(c)
            return identity_rows.find(run, source), identity_rows.find(run, into)

        def act(c: Connection, one: Person | None, other: Person | None) -> Done:
            if one is None or other is None:
                return Done(Joined("unknown", source=source if one is None else into))
            return self._join(c, "external", source, one, other, now, actor, cause)

        return self._acted(ask, act)

    def settle_link(self, link: Link, now: datetime) -> Joined:
        """Act on a link."""
        quick = self._added(link, now)
        if quick is not None:
            return quick

        def ask(c: Connection) -> tuple[Person | None, Person | None]:
            run = run_on(c)
            owner = identity_rows.owner_of(run, self.db.sealer, link.kind, link.value)
            return owner, identity_rows.find(run, link.customer)

        def act(c: Connection, owner: Person | None, customer: Person | None) -> Done:
            if not identity_rows.take_link(run_on(c), link):
                return Done(Joined("nothing"))
            if customer is None:
                return Done(Joined("unknown", source=link.customer))
            return self._join(c, link.kind, link.value, owner, customer, now, "engine", link.kind)

        return self._acted(ask, act)

    def _added(self, link: Link, now: datetime) -> Joined | None:
        """Act on a link of an identifier that is nobody's yet, as most are: it excludes merges of the customer, and
        waits for no turn. None: it is somebody's, or nobody has the other id."""
        with suppress(SomebodysNow), self.db.write(apart=True) as c:
            run = run_on(c)
            if identity_rows.owner_of(run, self.db.sealer, link.kind, link.value) is not None:
                return None
            customer = identity_rows.find(run, link.customer)
            if customer is None or c.execute(_STAYS, customer.key).fetchone() is None:
                return None
            if not identity_rows.take_link(run, link):
                return Joined("nothing")
            return self._join(c, link.kind, link.value, None, customer, now, "engine", link.kind).joined
        return None

    def unmerge(self, source: str, now: datetime, actor: str) -> Joined:
        """Undo a merge."""

        def ask(c: Connection) -> tuple[Person | None, Person | None]:
            found = unmerge_rows.merge_to_undo(run_on(c), source)
            if found is None:
                return None, None
            return Person(source, (shard_of(found.source), found.source)), found.target

        def act(c: Connection, one: Person | None, target: Person | None) -> Done:
            found = unmerge_rows.merge_to_undo(run_on(c), source)
            if one is None or target is None or found is None:
                return Done(Joined("unknown", source=source))
            return unmerge_rows.unmerge_rows(run_on(c), self._rules(c), one, found, now)

        return self._acted(ask, act)

    def _acted(
        self,
        ask: Callable[[Connection], tuple[Person | None, Person | None]],
        act: Callable[[Connection, Person | None, Person | None], Done],
    ) -> Joined:
        """Act while nobody else changes the two whom `ask` finds."""
        acted: Done | None = None
        for _ in range(_TRIES):
            with suppress(SomebodysNow), self.db.write(apart=True) as c:
                two = ask(c)
                keys = [person.key for person in two if person is not None]
                shards = sorted({key[0] for key in keys})
                if shards:
                    timers.lock_shards(c, shards)
                if ask(c) != two:
                    continue
                if keys:
                    for key in sorted(keys):
                        c.execute(_QUEUED, key)
                    places = ints(key[0] for key in keys), ints(key[1] for key in keys)
                    c.execute(_THEM, places)
                    c.execute(_CHOICES, places)
                done = act(c, *two)
                if done.released:
                    release_codes(c, done.released)
                if shards:
                    timers.close_shards(c, shards)
                acted = done
            if acted is None:
                continue
            if self._drained is not None:
                self._drained += acted.lines
            return acted.joined
        raise StoreBusy("the two customers are being merged with others just now; it is tried again")

    def _join(
        self,
        c: Connection,
        kind: str,
        value: str,
        owner: Person | None,
        customer: Person,
        now: datetime,
        actor: str,
        cause: Cause,
    ) -> Done:
        return merge_rows.join_rows(run_on(c), self._rules(c), kind, value, owner, customer, now, actor, cause)

    def _rules(self, c: Connection) -> Rules:
        def write_due(key: Key, at: int | None) -> None:
            c.execute(_NOT_DUE, key) if at is None else c.execute(_DUE, (*key, at))

        def write_rights(key: Key, told: Sequence[tuple[str, tuple[str, str]]]) -> None:
            rights.write(c, [(*key, kind, *place) for kind, place in told])

        project = self.index.project
        return Rules(
            self.db.sealer, project, self._versions, self.salt, lambda: self._count_ordinal(c), write_due, write_rights
        )

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
