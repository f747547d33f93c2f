"""One customer's part of a turn: the working state, the queue of what is due, and how decisions are recorded.

The rules live in the modules beside this one (events, profile, entering, advance, waiting, guard, steps/): they are
functions over a CustomerTurn. Nothing that the view holds is changed; what is edited is copied first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.core.changes import CustomerChanges, MarkMessage, SuppressAddress
from orchestrator.core.customer import Customer, Timer
from orchestrator.core.enrollment import Enrollment, EntryRecord
from orchestrator.core.expression.expr import Expr
from orchestrator.core.expression.scope import Scope
from orchestrator.core.facts import TurnFacts, TurnHistory
from orchestrator.core.ledger import Coupon, Request, Task
from orchestrator.core.pools import WorkingPools
from orchestrator.core.program import CUSTOMER_ZONE, Journey, StepBase, ZoneRule
from orchestrator.core.time.zone_in_force import ZoneInForce, zone_in_force
from orchestrator.core.time.zones import zone_or_none
from orchestrator.core.transition import transition
from orchestrator.core.turn_queue import TurnQueue
from orchestrator.core.view import CustomerView, LoadedMessage, View
from orchestrator.errors import EvaluationError

_NO_RESULTS: dict[str, Any] = {}
_NO_ENTRIES = EntryRecord()
_NO_CAUSES: frozenset[str] = frozenset()
_NOTHING: Mapping[str, Any] = {}


class CustomerTurn(TurnQueue):
    """The working state. `now` is the actual instant, `t` the instant of what is being decided (see advance).

    One serves all customers of a view, one after another: `begin` forgets everything about the last one, and makes
    little of what most of them never use.
    """

    __slots__ = (
        "_data",
        "_first_seq",
        "_history",
        "_own",
        "_own_customer",
        "_own_zone",
        "_seq",
        "_suppressed",
        "came_from",
        "coupons",
        "customer",
        "enrollments",
        "facts",
        "index",
        "lateness_from",
        "looked_at",
        "messages",
        "out",
        "pools",
        "project",
        "record",
        "scope",
        "steps_taken",
        "tasks",
        "updated",
    )

    def __init__(self, view: View, pools: WorkingPools, now: datetime) -> None:
        super().__init__(view, now)
        self.index = view.index
        self.project = view.index.project
        self.pools = pools
        self.facts = TurnFacts(self)
        self.scope = Scope(_NO_RESULTS, now=now, zone=self.project.timezone, facts=self.facts)
        self._first_seq = view.ordinal * 100_000
        self.came_from: datetime | None = None
        """When what is being taken was due or arrived, before `t` was moved by an engine that came late."""
        self.lateness_from: datetime | None = None
        self.looked_at: dict[str, Any] | None = None

    def begin(self, record: CustomerView) -> None:
        """The next customer of the view. What is set whenever something is taken is left as it is."""
        self.start()
        self.record = record
        self.customer = customer = record.customer
        self._own_customer = False
        self.out = CustomerChanges(customer.id)
        enrollments = record.enrollments
        self.enrollments: dict[str, Enrollment]
        if len(enrollments) == 1:
            self.enrollments = {enrollments[0].id: enrollments[0]}
        else:
            self.enrollments = {e.id: e for e in enrollments} if enrollments else {}
        self._own: dict[str, Enrollment] = {}
        self._history: TurnHistory | None = None
        self.messages: Sequence[LoadedMessage] = record.messages
        self.coupons: dict[str, Coupon] = {c.id: c for c in record.coupons} if record.coupons else {}
        self.tasks: dict[str, Task] = {task.id: task for task in record.tasks} if record.tasks else {}
        self._data: dict[str, Any] | None = None
        self._own_zone: ZoneInForce | None = None
        self._seq = self._first_seq
        self.steps_taken: dict[str, int] | None = None
        self.updated: set[str] | None = None
        """The enrollments that the present event updated."""
        self._suppressed: dict[tuple[str, str], set[str]] | None = None

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

    def append_message(self, message: LoadedMessage) -> None:
        """Add a new row to the ledger as this turn sees it."""
        self.messages = [*self.messages, message] if self.messages else [message]
        out = self.out
        out.messages = [*out.messages, message.row] if out.messages else [message.row]

    def mark_message(self, message_id: str, mark: str, **fields: Any) -> None:
        """Note what a receipt said about a message: in the ledger as this turn sees it, and for the store."""
        self.messages = [
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

    def suppress(self, channel: str, address: str, cause: str) -> None:
        """Never write to this address again; effective for the rest of this turn, too."""
        if self._suppressed is None:
            self._suppressed = {}
        self._suppressed.setdefault((channel, address), set()).add(cause)
        self.out.suppress = [*self.out.suppress, SuppressAddress(channel, address, cause, self.t)]

    def causes(self, channel: str, address: str) -> frozenset[str]:
        """Why nothing may be written to a (normalised) address; empty: nothing forbids it."""
        if not self.view.suppressions and self._suppressed is None:
            return _NO_CAUSES
        known = self.view.suppressions.get((channel, address), _NO_CAUSES)
        new = self._suppressed.get((channel, address)) if self._suppressed is not None else None
        return known | new if new else known

    def put_task(self, task: Task) -> None:
        """A new or changed task."""
        self.tasks[task.id] = task
        self.out.tasks = [*self.out.tasks, task]

    def put_request(self, request: Request) -> None:
        """A call to make outside the turn."""
        self.out.requests = [*self.out.requests, request]

    # --- reading ---------------------------------------------------------------------------------------------------

    @property
    def history(self) -> TurnHistory:
        """The past events, those of this turn included."""
        if self._history is None:
            self._history = TurnHistory(self.record.history, self.out.events)
        return self._history

    def customer_data(self) -> dict[str, Any]:
        """What `customer` is in expressions: attributes (declared defaults included) under the reserved names."""
        if self._data is None:
            c = self.customer
            self._data = {
                **self.index.defaults,
                **c.attributes,
                "id": c.id,
                "email": c.email,
                "phone": c.phone,
                "timezone": c.timezone,
                "locale": c.locale,
                "country": c.country,
                "currency": c.currency,
                "created_at": c.created_at,
                "tags": list(c.tags),
                "stage": c.stage,
                "score": None,
                "attributes": c.attributes,
            }
        return self._data

    def zone(self, rule: ZoneRule | None, e: Enrollment | None = None) -> ZoneInForce:
        """The zone in force under a `timezone:` rule (None: the customer's own)."""
        if rule is None or (rule.zone is None and rule.expr is None):
            found = self._own_zone
            if found is None:
                c = self.customer
                found = zone_in_force(None, c.timezone, c.phone, c.country or None, self.project.timezone)
                self._own_zone = found
            return found
        if rule.expr is None:
            return zone_in_force(rule.zone, None, None, None, self.project.timezone)
        try:
            named = zone_or_none(rule.expr.evaluate(self.scope_of(e, None, self.zone(None).zone)))
        except EvaluationError:
            named = None
        return ZoneInForce(named, "step", (named,)) if named is not None else self.zone(None)

    def forget_zones(self) -> None:
        """The profile changed: its zone is looked up anew."""
        self._own_zone = None

    def zone_of(self, e: Enrollment, step_rule: ZoneRule | None = None) -> ZoneInForce:
        """The zone in force for an enrollment's step."""
        rule = step_rule or self.view.versions[e.journey, e.version].timezone
        if rule is CUSTOMER_ZONE and self._own_zone is not None:
            return self._own_zone
        return self.zone(rule, e)

    def zone_at(self, e: Enrollment, journey: Journey, step: StepBase) -> ZoneInForce:
        """The zone in force at a step of an enrollment's journey."""
        rule = step.timezone or journey.timezone
        if rule is CUSTOMER_ZONE:
            return self._own_zone or self.zone(None)
        return self.zone(rule, e)

    def scope_of(
        self,
        e: Enrollment | None,
        event: dict[str, Any] | None = None,
        zone: Any = None,
        with_customer: bool = True,
    ) -> Scope:
        """The scope for an expression about an enrollment (or about the customer alone) at the present instant.

        `with_customer` False: for one that never says `customer`, whose data are half of what a scope costs.
        """
        if zone is None:  # first of all, because a zone may be computed, too: in this same scope
            rule = self.view.versions[e.journey, e.version].timezone if e is not None else CUSTOMER_ZONE
            zone = (self._own_zone or self.zone(None) if rule is CUSTOMER_ZONE else self.zone(rule, e)).zone
        scope = self.scope
        scope.customer = (self._data or self.customer_data()) if with_customer else _NO_RESULTS
        scope.event = event if event is not None else self.looked_at
        scope.now = self.t
        scope.tracking = False
        scope.changes_at = None
        self.facts.enrollment = e
        if e is None:
            scope.entry = None
            scope.results = _NO_RESULTS
            scope.loop = None
        else:
            scope.entry = e.entry
            scope.results = e.results
            scope.loop = {"index": next(reversed(e.loops.values())).number} if e.loops else None
        scope.zone = zone
        return scope

    def truth(self, expr: Expr | None, e: Enrollment | None, event: dict[str, Any] | None = None) -> bool:
        """Whether a condition holds (no condition always does). Raises DecisionError."""
        return expr is None or expr.truth(self.scope_of(e, event))

    def explain(self, expr: Expr | None, e: Enrollment | None, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """The values that a condition was decided on."""
        return {} if expr is None else expr.explain(self.scope_of(e, event))

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
