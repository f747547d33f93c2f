"""What comes in: each message id once, into the inboxes, committed before the caller is answered.

A batch takes one statement for each table that it touches, whatever its size. Several processes may bring the same id,
or a new customer, at once: the database's own keys decide, always in one order, so that nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple

from psycopg.errors import UniqueViolation

from orchestrator.core.customer import Customer
from orchestrator.core.inbox import Event
from orchestrator.core.time.zone_in_force import zone_in_force
from orchestrator.stores.arriving import Batch, GroupCommit, Prepared, prepared
from orchestrator.stores.erasures import buried
from orchestrator.stores.group_rows import FOR_UPDATE, take_groups
from orchestrator.stores.identity_rows import write_links
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.postgres import consents
from orchestrator.stores.postgres.arrays import ints, texts
from orchestrator.stores.postgres.base import run_on
from orchestrator.stores.postgres.copying import copy_rows
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.inbox import PARKED, named
from orchestrator.stores.postgres.loading import FORWARDED
from orchestrator.stores.postgres.saving import EVENTS, SEQS_A_TURN, columns
from orchestrator.stores.postgres.turns import PostgresTurns
from orchestrator.stores.protocol import Arrival, Ingested, StoreBusy
from orchestrator.stores.protocol_identity import Link
from orchestrator.stores.records import state_of
from orchestrator.stores.sealed_rows import INBOX, event_properties
from orchestrator.stores.sealing import PLAIN
from orchestrator.stores.shards import shard_of

SEE: Final = """
INSERT INTO seen (message_id, received_at, content)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS j (message_id, received_at, content)
ON CONFLICT (message_id) DO UPDATE SET received_at = excluded.received_at, content = excluded.content
WHERE excluded.received_at - seen.received_at > %s
RETURNING message_id
"""
"""The ids that are new, or so old that they count as new. Who brings one that another is just bringing waits for it."""
SEEN: Final = """
SELECT s.message_id, s.content FROM unnest(%s::text[]) AS j (message_id) JOIN seen AS s ON s.message_id = j.message_id
"""
LATELY: Final = "SELECT message_id FROM seen WHERE message_id = ANY(%s::text[]) AND received_at >= %s"
KNOWN: Final = """
SELECT c.external_id, c.shard, c.id, (c.parked IS NOT NULL)::int
FROM unnest(%s::text[]) AS j (external_id) JOIN customers AS c ON c.external_id = j.external_id
"""
NUMBERS: Final = "SELECT nextval('customer_ids') FROM generate_series(1, %s)"
CREATE: Final = """
INSERT INTO customers (shard, id, external_id, created_at, known_from, zone, state)
SELECT j.shard, j.id, j.external_id, j.at, j.at, %s, %s
FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::bigint[]) AS j (shard, id, external_id, at)
ON CONFLICT (external_id) DO NOTHING
RETURNING shard, id, external_id
"""
_PUT: Final = "inbox (shard, customer, external_id, received_at, parked, body)"
STANDING: Final = """
SELECT DISTINCT j.name, j.at, j.id
FROM unnest(%s::text[], %s::bigint[], %s::text[]) AS j (name, at, id)
JOIN events AS e ON e.shard = %s AND e.customer = %s AND e.name = j.name AND e.at = j.at AND e.id = j.id
"""
HOLD: Final = """
SELECT c.shard, c.id FROM unnest(%s::int[], %s::bigint[]) AS j (shard, id)
JOIN customers AS c ON c.shard = j.shard AND c.id = j.id ORDER BY c.shard, c.id FOR KEY SHARE OF c
"""
_MICROSECOND: Final = timedelta(microseconds=1)


class _Place(NamedTuple):
    """A known customer."""

    shard: int
    id: int
    parked: int
    external: str | None = None
    """Its own id, where it was named by another one."""


class PostgresIngest(PostgresTurns):
    """The part of the store that everything comes in by."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._together = GroupCommit(self._take)

    def ingest(
        self, arrivals: Sequence[Arrival], links: Sequence[Link] = (), anonymous: Collection[str] = ()
    ) -> Ingested:
        """Put arrivals into the inbox; committed when it returns. Raises StoreBusy: then nothing of them was kept, or
        the answer was lost, and they may be brought again by the same ids.

        Never part of a turn, which may be undone; inside `one_transaction` it is part of that.
        """
        batch = Batch([prepared(arrival) for arrival in arrivals], links, anonymous)
        if not batch.arrivals and not links:
            return Ingested()
        if self.db.writing:
            [done] = self._take([batch])
            return done
        return self._together.bring(batch)

    def _take(self, batches: Sequence[Batch]) -> list[Ingested]:
        """Write batches in their order, in one transaction; each message id once."""
        with self.db.write(apart=True) as c:
            fresh, before = self._see(c, batches)
            accepted: list[Prepared] = []
            answers: list[tuple[int, Ingested]] = []
            for batch in batches:
                count, conflicts = len(accepted), []
                for arrival in batch.arrivals:
                    if arrival.message_id is None or fresh.get(arrival.message_id) is arrival:
                        accepted.append(arrival)
                    elif before[arrival.message_id] != arrival.content:
                        conflicts.append(arrival.message_id)
                count = len(accepted) - count
                answers.append((count, Ingested(count, len(batch.arrivals) - count, tuple(conflicts))))
            places = self._places(c, accepted, {id for batch in batches for id in batch.anonymous})
            if any(arrival.opted_out or arrival.grouped is not None for arrival in accepted):
                self._hold_still(c, accepted, places)
            for batch in batches:
                if batch.links:
                    write_links(run_on(c), self.db.sealer, batch.links)
            dropped = [arrival.customer not in places for arrival in accepted]
            if any(dropped):
                accepted = [arrival for arrival in accepted if arrival.customer in places]
            if any(arrival.grouped is not None for arrival in accepted):
                accepted = take_groups(run_on(c), self.db.sealer, accepted, places, FOR_UPDATE)
            seal = self.db.sealer.seal
            rows = [
                (p.shard, p.id, p.external or a.customer, a.at, p.parked, seal(f"{INBOX}:{p.id}", a.body))
                for a in accepted
                for p in [places[a.customer]]
            ]
            copy_rows(c, _PUT, rows)
            self._opt_out(c, accepted, places)
        lost, shards, told = iter(dropped), iter([row[0] for row in rows]), []
        for count, answer in answers:
            gone = sum(islice(lost, count))
            kept = frozenset(islice(shards, count - gone))
            told.append(answer._replace(accepted=count - gone, dropped=gone, shards=kept))
        return told

    def _see(self, c: Connection, batches: Sequence[Batch]) -> tuple[dict[str, Prepared], dict[str, int]]:
        """The first arrival of every new message id, and the content that all known ones had when they came."""
        first: dict[str, Prepared] = {}
        for batch in batches:
            for arrival in batch.arrivals:
                if arrival.message_id is not None:
                    first.setdefault(arrival.message_id, arrival)
        if not first:
            return {}, {}
        ids = sorted(first)
        values = texts(ids), ints(first[id].at for id in ids), ints(first[id].content for id in ids)
        window = self.index.project.settings.dedupe // _MICROSECOND
        new = {id for (id,) in c.execute(SEE, (*values, window))}
        before = {id: first[id].content for id in new}
        if len(new) < len(ids):
            before.update(c.execute(SEEN, (texts([id for id in ids if id not in new]),)).fetchall())
        return {id: first[id] for id in new}, before

    def _places(
        self, c: Connection, arrivals: Sequence[Prepared], anonymous: Collection[str] = ()
    ) -> dict[str, _Place]:
        """Where the customers are; those who are not known yet are created, from their first arrival on. Those who were
        erased are nowhere."""
        first_at: dict[str, int] = {}
        for arrival in arrivals:
            first_at.setdefault(arrival.customer, arrival.at)
        places = self._known(c, list(first_at))
        if len(places) < len(first_at):
            others = [customer for customer in first_at if customer not in places]
            places.update((row[0], _Place(*row[1:])) for row in named(c, others))
        new = sorted(customer for customer in first_at if customer not in places)
        if new:
            window = self.index.project.settings.dedupe // _MICROSECOND
            if gone := buried(run_on(c), self.salt, [(customer, first_at[customer]) for customer in new], window):
                new = [customer for customer in new if customer not in gone]
        if new:
            self._create(c, new, first_at, anonymous)
            places.update(self._known(c, new))
        parked = [place for place in places.values() if place.parked]
        if parked:  # those who are being resumed at this moment are parked no more
            still = set(c.execute(PARKED, (ints(p.shard for p in parked), ints(p.id for p in parked))).fetchall())
            places.update({
                customer: place._replace(parked=0)
                for customer, place in places.items()
                if place.parked and place[:2] not in still
            })  # fmt: skip
        return places

    def _hold_still(self, c: Connection, arrivals: Sequence[Prepared], places: dict[str, _Place]) -> None:
        """Whoever opts out is not merged until this is committed; who was merged since somebody looked is found where
        the rows went. Other arrivals are forwarded by a turn, but an opt-out binds at once."""
        outs = {
            places[a.customer][:2]: a.customer
            for a in arrivals
            if (a.opted_out or a.grouped is not None) and a.customer in places
        }
        keys = sorted(outs)
        there = set(c.execute(HOLD, (ints(key[0] for key in keys), ints(key[1] for key in keys))).fetchall())
        moved = [key for key in keys if key not in there]
        if moved:
            found = {row[0]: row for row in c.execute(FORWARDED, (ints(key[1] for key in moved),)).fetchall()}
            for id, place in places.items():
                if place[:2] in moved and place.id in found:
                    _, shard, customer, parked, external = found[place.id]
                    places[id] = _Place(shard, customer, parked, external)

    def _known(self, c: Connection, customers: Sequence[str]) -> dict[str, _Place]:
        if not customers:
            return {}
        found = c.execute(KNOWN, (texts(customers),))
        return {external: _Place(shard, id, parked) for external, shard, id, parked in found}

    def _create(self, c: Connection, new: Sequence[str], first_at: dict[str, int], anonymous: Collection[str]) -> None:
        """Create customers, as far as nobody else does at the same time."""
        ids = [id for (id,) in c.execute(NUMBERS, (len(new),))]
        zone = zone_in_force(None, None, None, None, self.index.project.timezone).zone.key
        nobody = Customer("", instant(0))  # whose state says nothing of who it is, nor since when
        state = state_of(nobody, PLAIN, frozenset())
        rows = [(shard_of(id), id, external, first_at[external]) for id, external in zip(ids, new, strict=True)]
        made = c.execute(CREATE, (zone, state, *columns(rows, (ints, ints, texts, ints)))).fetchall()
        names = [
            ("anonymous" if external in anonymous else "external", external, shard, id) for shard, id, external in made
        ]
        try:
            copy_rows(c, "identifiers (kind, value, shard, customer)", names)
        except UniqueViolation as error:
            raise StoreBusy("a new id became somebody's identifier at this moment; it is tried again") from error

    def _opt_out(self, c: Connection, arrivals: Iterable[Prepared], places: dict[str, _Place]) -> None:
        """Opt-outs stand with this transaction, before any turn."""
        outs: dict[tuple[int, int], dict[tuple[str, str], tuple[str, int | None]]] = {}
        for arrival in arrivals:
            if arrival.opted_out:
                place = places[arrival.customer]
                chosen = outs.setdefault((place.shard, place.id), {})
                chosen.update(dict.fromkeys(arrival.opted_out, ("out", arrival.at)))
        if outs:
            consents.opt_out(c, outs)

    def known_ids(self, ids: Collection[str], now: datetime) -> frozenset[str]:
        """Ids that came lately."""
        if not ids:
            return frozenset()
        since = micros(now - self.index.project.settings.dedupe)
        with self.db.read() as c:
            return frozenset(id for (id,) in c.execute(LATELY, (texts(list(ids)), since)).fetchall())

    def keep_ids(self, ids: Collection[str], now: datetime) -> None:
        """Know ids that went to nobody."""
        if not ids:
            return
        rows = sorted(set(ids))
        values = texts(rows), ints([micros(now)] * len(rows)), ints([0] * len(rows))
        with self.db.write(apart=True) as c:
            c.execute(SEE, (*values, self.index.project.settings.dedupe // _MICROSECOND))

    def lay_history(self, customer: str, events: Iterable[Event]) -> None:
        """Join events to the past. An id that stands there already, at the same instant, is not joined again, so that
        an import may be repeated."""
        rows = [(event.name, micros(event.at), event.id, event.properties) for event in events]
        if not rows:
            return
        with self.db.write(apart=True) as c:
            place = self._places(c, [Prepared(customer, rows[0][1], "", None, 0, ())]).get(customer)
            if place is None:
                return
            shard, id, *_ = place
            named = [row[:3] for row in rows if row[2]]
            known: set[tuple[Any, ...]] = set()
            if named:
                known.update(c.execute(STANDING, (*columns(named, (texts, ints, texts)), shard, id)).fetchall())
            base = self._count_ordinal(c) * SEQS_A_TURN
            self._note_past(c, shard, id, rows)
            fresh = []
            for n, (name, at, event_id, properties) in enumerate(rows):
                if event_id and (name, at, event_id) in known:
                    continue
                known.add((name, at, event_id))
                text = event_properties(self.db.sealer, id, properties, self.index.project.personal)
                fresh.append((shard, id, name, at, base + n, event_id, text))
            copy_rows(c, EVENTS, fresh)
