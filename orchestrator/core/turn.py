"""One customer's part of a turn: the working state, the queue of what is due, and how decisions are recorded.

The rules live in the modules beside this one (events, profile, entering, advance, waiting, guard, steps/): they are
functions over a CustomerTurn. Nothing that the view holds is changed; what is edited is copied first.
"""

from __future__ import annotations

from datetime import datetime
from heapq import heappop, heappush
from typing import Any, Iterable, Mapping, Sequence

from orchestrator.core.changes import CustomerChanges, MarkMessage, SuppressAddress
from orchestrator.core.customer import Customer, Timer
from orchestrator.core.enrollment import Enrollment, EntryRecord
from orchestrator.core.expression.expr import Expr
from orchestrator.core.expression.scope import PastEvent, Scope
from orchestrator.core.facts import TurnFacts, TurnHistory
from orchestrator.core.inbox import Body, Event, Item, Occurred, ScheduleFired
from orchestrator.core.ledger import Coupon, Task
from orchestrator.core.pools import WorkingPools
from orchestrator.core.program import Journey, ZoneRule
from orchestrator.core.time.zone_in_force import ZoneInForce, zone_in_force
from orchestrator.core.time.zones import zone_or_none
from orchestrator.core.transition import Transition
from orchestrator.core.view import CustomerView, LoadedMessage, View
from orchestrator.errors import DecisionError, EvaluationError

DEEPEST = 100
"""How many events may follow from one another at one instant before the engine takes it for a loop."""


class CustomerTurn:
    """The working state. `now` is the actual instant, `t` the instant of what is being decided (see advance)."""

    def __init__(self, view: View, pools: WorkingPools, record: CustomerView, now: datetime) -> None:
        self.view = view
        self.index = view.index
        self.project = view.project
        self.pools = pools
        self.record = record
        self.now = now
        self.t = now
        self.customer = record.customer
        self._own_customer = False
        self.out = CustomerChanges(record.customer.id)
        self.enrollments: dict[str, Enrollment] = {e.id: e for e in record.enrollments}
        self._own: set[str] = set()
        self.history = TurnHistory(record.history)
        self.messages: Sequence[LoadedMessage] = record.messages
        self.coupons: dict[str, Coupon] = {c.id: c for c in record.coupons}
        self.tasks: dict[str, Task] = {task.id: task for task in record.tasks}
        self.facts = TurnFacts(self)
        self.scope = Scope(_NO_RESULTS, now=now, zone=view.project.timezone, facts=self.facts)
        self._data: dict[str, Any] | None = None
        self._zones: dict[object, ZoneInForce] = {}
        self._heap: list[tuple[Any, ...]] = []
        self._n = 0
        self._seq = view.ordinal * 100_000
        self.depth = 0
        self.steps_taken: dict[str, int] = {}
        self.behind = False
        self.came_from: datetime | None = None
        """When what is being taken was due or arrived, before `t` was moved by an engine that came late."""
        self.lateness_from: datetime | None = None
        self.updated: set[str] = set()
        self.looked_at: dict[str, Any] | None = None
        self._suppressed: dict[tuple[str, str], set[str]] = {}
        self._occasions: dict[str, int] = {}

    # --- the queue -------------------------------------------------------------------------------------------------

    def put_item(self, item: Item) -> None:
        """Queue an inbox item at its arrival; the entries of a fan-out come after all else of their instant."""
        self._n += 1
        place = 2 if type(item.body) is ScheduleFired else 0
        rank = 2 if place and self.behind else 0
        heappush(self._heap, (rank, item.received_at, place, 0, "", self._n, item))

    def emit(self, body: Body) -> None:
        """Queue something that a decision made, for the same instant. Raises DecisionError when 100 deep."""
        if self.depth >= DEEPEST:
            raise DecisionError(f"{DEEPEST} events followed from one another at one instant: the journeys feed each other")
        self._n += 1
        heappush(self._heap, (0, self.t, 0, 0, "", self._n, (self.depth + 1, body, self.t)))

    def occasion(self, *parts: str) -> str:
        """An identity for something that happens at the present instant: a repeated turn gives the same one again."""
        text = ":".join((*parts, self.t.isoformat()))
        count = self._occasions[text] = self._occasions.get(text, 0) + 1
        return text if count == 1 else f"{text}:{count}"

    def emit_event(self, name: str, properties: Mapping[str, Any], identity: str) -> None:
        """Queue an event of this customer for the same instant."""
        self.emit(Occurred(Event(name, self.t, properties, identity)))

    def put_enrollment(self, e: Enrollment) -> None:
        """Queue an enrollment's timer, if it is due and its journey is not paused."""
        due_at = e.due_at
        if due_at is None or due_at > self.now:
            return
        if e.status == "running" and e.journey in self.view.switches.paused:
            return
        self._n += 1
        journey = self.program(e)
        rank = 1 if self.behind else 0
        heappush(self._heap, (rank, due_at, 1, -journey.priority, e.journey, e.entered_at, self._n, (e.id, due_at)))

    def put_timer(self, kind: str, name: str, timer: Timer) -> None:
        """Queue one of the customer's own timers, if it is due. Memberships come before entries, both before journeys."""
        if timer.due_at > self.now:
            return
        self._n += 1
        rank = 1 if self.behind else 0
        place = -1_000 if kind in ("segment", "stages") else -500
        heappush(self._heap, (rank, timer.due_at, 1, place, name, self.now, self._n, (kind, name, timer)))

    def pop(self) -> Any:
        """The next thing to take, None when there is none."""
        return heappop(self._heap)[-1] if self._heap else None

    def instant(self, due_at: datetime) -> datetime:
        """The instant at which a thing due at `due_at` is decided: its own, unless the engine came too late."""
        return due_at if self.now - due_at <= self.project.settings.late_tolerance else self.now

    # --- state that may be edited ----------------------------------------------------------------------------------

    def edit(self, e: Enrollment) -> Enrollment:
        """The turn's own copy of an enrollment."""
        if e.id in self._own:
            return self.enrollments[e.id]
        twin = e.copy()
        self._own.add(e.id)
        self.enrollments[e.id] = twin
        return twin

    def add(self, e: Enrollment) -> None:
        """A new enrollment."""
        self._own.add(e.id)
        self.enrollments[e.id] = e

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
        return self.in_order(e for e in self.enrollments.values() if e.status == "running")

    def in_order(self, enrollments: Iterable[Enrollment]) -> list[Enrollment]:
        """Enrollments by journey priority, then journey id, then entry."""
        found = list(enrollments)
        if len(found) > 1:
            found.sort(key=lambda e: (-self.program(e).priority, e.journey, e.entered_at, e.id))
        return found

    def program(self, e: Enrollment) -> Journey:
        """The version that this enrollment is pinned to."""
        return self.view.versions[e.journey, e.version]

    def entry_record(self, journey: str, key: str) -> EntryRecord:
        """What is remembered of the entries with this key."""
        place = (journey, key)
        return self.out.entries.get(place) or self.record.entries.get(place) or EntryRecord()

    def append_message(self, message: LoadedMessage) -> None:
        """Add a new row to the ledger as this turn sees it."""
        self.messages = [*self.messages, message]
        self.out.messages.append(message.row)

    def mark_message(self, message_id: str, mark: str, **fields: Any) -> None:
        """Note what a receipt said about a message: in the ledger as this turn sees it, and for the store."""
        self.messages = [
            LoadedMessage(
                m.row, fields.get("status", m.status), fields.get("opened_at", m.opened_at), fields.get("clicked_at", m.clicked_at)
            )
            if m.row.id == message_id
            else m
            for m in self.messages
        ]  # fmt: skip
        self.out.marks.append(MarkMessage(message_id, mark, self.t))

    def put_coupon(self, coupon: Coupon) -> None:
        """A new or changed coupon."""
        self.coupons[coupon.id] = coupon
        self.out.coupons.append(coupon)

    def suppress(self, channel: str, address: str, cause: str) -> None:
        """Never write to this address again; effective for the rest of this turn, too."""
        self._suppressed.setdefault((channel, address), set()).add(cause)
        self.out.suppress.append(SuppressAddress(channel, address, cause, self.t))

    def causes(self, channel: str, address: str) -> frozenset[str]:
        """Why nothing may be written to a (normalised) address; empty: nothing forbids it."""
        known = self.view.suppressions.get((channel, address), _NO_CAUSES)
        new = self._suppressed.get((channel, address))
        return known | new if new else known

    def put_task(self, task: Task) -> None:
        """A new or changed task."""
        self.tasks[task.id] = task
        self.out.tasks.append(task)

    # --- reading ---------------------------------------------------------------------------------------------------

    def customer_data(self) -> dict[str, Any]:
        """What `customer` is in expressions: attributes (declared defaults included) under the reserved names."""
        if self._data is None:
            c = self.customer
            data: dict[str, Any] = {
                name: spec.default for name, spec in self.project.attributes.items() if spec.default is not None
            }
            data.update(c.attributes)
            data["id"] = c.id
            data["email"] = c.email
            data["phone"] = c.phone
            data["timezone"] = c.timezone
            data["locale"] = c.locale
            data["country"] = c.country
            data["currency"] = c.currency
            data["created_at"] = c.created_at
            data["tags"] = list(c.tags)
            data["stage"] = c.stage
            data["score"] = None
            data["attributes"] = c.attributes
            self._data = data
        return self._data

    def zone(self, rule: ZoneRule | None, e: Enrollment | None = None) -> ZoneInForce:
        """The zone in force under a `timezone:` rule (None: the customer's own)."""
        if rule is not None and rule.expr is not None:
            scope = self.scope_of(e, None, self.zone(None).zone)
            try:
                named = zone_or_none(rule.expr.evaluate(scope))
            except EvaluationError:
                named = None
            return ZoneInForce(named, "step", (named,)) if named is not None else self.zone(None)
        key = rule.zone if rule is not None and rule.zone is not None else "customer"
        found = self._zones.get(key)
        if found is None:
            c = self.customer
            found = self._zones[key] = zone_in_force(
                rule.zone if rule is not None else None, c.timezone, c.phone, c.country or None, self.project.timezone
            )
        return found

    def forget_zones(self) -> None:
        """The profile changed: zones are looked up anew."""
        self._zones.clear()

    def zone_of(self, e: Enrollment, step_rule: ZoneRule | None = None) -> ZoneInForce:
        """The zone in force for an enrollment's step."""
        return self.zone(step_rule or self.program(e).timezone, e)

    def scope_of(self, e: Enrollment | None, event: dict[str, Any] | None = None, zone: Any = None) -> Scope:
        """The scope for an expression about an enrollment (or about the customer alone) at the present instant."""
        scope = self.scope
        scope.customer = self.customer_data()
        scope.event = event if event is not None else self.looked_at
        scope.now = self.t
        scope.tracking = False
        scope.changes_at = None
        self.facts.enrollment = e
        if e is None:
            scope.entry = None
            scope.results = _NO_RESULTS
            scope.loop = None
            scope.zone = zone or self.zone(None).zone
        else:
            scope.entry = e.entry
            scope.results = e.results
            scope.loop = {"index": next(reversed(e.loops.values())).number} if e.loops else None
            scope.zone = zone or self.zone_of(e).zone
        return scope

    def truth(self, expr: Expr | None, e: Enrollment | None, event: dict[str, Any] | None = None) -> bool:
        """Whether a condition holds (no condition always does). Raises DecisionError."""
        return expr is None or expr.truth(self.scope_of(e, event))

    def explain(self, expr: Expr | None, e: Enrollment | None, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """The values that a condition was decided on."""
        return {} if expr is None else expr.explain(self.scope_of(e, event))

    # --- recording -------------------------------------------------------------------------------------------------

    def next_seq(self) -> int:
        """A place in the journal."""
        self._seq += 1
        return self._seq

    def say(
        self,
        type_: str,
        data: Mapping[str, Any],
        e: Enrollment | None = None,
        step: str | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a decision at the present instant."""
        self._seq += 1
        if e is None:
            line = Transition(self.t, self.customer.id, self._seq, type_, data=data, values=values or _NOTHING)
        else:
            line = Transition(
                self.t, self.customer.id, self._seq, type_, e.journey, e.version, e.key, step, data, e.id,
                values or _NOTHING,
            )  # fmt: skip
        self.out.transitions.append(line)

    def finish(self) -> CustomerChanges:
        """Everything that this turn wants done for the customer."""
        out = self.out
        out.enrollments = [self.enrollments[id] for id in self._own]
        if self._own_customer:
            out.customer = self.customer
        out.taken = self.pools.taken()
        paused = self.view.switches.paused
        due = [
            e.due_at
            for e in self.enrollments.values()
            if e.due_at is not None and e.status == "running" and e.journey not in paused
        ]
        due.extend(timer.due_at for timer in self.customer.timers.values())
        out.next_due_at = min(due, default=None)
        return out


_NO_RESULTS: dict[str, Any] = {}
_NO_CAUSES: frozenset[str] = frozenset()
_NOTHING: Mapping[str, Any] = {}
