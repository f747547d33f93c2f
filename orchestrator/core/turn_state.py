"""What one customer's turn may edit, and what it writes down: the working state behind a CustomerTurn.

Nothing that the view holds is changed; what is edited is copied first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.core.addresses import Address
from orchestrator.core.changes import CustomerChanges, MarkMessage, SuppressAddress
from orchestrator.core.consent import Choice
from orchestrator.core.customer import Customer, Timer
from orchestrator.core.enrollment import Enrollment, EntryRecord
from orchestrator.core.facts import TurnHistory
from orchestrator.core.inbox import ConsentChanged
from orchestrator.core.ledger import Coupon, Message, Request, Task
from orchestrator.core.plus_addresses import keeps_apart, put_as, reasons
from orchestrator.core.pools import WorkingPools
from orchestrator.core.time.zone_in_force import ZoneInForce
from orchestrator.core.transition import transition
from orchestrator.core.turn_queue import TurnQueue
from orchestrator.core.view import CustomerView, LoadedMessage, View

_NO_ENTRIES = EntryRecord()
_NO_CAUSES: frozenset[str] = frozenset()
_NOTHING: Mapping[str, Any] = {}


class TurnState(TurnQueue):
    """The working state. One serves all customers of a view, one after another: `begin` forgets everything about the
    last one, and makes little of what most of them never use."""

    __slots__ = (
        "_data",
        "_first_seq",
        "_history",
        "_messages",
        "_own",
        "_own_customer",
        "_own_zone",
        "_seq",
        "_suppressed",
        "came_from",
        "coupons",
        "customer",
        "enrollments",
        "index",
        "out",
        "pools",
        "project",
        "record",
        "steps_taken",
        "tasks",
        "updated",
    )

    def __init__(self, view: View, pools: WorkingPools, now: datetime) -> None:
        super().__init__(view, now)
        self.index = view.index
        self.project = view.index.project
        self.pools = pools
        self._first_seq = view.ordinal * 100_000
        self.came_from: datetime | None = None
        """When what is being taken was due or arrived, before `t` was moved by an engine that came late."""
        self.steps_taken: dict[str, int] = {}
        """Steps that each enrollment took in this turn of the view: their ids are nobody else's."""

    def begin(self, record: CustomerView) -> None:
        """The next customer of the view. What is set whenever something is taken is left as it is."""
        self.start()
        self.record = record
        self.customer = customer = record.customer
        self.out = CustomerChanges(customer.id)
        enrollments = record.enrollments
        self.enrollments: dict[str, Enrollment]
        if len(enrollments) == 1:
            only = enrollments[0]
            self.enrollments = {only.id: only}
        else:
            self.enrollments = {e.id: e for e in enrollments} if enrollments else {}
        self.coupons: dict[str, Coupon] = {c.id: c for c in record.coupons} if record.coupons else {}
        self.tasks: dict[str, Task] = {task.id: task for task in record.tasks} if record.tasks else {}
        self._seq = self._first_seq
        self._own: dict[str, Enrollment] = {}
        self._own_customer = False
        self._messages: Sequence[LoadedMessage] | None = None
        self._history: TurnHistory | None = None
        self._data: dict[str, Any] | None = None
        self._own_zone: ZoneInForce | None = None
        self._suppressed: dict[tuple[str, str], set[str]] | None = None
        self.updated: set[str] | None = None
        """The enrollments that the present event updated."""

    @property
    def arrived_at(self) -> datetime:
        """When what is being taken arrived, or was due: before `t`, where the engine came late."""
        return self.t if self.came_from is None else min(self.came_from, self.t)

    # --- state that may be edited ----------------------------------------------------------------------------------

    def edit(self, e: Enrollment) -> Enrollment:
        """The turn's own copy of an enrollment."""
        own = self._own.get(e.id)
        if own is None:
            own = self._own[e.id] = self.enrollments[e.id] = e.copy()
        return own

    def add(self, e: Enrollment) -> None:
        """A new enrollment."""
        self._own[e.id] = self.enrollments[e.id] = e

    def edit_customer(self) -> Customer:
        """The turn's own copy of the customer; what was derived from the profile is forgotten."""
        if not self._own_customer:
            self.customer = self.customer.copy()
            self._own_customer = True
        self._data = None
        return self.customer

    def set_timer(self, kind: str, name: str, timer: Timer | None) -> None:
        """Set or remove one of the customer's own timers; a due one is queued."""
        old = self.customer.timers.get((kind, name))
        if old == timer:
            return
        data = self._data
        timers = self.edit_customer().timers
        self._data = data
        if timer is None:
            timers.pop((kind, name), None)
        else:
            timers[(kind, name)] = timer
            self.put_timer(kind, name, timer)

    def running(self) -> list[Enrollment]:
        """The running enrollments by journey priority, then journey id, then entry."""
        return self.in_order([e for e in self.enrollments.values() if e.status == "running"])

    def living(self) -> list[Enrollment]:
        """The running and the parked enrollments by journey priority, then journey id, then entry."""
        return self.in_order([e for e in self.enrollments.values() if not e.ended])

    def in_order(self, enrollments: Iterable[Enrollment]) -> list[Enrollment]:
        """Enrollments by journey priority, then journey id, then entry."""
        found = list(enrollments)
        if len(found) > 1:
            found.sort(key=lambda e: (-self.program(e).priority, e.journey, e.entered_at, e.id))
        return found

    def entry_record(self, journey: str, key: str) -> EntryRecord:
        """What is remembered of the entries with this key."""
        place = (journey, key)
        if self.out.entries and (found := self.out.entries.get(place)) is not None:
            return found
        return self.record.entries.get(place, _NO_ENTRIES)

    @property
    def messages(self) -> Sequence[LoadedMessage]:
        """The customer's messages in the order of their decisions, those of this turn included."""
        messages = self.record.messages if self._messages is None else self._messages
        new = len(self.record.messages) + len(self.out.messages) - len(messages)
        if new:
            messages = self._messages = [*messages, *map(LoadedMessage, self.out.messages[-new:])]
        return messages

    def append_message(self, row: Message) -> None:
        """Add a new row to the ledger."""
        out = self.out
        out.messages = [*out.messages, row] if out.messages else [row]

    def mark_message(self, message_id: str, mark: str, **fields: Any) -> None:
        """Note what a receipt said about a message: in the ledger as this turn sees it, and for the store."""
        self._messages = [
            LoadedMessage(
                m.row,
                fields.get("status", m.status),
                fields.get("opened_at", m.opened_at),
                fields.get("clicked_at", m.clicked_at),
            )
            if m.row.id == message_id
            else m
            for m in self.messages
        ]
        self.out.marks = [*self.out.marks, MarkMessage(message_id, mark, self.t)]

    def put_coupon(self, coupon: Coupon) -> None:
        """A new or changed coupon."""
        self.coupons[coupon.id] = coupon
        self.out.coupons = [*self.out.coupons, coupon]

    def suppress(self, channel: str, address: Address, cause: str) -> None:
        """Never write to this address again; effective for the rest of this turn, too."""
        cause = put_as(cause, channel, address.text, keeps_apart(self.project.channels), self.view.salt)
        if self._suppressed is None:
            self._suppressed = {}
        self._suppressed.setdefault((channel, address.normal), set()).add(cause)
        self.out.suppress = [*self.out.suppress, SuppressAddress(channel, address.normal, cause, self.t)]

    def causes(self, channel: str, address: Address) -> frozenset[str]:
        """Why nothing may be written to an address; empty: nothing forbids it."""
        if not self.view.suppressions and self._suppressed is None:
            return _NO_CAUSES
        place = (channel, address.normal)
        found = self.view.suppressions.get(place, _NO_CAUSES)
        if self._suppressed is not None:
            found = found | self._suppressed.get(place, _NO_CAUSES)
        if not found:
            return _NO_CAUSES
        return reasons(found, channel, address.text, keeps_apart(self.project.channels), self.view.salt)

    def note_choice(self, item: ConsentChanged, state: str, at: datetime, refused: str | None = None) -> None:
        """A row of the consent ledger. It was taken when it arrived, however late this turn is: since then it binds."""
        row = Choice(
            item.topic, item.channel, state, at, self.arrived_at, item.source, item.wording, item.proof,
            item.expires_at, refused,
        )  # fmt: skip
        self.out.choices = [*self.out.choices, row]

    def put_task(self, task: Task) -> None:
        """A new or changed task."""
        self.tasks[task.id] = task
        self.out.tasks = [*self.out.tasks, task]

    def put_request(self, request: Request) -> None:
        """A call to make outside the turn."""
        self.out.requests = [*self.out.requests, request]

    @property
    def history(self) -> TurnHistory:
        """The past events, those of this turn included."""
        if self._history is None:
            self._history = TurnHistory(self.record.history, self.out.events)
        return self._history

    # --- recording -------------------------------------------------------------------------------------------------

    def next_seq(self, places: int = 1) -> int:
        """A place in the journal; `places`: with those right behind it."""
        first = self._seq + 1
        self._seq += places
        return first

    def say(
        self,
        type_: str,
        data: Mapping[str, Any],
        e: Enrollment | None = None,
        step: str | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a decision at the present instant."""
        seq = self._seq = self._seq + 1
        line: tuple[Any, ...]
        if e is None:
            line = (self.t, self.customer.id, seq, type_, None, None, None, None, data, None, values or _NOTHING)
        else:
            whom = self.customer.id
            line = (self.t, whom, seq, type_, e.journey, e.version, e.key, step, data, e.id, values or _NOTHING)
        self.out.transitions.append(transition(line))

    def finish(self) -> CustomerChanges:
        """Everything that this turn wants done for the customer."""
        out = self.out
        if self._own:
            out.enrollments = [*self._own.values()]
        if self._own_customer:
            out.customer = self.customer
        if self.pools.touched:
            out.taken = self.pools.taken()
        if self.enrollments or self.customer.timers:
            out.next_due_at = next_due_at(self.view, self.enrollments.values(), self.customer)
        return out


def next_due_at(view: View, enrollments: Iterable[Enrollment], customer: Customer) -> datetime | None:
    """The earliest timer of a customer that runs now; those of paused journeys stand still."""
    earliest: datetime | None = None
    for e in enrollments:
        due_at = e.due_at
        if due_at is not None and e.status == "running" and (earliest is None or due_at < earliest):
            if e.journey not in view.switches.paused:
                earliest = due_at
    if customer.timers:
        for timer in customer.timers.values():
            if earliest is None or timer.due_at < earliest:
                earliest = timer.due_at
    return earliest
