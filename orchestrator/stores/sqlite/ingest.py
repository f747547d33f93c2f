"""Arrivals on SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

from orchestrator.core.customer import Customer
from orchestrator.core.inbox import Event
from orchestrator.core.time.zone_in_force import zone_in_force
from orchestrator.stores.arriving import Batch, GroupCommit, Prepared, prepared
from orchestrator.stores.erasures import buried
from orchestrator.stores.group_rows import take_groups
from orchestrator.stores.identity_rows import write_links
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.protocol import Arrival, Ingested
from orchestrator.stores.protocol_identity import Link
from orchestrator.stores.records import choices_of, choices_text, state_of
from orchestrator.stores.sealed_rows import INBOX, event_properties
from orchestrator.stores.sealing import PLAIN
from orchestrator.stores.shards import shard_of
from orchestrator.stores.sqlite import rights
from orchestrator.stores.sqlite.base import run_on
from orchestrator.stores.sqlite.inbox import named
from orchestrator.stores.sqlite.saving import EVENT, SEQS_A_TURN
from orchestrator.stores.sqlite.turns import SqliteTurns

_SEEN: Final = """
SELECT s.message_id, s.received_at, s.content FROM json_each(?) AS j CROSS JOIN seen AS s ON s.message_id = j.value
"""
_SEE: Final = """
INSERT INTO seen (message_id, received_at, content) VALUES (?, ?, ?)
ON CONFLICT (message_id) DO UPDATE SET received_at = excluded.received_at, content = excluded.content
"""
_KNOWN: Final = """
SELECT c.external_id, c.shard, c.id, 0, NULL
FROM json_each(?) AS j CROSS JOIN customers AS c INDEXED BY ix_customers_external_id ON c.external_id = j.value
"""
"""Answered by the index alone: the rows are wide, and whether one is parked is asked where anybody is."""
_ANY_PARKED: Final = "SELECT EXISTS (SELECT 1 FROM customers INDEXED BY ix_customers_parked WHERE parked IS NOT NULL)"
_KNOWN_AND_PARKED: Final = """
SELECT c.external_id, c.shard, c.id, c.parked IS NOT NULL, NULL
FROM json_each(?) AS j CROSS JOIN customers AS c ON c.external_id = j.value
"""
_CREATE: Final = """
INSERT INTO customers (shard, id, external_id, created_at, known_from, zone, state) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_IDENTIFY: Final = "INSERT INTO identifiers (kind, value, shard, customer) VALUES (?, ?, ?, ?)"
_LAST_ID: Final = "SELECT value FROM meta WHERE name = 'last_customer'"
_COUNT_IDS: Final = """
INSERT INTO meta (name, value) VALUES ('last_customer', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
_PUT: Final = """
INSERT INTO inbox (shard, customer, external_id, received_at, parked, body) VALUES (?, ?, ?, ?, ?, ?)
"""
_CONSENTS: Final = "SELECT state FROM consents WHERE shard = ? AND customer = ?"
_CHOOSE: Final = """
INSERT INTO consents (shard, customer, state) VALUES (?, ?, ?)
ON CONFLICT (shard, customer) DO UPDATE SET state = excluded.state
"""
_HAS_EVENT: Final = """
SELECT EXISTS (SELECT 1 FROM events WHERE shard = ? AND customer = ? AND name = ? AND at = ? AND id = ?)
"""
NOBODY: Final = frozenset[str]()
_MICROSECOND: Final = timedelta(microseconds=1)


class _Place(NamedTuple):
    """A known customer."""

    shard: int
    id: int
    parked: int
    external: str | None
    """Its own id, where it was named by another one."""


_place: Final[Callable[[tuple[Any, ...]], _Place]] = partial(tuple.__new__, _Place)


class SqliteIngest(SqliteTurns):
    """The part of the store that everything comes in by."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._group = GroupCommit(self._taken)

    def ingest(
        self, arrivals: Sequence[Arrival], links: Sequence[Link] = (), anonymous: Collection[str] = ()
    ) -> Ingested:
        """Put arrivals into the inbox; committed when it returns. Raises StoreBusy: then nothing of them was kept."""
        batch = Batch([prepared(arrival) for arrival in arrivals], links, anonymous)
        if not batch.arrivals and not links:
            return Ingested()
        if self.db.holding:  # a turn of this thread: nobody else's arrivals may depend on its end
            [done] = self._taken([batch])
            return done
        return self._group.bring(batch)

    def _taken(self, batches: Sequence[Batch]) -> list[Ingested]:
        with self.db.write() as c:
            return self._take(c, batches)

    def _take(self, c: sqlite3.Connection, batches: Sequence[Batch]) -> list[Ingested]:
        """Write batches in their order; each message id once."""
        everything = [arrival for batch in batches for arrival in batch.arrivals]
        window = self.index.project.settings.dedupe // _MICROSECOND
        seen = _seen(c, everything)
        fresh: dict[str, tuple[int, int]] = {}
        accepted: list[Prepared] = []
        taken: list[tuple[Sequence[Prepared], int, list[str]]] = []
        for batch in batches:
            count, conflicts = len(accepted), list[str]()
            for arrival in batch.arrivals:
                message_id = arrival.message_id
                if message_id is not None:
                    known = seen.get(message_id)
                    if known is not None and arrival.at - known[0] <= window:
                        if known[1] != arrival.content:
                            conflicts.append(message_id)
                        continue
                    seen[message_id] = fresh[message_id] = (arrival.at, arrival.content)
                accepted.append(arrival)
            mine = accepted[count:]
            taken.append((mine, len(batch.arrivals) - len(mine), conflicts))
        if fresh:
            c.executemany(_SEE, [(message_id, *known) for message_id, known in fresh.items()])
        anonymous = {id for batch in batches for id in batch.anonymous}
        places = self._places(c, accepted, anonymous)
        if not all(arrival.customer in places for arrival in accepted):
            accepted = [arrival for arrival in accepted if arrival.customer in places]
        if any(arrival.grouped is not None for arrival in accepted):
            accepted = take_groups(run_on(c), self.db.sealer, accepted, places)
        for batch in batches:
            if batch.links:
                write_links(run_on(c), self.db.sealer, batch.links)
        seal, seals = self.db.sealer.seal, self.db.sealer.seals
        c.executemany(
            _PUT,
            [
                (
                    p.shard, p.id, p.external or a.customer, a.at, p.parked,
                    seal(f"{INBOX}:{p.id}", a.body) if seals else a.body,
                )
                for a in accepted
                for p in [places[a.customer]]
            ],
        )  # fmt: skip
        self._opt_out(c, [arrival for arrival in accepted if arrival.opted_out], places)
        return [_answer(places, *each) for each in taken]

    def _places(
        self, c: sqlite3.Connection, arrivals: Sequence[Prepared], anonymous: Collection[str] = ()
    ) -> dict[str, _Place]:
        """Where the customers are; those who are not known yet are created, from their first arrival on. Those who were
        erased are nowhere."""
        first_at: dict[str, int] = {}
        for arrival in arrivals:
            first_at.setdefault(arrival.customer, arrival.at)
        [any_parked] = c.execute(_ANY_PARKED).fetchone()
        known = c.execute(_KNOWN_AND_PARKED if any_parked else _KNOWN, (json.dumps(list(first_at)),))
        places = {row[0]: _place(row[1:]) for row in known}
        if len(places) < len(first_at):
            for row in named(c, [id for id in first_at if id not in places]):
                places[row[0]] = _place(row[1:])
        new = [(customer, at) for customer, at in first_at.items() if customer not in places]
        if new:
            window = self.index.project.settings.dedupe // _MICROSECOND
            if gone := buried(run_on(c), self.salt, new, window):
                new = [(customer, at) for customer, at in new if customer not in gone]
            places.update(self._create(c, new, anonymous))
        return places

    def _create(
        self, c: sqlite3.Connection, new: Sequence[tuple[str, int]], anonymous: Collection[str]
    ) -> dict[str, _Place]:
        found = c.execute(_LAST_ID).fetchone()
        last = int(found[0]) if found is not None else 0
        zone = zone_in_force(None, None, None, None, self.index.project.timezone).zone.key
        places, rows, names = {}, [], []
        for id, (external, at) in enumerate(new, last + 1):
            shard = shard_of(id)
            places[external] = _Place(shard, id, 0, None)
            rows.append((shard, id, external, at, at, zone, state_of(Customer(external, instant(at)), PLAIN, NOBODY)))
            names.append(("anonymous" if external in anonymous else "external", external, shard, id))
        c.executemany(_CREATE, rows)
        c.executemany(_IDENTIFY, names)
        c.execute(_COUNT_IDS, (str(last + len(new)),))
        return places

    def _opt_out(self, c: sqlite3.Connection, arrivals: Iterable[Prepared], places: dict[str, _Place]) -> None:
        """Opt-outs stand with this transaction, before any turn."""
        for arrival in arrivals:
            key = places[arrival.customer][:2]
            found = c.execute(_CONSENTS, key).fetchone()
            chosen = choices_of(found[0]) if found else {}
            out: dict[tuple[str, str], tuple[str, int | None]] = dict.fromkeys(arrival.opted_out, ("out", arrival.at))
            rights.write(c, key, chosen, out)
            c.execute(_CHOOSE, (*key, choices_text({**chosen, **out})))
            whose = places[arrival.customer].external or arrival.customer
            if self.db.holding and self._claim is not None and whose in self._claim.customers:
                self._claim.customers[whose].opted_out.update(out)

    def known_ids(self, ids: Collection[str], now: datetime) -> frozenset[str]:
        """Ids that came lately."""
        if not ids:
            return frozenset()
        since = micros(now - self.index.project.settings.dedupe)
        with self.db.read() as c:
            return frozenset(id for id, at, _ in c.execute(_SEEN, (json.dumps(list(ids)),)) if at >= since)

    def keep_ids(self, ids: Collection[str], now: datetime) -> None:
        """Know ids that went to nobody."""
        if ids:
            with self.db.write() as c:
                c.executemany(_SEE, [(id, micros(now), 0) for id in ids])

    def lay_history(self, customer: str, events: Iterable[Event]) -> None:
        """Join events to the past. An id that stands there already, at the same instant, is not joined again, so that
        an import may be repeated."""
        rows = [(event.name, micros(event.at), event.id, event.properties) for event in events]
        if not rows:
            return
        with self.db.write() as c:
            place = self._places(c, [Prepared(customer, rows[0][1], "", None, 0, ())]).get(customer)
            if place is None:
                return
            shard, id, *_ = place
            base = self._count_ordinal(c) * SEQS_A_TURN
            self._note_past(c, shard, id, rows)
            for n, (name, at, event_id, properties) in enumerate(rows):
                known = event_id and c.execute(_HAS_EVENT, (shard, id, name, at, event_id)).fetchone()[0]
                if not known:
                    text = event_properties(self.db.sealer, id, properties, self.index.project.personal)
                    c.execute(EVENT, (shard, id, name, at, base + n, event_id, text))


def _answer(
    places: Mapping[str, _Place], mine: Sequence[Prepared], duplicates: int, conflicts: Sequence[str]
) -> Ingested:
    """What became of a batch of which these were new."""
    count = sum(arrival.customer in places for arrival in mine)
    return Ingested(count, duplicates, tuple(conflicts), len(mine) - count)


def _seen(c: sqlite3.Connection, arrivals: Iterable[Prepared]) -> dict[str, tuple[int, int]]:
    ids = [arrival.message_id for arrival in arrivals if arrival.message_id is not None]
    return {id: (at, content) for id, at, content in c.execute(_SEEN, (json.dumps(ids),))} if ids else {}
