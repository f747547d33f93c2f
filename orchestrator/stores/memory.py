"""The memory store: the reference of the Store protocol, for tests, `simulate` and back-tests. One thread, one
process."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush, nlargest
from itertools import chain, islice
from typing import Any

from orchestrator.core.changes import Changes, CustomerChanges
from orchestrator.core.claim import Claimed, claimed_of
from orchestrator.core.consent import closed_by
from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.goals import goal_is_open
from orchestrator.core.inbox import (
    Body,
    Deployed,
    Event,
    Grouped,
    JourneyOperated,
    Occurred,
    ScheduleFired,
    item_of,
)
from orchestrator.core.index import Index
from orchestrator.core.ledger import UNSENT, Message, Request, Task
from orchestrator.core.program import Journey, Throttle
from orchestrator.core.project import Offer
from orchestrator.core.time.zone_in_force import zone_in_force
from orchestrator.core.transition import Transition
from orchestrator.core.view import LoadedMessage, Switches, View
from orchestrator.errors import UsageError
from orchestrator.stores.erasure_certificates import hash_of
from orchestrator.stores.memory_addressees import MemoryAddressees
from orchestrator.stores.memory_api import MemoryApi
from orchestrator.stores.memory_audit import MemoryAudit
from orchestrator.stores.memory_catalogs import MemoryCatalogs
from orchestrator.stores.memory_channels import MemoryChannels
from orchestrator.stores.memory_erasing import MemoryErasing
from orchestrator.stores.memory_exports import MemoryExports
from orchestrator.stores.memory_identity import MemoryIdentity
from orchestrator.stores.memory_offers import MemoryOffers
from orchestrator.stores.memory_outbox import MemoryOutbox, Queued
from orchestrator.stores.memory_overview import overview_of, standing_of
from orchestrator.stores.memory_pools import MemoryPools
from orchestrator.stores.memory_profiles import MemoryProfiles
from orchestrator.stores.memory_record import CustomerRecord
from orchestrator.stores.memory_rights import MemoryRights
from orchestrator.stores.memory_segments import MemorySegments
from orchestrator.stores.memory_sends import sends_of
from orchestrator.stores.memory_sources import MemorySources
from orchestrator.stores.memory_suppressions import MemorySuppressions, SuppressionDict
from orchestrator.stores.protocol import (
    Arrival,
    CustomerCard,
    Ingested,
    Overview,
    RefusedItem,
    SendsPage,
    Settlement,
    Snapshot,
    content_of,
)
from orchestrator.stores.protocol_identity import Link


class MemoryStore(
    MemoryChannels,
    MemoryAddressees,
    MemorySuppressions,
    MemoryRights,
    MemoryExports,
    MemoryErasing,
    MemoryIdentity,
    MemorySources,
    MemoryProfiles,
    MemoryAudit,
    MemoryOffers,
    MemoryApi,
    MemoryCatalogs,
    MemorySegments,
):
    """See Store. `forced` fixes draws in tests of journeys; `forget_messages` drops rows that nothing can ask for
    again."""

    def __init__(
        self,
        salt: str = "0",
        forced: Mapping[str, str | bool] | None = None,
        forget_messages: bool = False,
        keep_journal: bool = False,
    ) -> None:
        super().__init__()
        self.salt = salt
        self._forced = dict(forced or {})
        self._forget = forget_messages
        self._keep_for: timedelta | None = None
        self._index: Index | None = None
        self._snapshot: Snapshot | None = None
        self._versions: dict[tuple[str, str], Journey] = {}
        self._known_journeys: set[str] = set()
        self._records: dict[str, CustomerRecord] = {}
        self._ready: set[str] = set()
        self._backlog: list[tuple[datetime, str]] | None = None
        """While more are ready than one turn takes: a heap of their places, those of long ago included."""
        self._taken: list[tuple[datetime, str]] = []
        """What the last load took out of it."""
        self._due: list[tuple[datetime, str]] = []
        self._seen: dict[str, Arrival] = {}
        self._seen_in_order: deque[Arrival] = deque()
        self._fanned_out: set[tuple[str, int, str, str | None]] = set()
        self._seq = 0
        self._ordinal = 0
        self._pools = MemoryPools()
        self._outbox = MemoryOutbox()
        self._switches = Switches()
        self._suppressions = SuppressionDict(salt)
        self._ended_by: dict[str, str] = {}
        self._marks: dict[str, datetime] = {}
        self._tallies: dict[str, int] = {}
        self._journal: list[Transition] = []
        self._past: list[Transition] | None = [] if keep_journal else None
        self._refused: list[RefusedItem] = []
        self._zones: set[str] | None = None

    # --- definitions -----------------------------------------------------------------------------------------------

    @property
    def index(self) -> Index:
        """The definitions last deployed."""
        if self._index is None:
            raise UsageError("nothing is deployed in this store yet; deploy a project first", "nothing_deployed")
        return self._index

    def deploy(self, index: Index, now: datetime, snapshot: Snapshot | None = None) -> bool:
        """Make definitions live; every customer gets them through the inbox, unless nothing is new about them."""
        known = self._snapshot is not None and snapshot is not None and self._snapshot.digest == snapshot.digest
        self._snapshot = snapshot
        journeys = index.project.journeys
        fresh = frozenset(journeys) - self._known_journeys
        self._known_journeys |= fresh
        for journey in journeys.values():
            self._versions[journey.id, journey.version] = journey
        self._index = Index(index.project, self._versions.values())
        self._keep_for = self._index.messages_asked_for()
        self._seed_catalogs(index.project, now)
        self._zones = None
        for record in self._records.values():
            record.zone = None  # that of the project may be another now
        if not known:
            for record in self._records.values():
                self._put(record, now, Deployed(fresh))
        return not known

    def adopt(self, index: Index) -> None:
        """Decide by definitions that are live already."""
        self.know(index.project.journeys.values())
        self._index = Index(index.project, self._versions.values())
        self._keep_for = self._index.messages_asked_for()
        self._zones = None

    def snapshots(self) -> Sequence[Snapshot]:
        """The live one: a store in memory dies with its process, and knows all older versions until then."""
        return () if self._snapshot is None else (self._snapshot,)

    def deployed(self) -> str | None:
        """The digest of the live files."""
        return None if self._snapshot is None else self._snapshot.digest

    def know(self, journeys: Iterable[Journey]) -> None:
        """Versions that are not live any more."""
        for journey in journeys:
            self._versions.setdefault((journey.id, journey.version), journey)
            self._known_journeys.add(journey.id)

    # --- ingest ----------------------------------------------------------------------------------------------------

    def ingest(
        self, arrivals: Sequence[Arrival], links: Sequence[Link] = (), anonymous: Collection[str] = ()
    ) -> Ingested:
        """Put arrivals into the inbox."""
        accepted = duplicates = dropped = 0
        conflicts: list[str] = []
        for arrival in arrivals:
            body = arrival.body
            if arrival.message_id is not None:
                known = self._seen.get(arrival.message_id)
                if known is not None and arrival.received_at - known.received_at <= self.index.project.settings.dedupe:
                    duplicates += 1
                    if content_of(known) != content_of(arrival):  # hashed here only: hardly any id comes twice
                        conflicts.append(arrival.message_id)
                    continue
                self._seen[arrival.message_id] = arrival
                self._seen_in_order.append(arrival)
            record = self._records.get(arrival.customer) or self._record_of(arrival.customer)
            if record is None:
                if self._erased and self._is_kept_out(arrival.customer, arrival.received_at):
                    dropped += 1
                    continue
                record = self._create(arrival.customer, arrival.received_at)
                if arrival.customer in anonymous:
                    self._anonymous.add(arrival.customer)
            if type(body) is not Occurred and (outs := closed_by(body)):
                chosen = dict.fromkeys(outs, "out")
                self._choose(record.customer.id, record.customer.consents, chosen, arrival.received_at)
                record.customer = record.customer.copy()
                _opt_out(record.customer, outs, arrival.received_at)
            if type(body) is Grouped:
                body = self._take_group(record.customer.id, body, arrival.received_at)
            self._put(record, arrival.received_at, body)
            accepted += 1
        self._wait_for(links)
        if arrivals:
            self._forget_ids(arrivals[-1].received_at)
        return Ingested(accepted, duplicates, tuple(conflicts), dropped)

    def known_ids(self, ids: Collection[str], now: datetime) -> frozenset[str]:
        """Ids that came lately."""
        window = self.index.project.settings.dedupe
        found = {id: self._seen[id] for id in ids if id in self._seen}
        return frozenset(id for id, arrival in found.items() if now - arrival.received_at <= window)

    def keep_ids(self, ids: Collection[str], now: datetime) -> None:
        """Know ids that went to nobody."""
        for id in ids:
            self._seen[id] = Arrival("", now, Occurred(Event("", now, {}, id)), id)
            self._seen_in_order.append(self._seen[id])

    def _forget_ids(self, now: datetime) -> None:
        """Drop ids that came longer ago than `dedupe`, and are new again."""
        order = self._seen_in_order
        while order and self._index is not None and now - order[0].received_at > self._index.project.settings.dedupe:
            arrival = order.popleft()
            if arrival.message_id is not None and self._seen.get(arrival.message_id) is arrival:
                del self._seen[arrival.message_id]

    def _is_kept_out(self, customer: str, at: datetime) -> bool:
        """Whether somebody of this id was erased, so lately that the id is not taken again."""
        erased_at = self._erased.get(hash_of(self.salt, customer))
        return erased_at is not None and at - erased_at <= self.index.project.settings.dedupe

    def lay_history(self, customer: str, events: Iterable[Event]) -> None:
        """Join events to the past."""
        for event in events:
            record = self._record_of(customer)
            if record is None and self._erased and self._is_kept_out(customer, event.at):
                return
            record = record or self._create(customer, event.at)
            record.history.add(PastEvent(event.at, event.name, dict(event.properties), event.id))

    def _create(self, customer: str, at: datetime) -> CustomerRecord:
        record = self._records[customer] = CustomerRecord(Customer(customer, at))
        self._zones = None
        return record

    def _put(self, record: CustomerRecord, at: datetime, body: Body) -> None:
        self._seq += 1
        record.inbox.append(item_of((self._seq, at, body)))
        if record.parked is None:
            self._get_ready(record)

    def _get_ready(self, record: CustomerRecord) -> None:
        self._ready.add(record.customer.id)
        if self._backlog is not None:
            heappush(self._backlog, _place(record))

    # --- turns -----------------------------------------------------------------------------------------------------

    def load(
        self, now: datetime, budget: int, only: Sequence[str] | None = None, shards: Sequence[int] | None = None
    ) -> View:
        """The customers that are due, in the order of their ids. One thread: nobody else can take them meanwhile."""
        while self._due and self._due[0][0] <= now:
            at, customer = heappop(self._due)
            record = self._records.get(customer)
            if record is not None and record.next_due_at == at and record.parked is None:
                self._get_ready(record)
        chosen = self._longest_due(budget) if only is None else sorted(self._ready.intersection(only))[:budget]
        self._ordinal += 1
        return View(
            ordinal=self._ordinal,
            salt=self.salt,
            index=self.index,
            versions=self._versions,
            customers=[self._records[customer].view() for customer in chosen],
            switches=self._switches,
            pools=self._pools.pools(self.index.project, now),
            suppressions=self._suppressions,
            forced=self._forced,
            catalogs=self._catalogs(),
        )

    def _longest_due(self, budget: int) -> list[str]:
        """At most `budget` of those who are ready, in the order of their ids.

        A backlog of many turns is put in order once. A place in it may have been left since, or have become an earlier
        one, which stands in it, too.
        """
        if len(self._ready) <= budget:
            self._backlog = None
            return sorted(self._ready)
        if self._backlog is None:
            self._backlog = [_place(self._records[customer]) for customer in self._ready]
            heapify(self._backlog)
        else:
            for place in self._taken:  # as far as nothing came of that turn
                if place[1] in self._ready:
                    heappush(self._backlog, place)
        backlog, chosen = self._backlog, dict[str, tuple[datetime, str]]()
        while len(chosen) < budget:
            place = heappop(backlog)
            customer = place[1]
            if customer in self._ready and place == _place(self._records[customer]):
                chosen[customer] = place
        self._taken = list(chosen.values())
        return sorted(chosen)

    def abandon(self) -> None:
        """Nothing was begun."""

    def park(self, customer: str, reason: str, detail: str, now: datetime) -> None:
        """Take no turn for a customer until someone resumes it."""
        record = self._records[customer]
        record.parked, record.parked_detail, record.parked_at = reason, detail, now
        record.next_due_at = None
        self._ready.discard(customer)

    def take_up(self, reason: str, limit: int, now: datetime) -> Sequence[str]:
        """Take turns again for those who were parked for a reason."""
        found = sorted(id for id, record in self._records.items() if record.parked == reason)[:limit]
        for id in found:
            self._unpark(self._records[id], now)
        return found

    def _unpark(self, record: CustomerRecord, now: datetime) -> None:
        record.parked = None
        record.next_due_at = now
        heappush(self._due, (now, record.customer.id))
        if record.inbox:
            self._get_ready(record)

    def save(self, changes: Changes) -> None:
        """Apply a turn."""
        for change in changes.customers:
            record = self._records[change.customer_id]
            self._journal.extend(change.transitions)
            self._ready.discard(change.customer_id)
            if change.parked is not None:
                at = change.transitions[-1].at
                self.park(change.customer_id, change.parked, change.detail or "", at)
                continue
            self._save_customer(record, change)

    def _save_customer(self, record: CustomerRecord, change: CustomerChanges) -> None:
        if len(change.consumed) == len(record.inbox):  # as nearly always
            record.inbox = []
        elif change.consumed:
            taken = set(change.consumed)
            record.inbox = [item for item in record.inbox if item.seq not in taken]
        if change.customer is not None:
            before, record.customer = record.customer.consents, change.customer
            record.zone = None
            self._zones = None
            for item in record.inbox:  # an opt-out that came during the turn stands
                if outs := closed_by(item.body):
                    _opt_out(record.customer, outs, item.received_at)
            if record.customer.consents != before:
                at = change.transitions[-1].at if change.transitions else change.customer.created_at
                self._choose(change.customer_id, before, record.customer.consents, at)
        for e in change.enrollments:
            record.enrollments[e.id] = e
            if e.ended:
                if e.ended_by_rule and e.reason is not None:
                    self._ended_by[e.id] = e.reason
                if self._is_over(e, e.ended_at or e.entered_at):
                    self._drop(record, e)
        if change.entries:
            record.entries.update(change.entries)
        for event in change.events:
            record.history.add(event)
        for row in change.messages:
            message = LoadedMessage(row)
            record.messages.append(message)
            self._outbox.add(message)
        for mark in change.marks:
            self._mark_message(record, mark.message_id, mark.mark, mark.at)
        for request in change.requests:
            self._outbox.requests[request.id] = request
        for coupon in change.coupons:
            if coupon.status == "released":
                self._make_room(coupon)
            record.coupons[coupon.id] = coupon
        for task in change.tasks:
            self._pools.task_changed(record.tasks.get(task.id), task)
            record.tasks[task.id] = task
        if change.choices:
            record.choices = [*record.choices, *change.choices]
        for order in change.suppress:
            self._suppress(*order)
        if change.taken != ((), (), (), ()):
            self._pools.take(change.taken, self.index.project, change.taken_at)
        record.next_due_at = change.next_due_at
        if change.next_due_at is not None:
            heappush(self._due, (change.next_due_at, record.customer.id))
        if record.inbox:
            self._get_ready(record)

    def _mark_message(self, record: CustomerRecord, message_id: str, mark: str, at: datetime) -> None:
        for message in record.messages:
            if message.row.id == message_id:
                if mark == "opened":
                    message.opened_at = message.opened_at or at
                elif mark == "clicked":
                    message.clicked_at = message.clicked_at or at
                else:
                    message.status = mark

    def _suppress(self, channel: str, address: str, cause: str, at: datetime) -> None:
        known = self._suppressions.plain((channel, address))
        if cause not in known:
            self._suppressions[channel, address] = known | {cause}
            self._since[channel, address, cause] = at
            self._write_suppression(channel, address, cause, at)

    def suppress(self, entries: Sequence[tuple[str, str, str]], now: datetime) -> None:
        """Put addresses on the suppression list."""
        for entry in entries:
            self._suppress(*entry, now)

    def unsuppress(self, entries: Sequence[tuple[str, str, str]]) -> None:
        """Take causes off the suppression list."""
        for channel, address, cause in entries:
            left = self._suppressions.pop((channel, address), frozenset()) - {cause}
            if left:
                self._suppressions[channel, address] = left

    # --- delivery --------------------------------------------------------------------------------------------------

    def claim_messages(
        self, now: datetime, limit: int, real_at: datetime | None = None, klass: str | None = None
    ) -> Sequence[Claimed]:
        """Queued messages, oldest first, as far as throttles allow. A claim ends with this process at the latest."""
        outbox = self._outbox
        outbox.wake(now, real_at or now)
        found = outbox.take_direct(limit, klass)
        for journey in sorted(outbox.throttled):
            room, _ = outbox.room(journey, self._throttle(journey), now)
            count = limit - len(found)
            if room is not None:
                count = min(count, room - outbox.in_flight(journey))
            if count > 0:
                found += outbox.take_throttled(journey, count, klass)
        for queued in found:
            outbox.claim(queued, real_at or now)
        return [self._claimed(queued) for queued in found]

    def _claimed(self, queued: Queued) -> Claimed:
        row = queued.row
        customer, ended_by = self._records[row.customer_id].customer, self._ended_by.get(row.enrollment_id)
        told = (queued.fence, queued.begun, queued.uncertain, queued.first_tried_at)
        return claimed_of((row, customer, ended_by, *told))

    def begin_hand_over(self, claimed: Sequence[Claimed], real_at: datetime) -> frozenset[str]:
        """Those that nobody else claimed since."""
        return frozenset(c.row.id for c in claimed if self._outbox.begin(c.row.id, c.fence, real_at))

    def _throttle(self, journey: str) -> Throttle | None:
        live = self.index.project.journeys.get(journey)
        return live.throttle if live is not None else None

    def throttled(self, now: datetime) -> list[tuple[Message, datetime]]:
        """Messages that began to wait for their journey's throttle, each told once, with when it will be their turn."""
        told = []
        for journey, queue in sorted(self._outbox.throttled.items()):
            throttle = self._throttle(journey)
            if throttle is None or all(m.row.id in self._outbox.told for m in queue):
                continue
            times = list(self._outbox.handed_over.get(journey, ()))
            for message in queue:
                at = now if len(times) < throttle.max else max(now, times[-throttle.max] + throttle.per)
                times.append(at)
                if at > now and message.row.id not in self._outbox.told:
                    self._outbox.told.add(message.row.id)
                    told.append((message.row, at))
        return told

    def room(self, journey: str, now: datetime) -> tuple[int | None, datetime | None]:
        """The journey's throttle."""
        return self._outbox.room(journey, self._throttle(journey), now)

    def settle_messages(self, settlements: Sequence[Settlement], now: datetime) -> None:
        """Write what became of claimed messages."""
        for settled in settlements:
            queued = self._outbox.claimed.get(settled.message_id)
            if settled.fence and (queued is None or queued.fence != settled.fence):
                continue  # somebody else claimed it since, or it is done with
            self._outbox.claimed.pop(settled.message_id, None)
            record = self._record_of(settled.customer_id)
            if record is None:
                continue  # somebody was erased since
            message = record.messages[-1]
            if message.row.id != settled.message_id:
                message = next(m for m in reversed(record.messages) if m.row.id == settled.message_id)
            self._journal.extend(settled.transitions)
            if settled.handed_over and message.row.throttled:
                self._outbox.handed_over.setdefault(message.row.journey, deque()).append(now)
            if settled.status == "queued":
                if queued is not None:
                    self._outbox.keep(queued, settled)
                continue
            message.status = settled.status
            if settled.handed_over:
                self._written_to(message.row)
            if not self._forget:
                self._bury(settled, queued.fence if queued is not None else 0, now)
            coupon = record.coupons.get(settled.release_coupon) if settled.release_coupon is not None else None
            if coupon is not None and coupon.status == "issued":
                record.coupons[coupon.id] = coupon._replace(status="released")
                self._make_room(coupon)
            if settled.suppress is not None:
                self._suppress(*settled.suppress, now)
            for body in settled.receipts:
                self._put(record, now, body)
            if self._forget and not settled.receipts:
                self._forget_messages(record, message, now)

    def _forget_messages(self, record: CustomerRecord, message: LoadedMessage, now: datetime) -> None:
        """Drop what no cap looks at any more; where expressions ask for messages, only the values of this one."""
        if self._keep_for is None:
            message.row = message.row._replace(values={})
        else:
            oldest = now - self._keep_for
            record.messages = [m for m in record.messages if m.status == "queued" or m.row.at > oldest]

    def record(self, transitions: Sequence[Transition]) -> None:
        """Append lines to the journal."""
        self._journal.extend(transitions)

    # --- requests --------------------------------------------------------------------------------------------------

    def claim_requests(self, now: datetime, limit: int, real_at: datetime | None = None) -> Sequence[Request]:
        """Calls to make."""
        return list(self._outbox.claim_requests(limit, real_at or now))

    def settle_requests(self, replies: Sequence[tuple[Request, Body]], now: datetime) -> None:
        """Put the answers into the inbox; a call that somebody else settled is answered already."""
        for request, body in replies:
            if self._outbox.settle_request(request):
                record = self._record_of(request.customer_id)
                if record is not None:
                    self._put(record, now, body)

    def cached_reply(self, url: str, now: datetime) -> tuple[int, Any] | None:
        """A fetched answer that may still be used."""
        return self._outbox.cached(url, now)

    def keep_reply(self, url: str, status: int, body: Any, until_at: datetime) -> None:
        """Remember a fetched answer."""
        self._outbox.keep_reply(url, status, body, until_at)

    # --- operations ------------------------------------------------------------------------------------------------

    def switches(self) -> Switches:
        """What operators switched off."""
        return self._switches

    def set_switches(self, switches: Switches) -> None:
        """Throw switches. What waits to be handed over, and is stopped or killed now, is claimed and cancelled."""
        thawed = self._switches.paused - switches.paused
        self._switches = switches
        self._outbox.recall(lambda row: row.journey in switches.stopped or switches.killed(row.journey, row.channel))
        if thawed:
            self._outbox.thaw()

    def change_switches(self, change: Callable[[Switches], Switches]) -> Switches:
        """Throw what `change` makes of them."""
        self.set_switches(change(self._switches))
        return self._switches

    def operate(self, journey: str, action: Any, now: datetime) -> int:
        """Tell everyone in a journey; `resume` also takes up the parked customers."""
        if action == "resume":
            for record in self._records.values():
                if record.parked is not None:
                    self._unpark(record, now)
        inside = [r for r in self._records.values() if any(e.journey == journey for e in r.enrollments.values())]
        for record in inside:
            self._put(record, now, JourneyOperated(journey, action))
        return len(inside)

    def suppressions(self) -> dict[tuple[str, str], frozenset[str]]:
        """The suppression list."""
        return self._suppressions

    def import_codes(self, offer: str, codes: Sequence[str]) -> int:
        """Add codes to an offer's imported pool."""
        return self._pools.import_codes(offer, codes)

    # --- fan-out ---------------------------------------------------------------------------------------------------

    def zones(self) -> Sequence[str]:
        """The zones in force among all customers."""
        if self._zones is None:
            self._zones = {self._zone_of(record) for record in self._records.values()}
        return sorted(self._zones)

    def _zone_of(self, record: CustomerRecord) -> str:
        if record.zone is None:
            c = record.customer
            record.zone = zone_in_force(None, c.timezone, c.phone, c.country, self.index.project.timezone).zone.key
        return record.zone

    def fan_out(
        self, journey: str, trigger: int, occurrence: str, zone: str | None, segment: str | None, at: datetime
    ) -> int:
        """Put an occurrence into the inbox of everyone in the zone and (as far as is known now) the segment."""
        if (journey, trigger, occurrence, zone) in self._fanned_out:
            return 0
        self._fanned_out.add((journey, trigger, occurrence, zone))
        count = 0
        for record in list(self._records.values()):
            if record.known_from > at or (zone is not None and self._zone_of(record) != zone):
                continue
            if segment is None or segment in record.customer.segments or record.inbox:
                self._put(record, at, ScheduleFired(journey, trigger, occurrence))
                count += 1
        return count

    def mark(self, name: str, at: datetime | None = None) -> datetime | None:
        """Read or set a named instant."""
        if at is not None:
            self._marks[name] = at
        return self._marks.get(name)

    def tally(self, name: str) -> int:
        """Count one more."""
        self._tallies[name] = self._tallies.get(name, 0) + 1
        return self._tallies[name]

    def marks(self, prefix: str) -> Mapping[str, datetime]:
        """Named instants."""
        return {name: at for name, at in self._marks.items() if name.startswith(prefix)}

    # --- reading ---------------------------------------------------------------------------------------------------

    def oldest_due(self, now: datetime) -> Mapping[str, datetime]:
        """Since when what is due waits, looked for among everybody."""
        records = [record for record in self._records.values() if record.parked is None]
        found = {
            "turn": [r.next_due_at for r in records if r.next_due_at is not None]
            + [r.inbox[0].received_at for r in records if r.inbox],
            "requests": [request.at for request in self._outbox.requests.values()],
        }
        for queued in (*self._outbox.direct, *self._outbox.claimed.values()):
            if queued.free:
                found.setdefault(queued.row.klass, []).append(queued.available_at)
        oldest = {lane: min(instants) for lane, instants in found.items() if instants}
        return {lane: at for lane, at in oldest.items() if at <= now}

    def next_due_at(self) -> datetime | None:
        """The earliest instant at which something is due."""
        while self._due and self._next_due_of(self._due[0][1]) != self._due[0][0]:
            heappop(self._due)
        instants = [self._due[0][0]] if self._due else []
        if self._ready:
            instants.extend(self._records[c].inbox[0].received_at for c in self._ready if self._records[c].inbox)
        queued = self._outbox.next_at(self._throttle)
        if queued is not None:
            instants.append(queued)
        return min(instants, default=None)

    def _next_due_of(self, customer: str) -> datetime | None:
        record = self._records.get(customer)
        return None if record is None else record.next_due_at

    def message(self, customer: str, channel: str, step: str | None) -> Message | None:
        """The latest message of a customer on a channel."""
        record = self._record_of(customer)
        rows = [m.row for m in record.messages if m.status not in UNSENT] if record is not None else []
        rows = [row for row in rows if row.channel == channel and step in (None, row.step)]
        return rows[-1] if rows else None

    def open_task(self, customer: str, step: str | None) -> Task | None:
        """The latest open task of a customer."""
        record = self._record_of(customer)
        tasks = record.tasks.values() if record is not None else ()
        found = [task for task in tasks if task.closed_at is None and step in (None, task.step)]
        return found[-1] if found else None

    def card(self, customer: str) -> CustomerCard | None:
        """What people are shown."""
        r = self._record_of(customer)
        if r is None:
            return None
        return CustomerCard(
            r.customer.id,
            r.parked,
            r.messages,
            tuple(r.coupons.values()),
            tuple(r.tasks.values()),
            r.customer,
            tuple(r.enrollments.values()),
        )

    def drain_journal(self) -> list[Transition]:
        """The transitions since the last call. They are kept for `journal` only when the store was told to."""
        journal, self._journal = self._journal, []
        if self._past is not None:
            self._past += journal
        return journal

    def journal(self, customer: str) -> list[Transition]:
        """Everything recorded about a customer. Raises UsageError where the journal is not kept."""
        if self._past is None:
            raise UsageError("this store keeps no journal; make it with keep_journal=True", "no_journal")
        ids = {customer, self._whose(customer) or customer}
        ids |= {source for source, kept in self._merged.items() if kept.customer in ids}
        found = [t for t in (*self._past, *self._journal) if t.customer in ids]
        return sorted(found, key=lambda t: (t.at, t.seq))

    def sends(self, since: datetime, until: datetime, after: str, limit: int) -> SendsPage:
        """What customers were sent. Raises UsageError where the journal is not kept."""
        if self._past is None:
            raise UsageError("this store keeps no journal; make it with keep_journal=True", "no_journal")
        return sends_of(self._records, [*self._past, *self._journal], since, until, after, limit)

    def ledger(self, message_id: str) -> LoadedMessage | None:
        """A message by its id."""
        return next((m for m in self._messages() if m.row.id == message_id), None)

    def messages_under(self, prefix: str) -> Sequence[LoadedMessage]:
        """By looking at all of them."""
        return sorted((m for m in self._messages() if m.row.id.startswith(prefix)), key=lambda m: m.row.id)[:100]

    def latest_messages(self, limit: int) -> Sequence[LoadedMessage]:
        """The messages decided last."""
        return nlargest(limit, self._messages(), key=lambda m: (m.row.at, m.row.id))

    def _messages(self) -> Iterator[LoadedMessage]:
        theirs = (message for record in self._records.values() for message in record.messages)
        return chain(theirs, self._nobodys)

    def overview(self) -> Overview:
        """Counted anew each time."""
        found = overview_of(self._records.values(), self._outbox, len(self._refused))
        if not self._nobodys:
            return found
        theirs = Counter((message.row.channel, message.status) for message in self._nobodys)
        return found._replace(messages=dict(Counter(found.messages) + theirs))

    def standing(self) -> Mapping[tuple[str, str, str], int]:
        """Counted anew each time."""
        return standing_of(self._records.values())

    def parked(self, limit: int) -> int:
        """Counted anew each time."""
        return min(limit, sum(record.parked is not None for record in self._records.values()))

    def coupons_left(self, offer: Offer, limit: int) -> int:
        """As a turn would find it."""
        return self._pools.left(offer, limit)

    def keep_refused(self, items: Sequence[RefusedItem]) -> None:
        """Keep what could not be taken."""
        self._refused += [item._replace(content=item.content[:2_000]) for item in items]

    def refused(self, limit: int) -> Sequence[RefusedItem]:
        """What could not be taken, newest first."""
        return list(reversed(self._refused))[:limit]

    def retain(self, now: datetime, limit: int) -> int:
        """A store in memory forgets as it goes, but for those who ended and have not reached their goal."""
        before = now - self.index.project.settings.late_tolerance
        held = ((record, e) for record in self._records.values() for e in record.enrollments.values() if e.ended)
        over = list(islice(((record, e) for record, e in held if self._is_over(e, before)), limit))
        for record, e in over:
            self._drop(record, e)
        return len(over) + self._forget_merges(now - self.index.project.settings.history)

    def _is_over(self, e: Enrollment, at: datetime) -> bool:
        """Whether nothing that arrives after `at` concerns an enrollment that ended."""
        goal = self._versions[e.journey, e.version].goal
        return e.standing != "reply" and not goal_is_open(goal, e, at, self.index.project.settings)

    @staticmethod
    def _drop(record: CustomerRecord, e: Enrollment) -> None:
        del record.enrollments[e.id]
        if not record.enrollments:
            record.enrollments = {}  # one that was emptied keeps its room, for every customer

    def close(self) -> None:
        """Nothing is held."""


def _opt_out(customer: Customer, places: Iterable[tuple[str, str]], at: datetime) -> None:
    for place in places:
        customer.consents[place] = "out"
        customer.consent_dates = {**customer.consent_dates, place: at}


def _place(record: CustomerRecord) -> tuple[datetime, str]:
    """Since when a customer who is ready has been so, and the id, which decides between customers of one instant."""
    inbox, due_at = record.inbox, record.next_due_at
    if not inbox:
        assert due_at is not None  # else nothing made the customer ready
        return due_at, record.customer.id
    at = inbox[0].received_at
    return (at if due_at is None or at <= due_at else due_at), record.customer.id
