"""`decide(view, now)`: what happens next to a batch of customers. Pure: the same view and instant give the same
changes.

Customers are decided one after another, in the order of the view. A customer whose decisions raise is parked: its
changes are dropped, what it took from the shared pools is given back, and the others go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from heapq import heappop

import orchestrator.core.steps.table  # noqa: F401  fills the table of step functions
from orchestrator.core.arrivals import take_item
from orchestrator.core.calendar_triggers import fire_date, fire_inactive, fire_spread
from orchestrator.core.changes import Changes, CustomerChanges
from orchestrator.core.customer import Timer
from orchestrator.core.double_opt_in import let_ask_again
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.events import apply_event, look_at_all, past_event, profile_moved
from orchestrator.core.firing import fire, wake
from orchestrator.core.gathering import apply_standing, fire_fall
from orchestrator.core.inbox import Body, Item, JourneyOperated, Occurred
from orchestrator.core.index import way_name
from orchestrator.core.pools import WorkingPools
from orchestrator.core.profile import apply_stage_rules, end_consent, look_at_segment
from orchestrator.core.steps.people import escalate, task_is_overdue
from orchestrator.core.transition import Transition
from orchestrator.core.turn import CustomerTurn
from orchestrator.core.turn_state import next_due_at
from orchestrator.core.view import CustomerView, View


def decide(view: View, now: datetime) -> Changes:
    """Decide everything that is due for the customers of the view at the actual instant `now`."""
    pools = WorkingPools(view.pools, view.salt)
    decided: list[CustomerChanges] = []
    turn: CustomerTurn | None = None
    for record in view.customers:
        if pools.touched:
            pools.begin()
        try:
            changes = _remembered(view, record, now) if len(record.inbox) == 1 else None
            if changes is None:
                if turn is None:
                    turn = CustomerTurn(view, pools, now)
                turn.begin(record)
                changes = _take_due(turn, record)
        except Exception as error:
            pools.undo()
            changes = _parked(view, record, now, error)
        decided.append(changes)
    if turn is not None:
        turn.leave()
    return Changes(view.ordinal, decided)


def decide_customer(view: View, pools: WorkingPools, record: CustomerView, now: datetime) -> CustomerChanges:
    """Everything that is due for one customer, decided on its own. Raises what the decisions raise."""
    changes = _remembered(view, record, now) if len(record.inbox) == 1 else None
    if changes is None:
        turn = CustomerTurn(view, pools, now)
        turn.begin(record)
        changes = _take_due(turn, record)
        turn.leave()
    return changes


def _take_due(turn: CustomerTurn, record: CustomerView) -> CustomerChanges:
    """All that is due, taken in the order of the language reference, section 6."""
    inbox, enrollments = record.inbox, record.enrollments
    if record.customer.timers or len(inbox) + len(enrollments) != 1:
        _fill(turn, record)
    elif inbox:
        turn.behind = inbox[0].received_at < turn.punctual_from
        _take_arrived(turn, inbox[0])
    else:
        _wake_only(turn, enrollments[0])
    due = turn.due
    while due:
        taken = heappop(due)[-1]
        if type(taken) is Item:
            _take_arrived(turn, taken)
        elif isinstance(taken[0], int):
            _take_inner(turn, *taken)
        elif len(taken) == 3:
            _run_timer(turn, *taken)
        else:
            enrollment_id, due_at = taken
            turn.depth = turn.depth_of(enrollment_id)
            turn.take(due_at)
            fire(turn, enrollment_id, due_at)
    return turn.finish()


def _take_arrived(turn: CustomerTurn, item: Item) -> None:
    """One item of the inbox."""
    seq, received_at, body = item
    turn.out.consumed.append(seq)
    turn.depth = 0
    turn.take(received_at)
    if type(body) is Occurred:
        apply_event(turn, body.event, received_at)
    else:
        take_item(turn, body, received_at)


def _wake_only(turn: CustomerTurn, e: Enrollment) -> None:
    """The timer of the only enrollment, if it is due, where nothing else can come before it: it needs no queue."""
    due_at = e.due_at
    if due_at is None or due_at > turn.now or e.status != "running" or e.journey in turn.paused:
        return
    turn.behind = due_at < turn.punctual_from
    turn.depth = 0
    turn.take(due_at)
    wake(turn, e, due_at)


def _remembered(view: View, record: CustomerView, now: datetime) -> CustomerChanges | None:
    """What comes of one event that nobody listens to, when nothing else is due: it joins the history. Else None.

    Most of what a busy shop tracks is of this kind, and needs no turn of its own.
    """
    seq, _, body = record.inbox[0]
    if type(body) is not Occurred or not view.index.hearers(body.event.name).only_remembered or record.customer.fresh:
        return None
    due_at = next_due_at(view, record.enrollments, record.customer)
    if due_at is not None and due_at <= now:
        return None
    changes = CustomerChanges(record.customer.id, consumed=[seq])
    changes.events.append(past_event(body.event))
    changes.next_due_at = due_at
    return changes


def _fill(turn: CustomerTurn, record: CustomerView) -> None:
    """Queue what is due; when the engine is further behind than `late_tolerance`, events come before all timers."""
    enrollments, inbox = record.enrollments, record.inbox
    if inbox and enrollments:
        enrollments = [e for e in enrollments if not _thaws(e, inbox)]
    earliest = next_due_at(turn.view, enrollments, record.customer) if enrollments or record.customer.timers else None
    for item in inbox:
        if earliest is None or item.received_at < earliest:
            earliest = item.received_at
    turn.behind = earliest is not None and earliest < turn.punctual_from
    for item in inbox:
        turn.put_item(item)
    for e in enrollments:
        if e.status == "running":
            turn.put_enrollment(e)
    if record.customer.timers:
        for (kind, name), timer in record.customer.timers.items():
            turn.put_timer(kind, name, timer)


def _thaws(e: Enrollment, inbox: Sequence[Item]) -> bool:
    """Whether the end of a pause, which is still in the inbox, will say when this overdue timer is due."""
    if e.due_at is None:
        return False
    for item in inbox:
        body = item.body
        if type(body) is JourneyOperated and body.action == "resume" and body.journey == e.journey:
            if e.due_at < item.received_at:
                return True
    return False


def _take_inner(turn: CustomerTurn, depth: int, body: Body, made_at: datetime) -> None:
    """Something that a decision of this turn made, for the same instant."""
    turn.depth = depth
    turn.take(made_at)
    take_item(turn, body, made_at)


def _run_timer(turn: CustomerTurn, kind: str, name: str, timer: Timer) -> None:
    """One of the customer's own timers, if it still stands."""
    if turn.customer.timers.get((kind, name)) != timer:
        return
    turn.depth = turn.depth_of(kind, name)
    turn.take(timer.due_at)
    match kind:
        case "segment":
            turn.set_timer(kind, name, None)
            if name in turn.index.segments:
                look_at_segment(turn, turn.index.segments[name])
                look_at_all(turn)
        case "stages":
            turn.set_timer(kind, name, None)
            apply_stage_rules(turn)
            profile_moved(turn, [], "")
            look_at_all(turn)
        case "task":
            turn.set_timer(kind, name, None)
            if timer.data:
                escalate(turn, timer.data)
            else:
                task_is_overdue(turn, turn.tasks.get(name))
        case "scores":
            turn.set_timer(kind, name, None)
            apply_standing(turn)
            profile_moved(turn, [("score", None, None)], "")
        case "score":
            way = next((way for way in turn.index.score_ways if way_name(way) == name), None)
            if way is None:
                turn.set_timer(kind, name, None)  # the trigger is gone
            else:
                fire_fall(turn, way)
        case "confirm":
            let_ask_again(turn, name)
        case "consent":
            profile_moved(turn, end_consent(turn, name), turn.occasion("consents"))
        case "date" | "inactive" | "spread":
            fire_by_kind = {"date": fire_date, "inactive": fire_inactive, "spread": fire_spread}[kind]
            ways = [*turn.index.dates, *turn.index.inactive, *turn.index.schedules]
            way = next((way for way in ways if way_name(way) == name), None)
            if way is None:
                turn.set_timer(kind, name, None)  # the trigger is gone
            else:
                fire_by_kind(turn, way, timer)


def _parked(view: View, record: CustomerView, now: datetime, error: Exception) -> CustomerChanges:
    """A poison item: nothing of this customer's turn is kept but the reason."""
    detail = f"{type(error).__name__}: {error}"
    line = Transition(
        now,
        record.customer.id,
        view.ordinal * 100_000 + 1,
        "failed",
        data={"reason": "exception"},
        values={"error": detail},
    )
    return CustomerChanges(record.customer.id, transitions=[line], parked="exception", detail=detail)
