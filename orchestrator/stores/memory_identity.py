"""Identity in the memory store: identifiers, links that wait, merges and their undoing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from heapq import heappush
from typing import Any, NamedTuple

from orchestrator.core.accumulators import NOTHING_COMPUTED
from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import EntryRecord
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.inbox import item_of
from orchestrator.core.index import Index
from orchestrator.core.linking import Add, Blocked, Cause, IdentityRules, Join, Nothing, Standing, verdict
from orchestrator.core.merging import SILENT, journeys_by_customer, merge, remerged
from orchestrator.core.program import Journey
from orchestrator.core.transition import Transition
from orchestrator.core.uniting import Brought, brought_points, take_back, unite_gathered
from orchestrator.stores.identity_addresses import addresses_to_keep
from orchestrator.stores.memory_outbox import MemoryOutbox
from orchestrator.stores.memory_record import CustomerRecord
from orchestrator.stores.protocol_identity import OF_PEOPLE, Identifier, Joined, Link, Merge

_DAY = timedelta(hours=24)
_TICK = timedelta(microseconds=1)


class _Kept(NamedTuple):
    """What a merge can be undone by. `customer`: whom the source is part of now."""

    told: Merge
    customer: str
    profile: Customer
    known_from: datetime
    entries: dict[tuple[str, str], EntryRecord]
    events: list[PastEvent]
    identifiers: list[tuple[str, str]]
    addresses: list[tuple[str, str]]
    choices: list[Any]
    points: Brought


class MemoryIdentity:
    """A part of the memory store, which has its records."""

    salt: str
    _index: Index | None
    _records: dict[str, CustomerRecord]
    _versions: dict[tuple[str, str], Journey]
    _outbox: MemoryOutbox
    _journal: list[Transition]
    _past: list[Transition] | None
    _ordinal: int
    _ready: set[str]
    _backlog: list[tuple[datetime, str]] | None
    _due: list[tuple[datetime, str]]
    _zones: set[str] | None
    _ended_by: dict[str, str]
    _addressees: dict[tuple[str, str], str]
    _dead: dict[str, Any]
    _pools: Any
    _rights: list[Any]
    _choose: Any
    _put: Any
    _create: Any
    _get_ready: Any
    _drop: Any
    _is_over: Any
    _is_kept_out: Any
    _make_room: Any
    audit: Any
    _redemptions: dict[tuple[str, str], Any]
    _rfm_classes: dict[str, Any]
    _move_groups: Any

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[tuple[str, str], str] = {}
        """Identifiers beside the ids under which customers were created."""
        self._anonymous: set[str] = set()
        """Of those who were created by an id that no brand gave."""
        self._links: list[Link] = []
        self._merged: dict[str, _Kept] = {}

    def _record_of(self, id: str) -> CustomerRecord | None:
        """The record of whom an id means."""
        record = self._records.get(id)
        if record is None and self._names:
            whose = self._whose(id)
            return None if whose is None else self._records[whose]
        return record

    def _whose(self, id: str) -> str | None:
        if id in self._records:
            return id
        return next((self._names[kind, id] for kind in OF_PEOPLE if (kind, id) in self._names), None)

    def resolve(self, id: str) -> str | None:
        """The customer whom an id means."""
        return self._whose(id)

    def identifiers(self, customer: str) -> Sequence[Identifier]:
        """All identifiers of a customer."""
        whose = self._whose(customer)
        if whose is None:
            return []
        own = Identifier("anonymous" if whose in self._anonymous else "external", whose)
        return sorted([own, *(Identifier(*name) for name, who in self._names.items() if who == whose)])

    def everybody(self, after: str, limit: int) -> Sequence[Customer]:
        """Customers in the order of their ids."""
        found = sorted(id for id in self._records if id > after)[:limit]
        return [self._records[id].customer for id in found]

    def merges(self, customer: str) -> Sequence[Merge]:
        """Who became part of a customer."""
        whose = self._whose(customer)
        found = [kept.told for kept in self._merged.values() if kept.customer == whose]
        return sorted(found, key=lambda told: (told.at, told.source), reverse=True)

    # --- links ------------------------------------------------------------------------------------------------------

    def _wait_for(self, links: Sequence[Link]) -> None:
        """Write down links, to be acted on."""
        for link in links:
            last = self._links[-1].id if self._links else 0
            self._links.append(link._replace(id=last + 1))

    def links(self, limit: int) -> Sequence[Link]:
        """Links that wait."""
        return self._links[:limit]

    def unlinked(self, links: Sequence[Link]) -> Sequence[Link]:
        """Those that say something new."""
        return [link for link in links if self._owner(link.kind, link.value) != (self._whose(link.customer) or "")]

    def _owner(self, kind: str, value: str) -> str | None:
        if kind in OF_PEOPLE:
            return self._whose(value)
        return self._names.get((kind, value))

    def settle_link(self, link: Link, now: datetime) -> Joined:
        """Act on a link."""
        if link not in self._links:
            return Joined("nothing")
        self._links.remove(link)
        return self._join(link.kind, link.value, link.customer, now, "engine", link.kind)

    def merge(self, source: str, into: str, now: datetime, actor: str, cause: Cause = "operator") -> Joined:
        """Make one customer part of another."""
        if self._whose(source) is None:
            return Joined("unknown", source=source)
        return self._join("external", source, into, now, actor, cause)

    def _join(self, kind: str, value: str, customer: str, now: datetime, actor: str, cause: Cause) -> Joined:
        whose = self._whose(customer)
        if whose is None:
            return Joined("unknown", source=customer)
        owner = self._owner(kind, value)
        standings = {id: self._standing(id, now) for id in {whose, owner} if id is not None}
        found = verdict(cause, value, standings[owner] if owner is not None else None, standings[whose], self._rules())
        match found:
            case Add():
                if kind in OF_PEOPLE and self._is_kept_out(value, now):
                    return Joined("unknown", source=value)
                self._names[kind, value] = whose
                return Joined("added", whose)
            case Nothing():
                return Joined("nothing", whose)
            case Blocked(reason):
                return Joined("blocked", whose, reason=reason)
            case Join(source, into):
                self._merge(source, into, now, actor, cause)
                return Joined("merged", into, source)

    def _rules(self) -> IdentityRules:
        return self._index.project.identity if self._index is not None else IdentityRules()

    def _standing(self, id: str, now: datetime) -> Standing:
        kinds: dict[str, int] = {}
        for identifier in self.identifiers(id):
            kinds[identifier.kind] = kinds.get(identifier.kind, 0) + 1
        lately = [kept for kept in self._merged.values() if kept.customer == id and kept.told.at > now - _DAY]
        return Standing(id, "external" in kinds, kinds, len(lately))

    # --- merges -----------------------------------------------------------------------------------------------------

    def _merge(self, source: str, into: str, now: datetime, actor: str, cause: str) -> None:
        mine, theirs = self._records[source], self._records[into]
        self._ordinal += 1
        first_seq = self._ordinal * 100_000 + 1
        done = merge(mine.view(), theirs.view(), self._versions, self.salt, now, first_seq)
        if self._index is not None:
            unite_gathered(done.customer, mine.customer, theirs.customer, self._index.project)
        self._keep(source, into, mine, Merge(source, now, cause, actor), done.customer)
        before = theirs.customer.consents
        self._choose(into, before, done.customer.consents, now)
        theirs.customer = done.customer
        theirs.known_from = min(mine.known_from, theirs.known_from)
        theirs.zone = self._zones = None
        for e in done.enrollments:
            theirs.enrollments[e.id] = e
        for e in done.ended:
            self._ended_by[e.id] = e.reason or ""
            self._drop(theirs, e)
        theirs.entries = dict(done.entries)
        by_customer = journeys_by_customer(self._versions.values())
        for events in mine.history.by_name.values():
            for event in events:
                theirs.history.add(event)
        for message in mine.messages:
            message.row = remerged(message.row, source, into, by_customer)
        theirs.messages = sorted((*theirs.messages, *mine.messages), key=lambda m: (m.row.at, m.row.seq, m.row.id))
        coupons = {k.id: k._replace(customer_id=into) for k in mine.coupons.values()}
        theirs.coupons = {**theirs.coupons, **coupons}
        for coupon in done.coupons:
            theirs.coupons[coupon.id] = coupon
            self._make_room(coupon)
        theirs.tasks = {**theirs.tasks, **{t.id: t._replace(customer_id=into) for t in mine.tasks.values()}}
        theirs.choices = [*theirs.choices, *mine.choices]
        waiting = [item._replace(body=done.bodies[item.seq]) for item in mine.inbox]
        theirs.inbox = sorted((*theirs.inbox, *waiting), key=lambda item: (item.received_at, item.seq))
        self._forget_record(source)
        self._rename(source, into)
        self._journal.extend(done.transitions)
        self._be_computed(theirs, now)

    def _keep(self, source: str, into: str, record: CustomerRecord, told: Merge, both: Customer) -> None:
        """What the merge can be undone by, and the source's ids as the target's."""
        own = ("anonymous" if source in self._anonymous else "external", source)
        mine = [own, *(name for name, who in self._names.items() if who == source)]
        events = [event for events in record.history.by_name.values() for event in events]
        for other, kept in self._merged.items():
            if kept.customer == source:
                self._merged[other] = kept._replace(customer=into)
        self._merged[source] = _Kept(
            told,
            into,
            record.customer,
            record.known_from,
            dict(record.entries),
            events,
            mine,
            [
                name
                for name in addresses_to_keep(record.customer, self._records[into].customer)
                if name not in self._names
            ],
            list(record.choices),
            {} if self._index is None else brought_points(self._records[into].customer, both, self._index.project),
        )
        for name in [*mine, *self._merged[source].addresses]:
            self._names[name] = into
        self._anonymous.discard(source)

    def _rename(self, source: str, into: str) -> None:
        """Whatever names the source by its id."""
        self._addressees = {place: into if who == source else who for place, who in self._addressees.items()}
        self._dead = {place: (into if dead[0] == source else dead[0], *dead[1:]) for place, dead in self._dead.items()}
        self._rights = [r._replace(customer=into) if r.customer == source else r for r in self._rights]
        self._outbox.requests = {
            id: request._replace(customer_id=into) if request.customer_id == source else request
            for id, request in self._outbox.requests.items()
        }
        self._redemptions = {
            place: r._replace(customer=into) if r.customer == source else r for place, r in self._redemptions.items()
        }
        self._rfm_classes.pop(source, None)
        self._move_groups(source, into)
        if self._past is not None:
            lines = self._past
            lines[:] = [line._replace(customer=into) if line.customer == source else line for line in lines]

    def _forget_record(self, id: str) -> None:
        del self._records[id]
        self._ready.discard(id)
        if self._backlog is not None:
            self._backlog = [place for place in self._backlog if place[1] != id]

    def _be_computed(self, record: CustomerRecord, now: datetime) -> None:
        """Memberships and timers, before anything else that waits."""
        self._seq += 1
        first_at = min([now, *(item.received_at - _TICK for item in record.inbox)])
        record.inbox.insert(0, item_of((self._seq, first_at, SILENT)))
        instants = [e.due_at for e in record.enrollments.values() if e.due_at is not None and e.running]
        timers = record.customer.next_timer_at()
        record.next_due_at = min([*instants, *([timers] if timers is not None else [])], default=None)
        if record.next_due_at is not None and record.parked is None:
            heappush(self._due, (record.next_due_at, record.customer.id))
        if record.parked is None:
            self._get_ready(record)
        else:
            record.next_due_at = None

    _seq: int

    def _forget_merges(self, before: datetime) -> int:
        """Merges that are too old to be undone."""
        kept = {source: kept for source, kept in self._merged.items() if kept.told.at >= before}
        gone, self._merged = len(self._merged) - len(kept), kept
        return gone

    def _aliases(self, customer: str) -> list[str]:
        """The ids of people by which a customer is known, beside its own."""
        return [value for (kind, value), who in self._names.items() if who == customer and kind in OF_PEOPLE]

    def _addresses_known(self, customer: str) -> list[tuple[str, str]]:
        """Addresses that are identifiers of a customer."""
        return [name for name, who in self._names.items() if who == customer and name[0] not in OF_PEOPLE]

    def _forget_identity(self, customer: str, aliases: Sequence[str]) -> None:
        """Nothing names an erased customer any more."""
        ids = {customer, *aliases}
        self._names = {name: who for name, who in self._names.items() if who != customer}
        self._anonymous -= ids
        self._merged = {source: kept for source, kept in self._merged.items() if kept.customer != customer}
        self._links = [link for link in self._links if link.customer not in ids and link.value not in ids]

    def unmerge(self, source: str, now: datetime, actor: str) -> Joined:
        """Undo a merge."""
        kept = self._merged.pop(source, None)
        if kept is None or source in self._records:
            return Joined("unknown", source=source)
        theirs = self._records[kept.customer]
        record = self._records[source] = CustomerRecord(kept.profile.copy())
        record.known_from = kept.known_from
        record.customer.consents, record.customer.consent_dates = _with_outs(kept.profile, theirs.customer)
        record.customer.segments = frozenset()
        theirs.customer = theirs.customer.copy()
        theirs.customer.computed = NOTHING_COMPUTED
        if self._index is not None:
            take_back(theirs.customer, kept.points, self._index.project)
        record.entries = dict(kept.entries)
        record.choices = kept.choices
        for event in kept.events:
            events = theirs.history.by_name.get(event.name, [])
            if any(one is event for one in events):
                events[:] = [one for one in events if one is not event]
                record.history.add(event)
        for name in kept.addresses:
            if self._names.get(name) == kept.customer:
                del self._names[name]
        for name in kept.identifiers:
            other = self._merged.get(name[1])
            if other is not None and other.customer == kept.customer and other.told.at <= kept.told.at:
                self._merged[name[1]] = other._replace(customer=source)  # had become part of the source before
            if self._names.get(name) == kept.customer:
                del self._names[name]
                if name[1] != source:
                    self._names[name] = source
        if kept.identifiers[0][0] == "anonymous":
            self._anonymous.add(source)
        self._zones = None
        self._choose(source, kept.profile.consents, record.customer.consents, now)
        for one in (record, theirs):
            self._be_computed(one, now)
        return Joined("unmerged", kept.customer, source)


def _with_outs(
    profile: Customer, other: Customer
) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], datetime]]:
    """A profile's choices, with the opt-outs of the other one."""
    consents, dates = dict(profile.consents), dict(profile.consent_dates)
    for place, state in other.consents.items():
        if state == "out":
            consents[place] = "out"
            dates.pop(place, None)
            if place in other.consent_dates:
                dates[place] = other.consent_dates[place]
    return consents, dates
