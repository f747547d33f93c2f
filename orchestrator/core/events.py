"""One event applied to one customer, in the seven stages of the language reference, section 6.

1 it joins the history; 2 attributes, consent, stage, segments are brought up to date; 3 goals; 4 exits; 5 update;
6 waits for events; 7 entries. A change of the profile goes through 2, 4, 6 and 7 likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrator.core.advance import leave, park_for
from orchestrator.core.calendar_triggers import renew_dates, renew_inactive
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.entering import Attempt, entry_due_at, try_to_enter
from orchestrator.core.expression.scope import PastEvent, event_data
from orchestrator.core.gathering import gather
from orchestrator.core.goals import goal_is_open
from orchestrator.core.implied_consent import imply_consents
from orchestrator.core.inbox import AttributeMoved, Event
from orchestrator.core.index import Door, doors_of
from orchestrator.core.profile import Moved, bring_up_to_date, hear
from orchestrator.core.program import Journey, OnAttribute, OnInbound, OnSegment, OnStage
from orchestrator.core.reply_words import spelled
from orchestrator.core.waiting import compute_anew, leave_by, look_at_conditions, look_at_wait
from orchestrator.errors import DecisionError

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


def apply_event(turn: CustomerTurn, event: Event, arrived_at: datetime) -> None:
    """Take one event through the stages."""
    past = past_event(event)
    turn.out.events.append(past)
    turn.updated = None
    hearers = turn.index.hearers(event.name)
    late = event.at < arrived_at and arrived_at - event.at > turn.project.settings.late_events
    if turn.customer.fresh:
        begin_life(turn)
    elif turn.customer.computed.mark != turn.index.gathered:
        bring_up_to_date(turn, taking=past, late=late)  # what is new to it is found with it in the history
    else:
        if hearers.accumulators:
            gather(turn, past, hearers)
        if hearers.stages or hearers.segments or hearers.scores or hearers.standing:
            hear(turn, hearers, past, late)
    if hearers.implied and (moved := imply_consents(turn, event, hearers.implied)):
        profile_moved(turn, moved, turn.occasion("implied"))
    data: dict[str, Any] | None = None
    if turn.enrollments and hearers.inside:
        data = event_data(past)
        if hearers.goals:
            _goals(turn, event, data)
        if hearers.exits:
            _exits(turn, event, data)
        if hearers.updates:
            _updates(turn, event, data, arrived_at)
        if hearers.waits:
            _waits(turn, event, data)
    if not late and (hearers.doors or hearers.changed):
        _entries(turn, event, hearers.doors, data or event_data(past), arrived_at)
    if hearers.inactive:
        renew_inactive(turn, event, late=late)


def past_event(event: Event) -> PastEvent:
    """An event as the history keeps it. A plain dict is shared, not copied: nobody ever changes one in place."""
    name, at, properties, id = event
    return _past((at, name, properties if type(properties) is dict else dict(properties), id))


_past: Callable[[tuple[Any, ...]], PastEvent] = partial(tuple.__new__, PastEvent)
"""A past event from all its fields in their order, without the calls that `PastEvent(...)` takes."""


def begin_life(turn: CustomerTurn) -> None:
    """Stage and segments brought up to date; and every timer, for a customer who was just created."""
    fresh = turn.customer.fresh
    if fresh:
        turn.edit_customer().fresh = False
    bring_up_to_date(turn, new=fresh)
    if fresh:
        renew_dates(turn)
        renew_inactive(turn)


def profile_moved(turn: CustomerTurn, moved: Moved, identity: str, silent: bool = False, by_step: bool = False) -> None:
    """The profile changed: memberships, conditions, zones, and the triggers on attributes.

    `by_step`: those who enter by it queue behind what the step's own enrollment still does at this instant.
    """
    if not moved and not silent:
        return
    if silent:
        turn.edit_customer().fresh = False
        bring_up_to_date(turn, silent)
    else:
        begin_life(turn)
    names = {name for name, _, _ in moved}
    if names & {"timezone", "country", "phone"}:
        for e in turn.running():
            compute_anew(turn, e)
    look_at_all(turn)
    if silent or names & turn.index.date_attributes or names & {"timezone", "country", "phone"}:
        renew_dates(turn, () if silent else names)
    if silent:
        return
    for name, before, after in moved:
        if not by_step:
            attribute_entries(turn, name, before, after, identity)
        elif name in turn.index.by_attribute:
            turn.emit(AttributeMoved(name, before, after, identity))


def look_at_all(turn: CustomerTurn) -> None:
    """Exits and waits that are conditions are looked at on every event and change of the customer."""
    if turn.index.conditions:
        for e in turn.living():
            look_at_conditions(turn, turn.enrollments[e.id])


def _goals(turn: CustomerTurn, event: Event, data: dict[str, Any]) -> None:
    for e in turn.in_order(turn.enrollments.values()):
        goal = turn.program(e).goal
        if goal is None or goal.event != event.name or e.converted_at is not None or event.at < e.entered_at:
            continue
        if not goal_is_open(goal, e, turn.t, turn.project.settings):
            continue
        if goal.within is not None and event.at - e.entered_at > goal.within:
            continue
        try:
            if not turn.truth(goal.where, e, data):
                continue
            scope = turn.scope_of(e, data)
            value = goal.value.evaluate(scope) if goal.value is not None else None
            currency = goal.currency.evaluate(scope) if goal.currency is not None else None
        except DecisionError as error:
            park_for(turn, e, error)
            continue
        e = turn.edit(e)
        e.converted_at = event.at
        turn.say("goal", {"value": value}, e, values={"event": event.id, "currency": currency})
        if goal.exit and not e.ended:
            leave(turn, e, "goal", by_rule=True)


def _exits(turn: CustomerTurn, event: Event, data: dict[str, Any]) -> None:
    """The first exit in the order of the list that holds, for parked enrollments, too: what they wait for is a
    person."""
    for e in turn.living():
        journey = turn.program(e)
        if not turn.enrollments[e.id].ended and (journey.watches or event.name in journey.events):
            _first_exit(turn, turn.enrollments[e.id], journey, event, data)


def _first_exit(turn: CustomerTurn, e: Enrollment, journey: Journey, event: Event, data: dict[str, Any]) -> None:
    for rule in journey.exits:
        if rule.event is not None and rule.event != event.name:
            continue
        seen = data if rule.event is not None else None
        condition = rule.where if rule.event is not None else rule.when
        try:
            holds = turn.truth(condition, e, seen)
        except DecisionError as error:
            park_for(turn, e, error)
            return
        if holds:
            values = turn.explain(condition, e, seen)
            turn.looked_at = seen
            leave_by(turn, e, journey, rule, values if seen is None else {"event": event.id, **values})
            turn.looked_at = None
            return


def _updates(turn: CustomerTurn, event: Event, data: dict[str, Any], arrived_at: datetime) -> None:
    for e in turn.living():
        journey = turn.program(e)
        if event.name not in journey.events:
            continue
        for rule in journey.updates:
            if rule.event != event.name:
                continue
            try:
                if not turn.truth(rule.where, e, data):
                    continue
            except DecisionError as error:
                park_for(turn, e, error)
                break
            update_entry(turn, turn.edit(e), event.properties, entry_due_at(turn, event.at, arrived_at))
            turn.updated = {e.id} if turn.updated is None else {*turn.updated, e.id}
            break


def update_entry(turn: CustomerTurn, e: Enrollment, properties: Mapping[str, Any], at: datetime) -> None:
    """Merge properties into `entry` (its reserved names keep their meaning) and compute the present wait anew."""
    merged = {**e.entry["properties"], **properties}
    kept = {name: e.entry[name] for name in ("at", "name", "key", "trigger")}
    e.updated_at = at
    e.entry = {**e.entry, **properties, **kept, "updated_at": at, "properties": merged}
    compute_anew(turn, e)


def _waits(turn: CustomerTurn, event: Event, data: dict[str, Any]) -> None:
    for e in turn.running():
        if turn.index.conditions or event.name in turn.program(e).events:
            look_at_wait(turn, turn.enrollments[e.id], event, data)


def _entries(
    turn: CustomerTurn, event: Event, doors: Sequence[Door], data: dict[str, Any], arrived_at: datetime
) -> None:
    due_at = entry_due_at(turn, event.at, arrived_at)
    attempt = Attempt(event.name, event.properties, due_at, event.id, data)
    for journey, triggers in doors:
        try_to_enter(turn, journey, triggers, attempt)
    if event.name == "segment_changed":
        _segment_entries(turn, event, data, due_at)
    elif event.name == "stage_changed":
        _stage_entries(turn, event, data, due_at)
    elif event.name in turn.index.by_inbound:
        _inbound_entries(turn, event, data, due_at)


def _segment_entries(turn: CustomerTurn, event: Event, data: dict[str, Any], due_at: datetime) -> None:
    name, edge = event.properties["segment"], event.properties["edge"]
    values = {"from": None, "to": name} if edge == "entered" else {"from": name, "to": None}
    ways = [
        way
        for way in turn.index.by_segment.get(name, ())
        if isinstance(way.trigger, OnSegment) and way.trigger.edge == edge
    ]
    for journey, triggers in doors_of(ways):
        try_to_enter(turn, journey, triggers, Attempt("segment", values, due_at, event.id, data))


def _stage_entries(turn: CustomerTurn, event: Event, data: dict[str, Any], due_at: datetime) -> None:
    before, after = event.properties["from"], event.properties["to"]
    ways = [
        way
        for way in turn.index.by_stage
        if isinstance(way.trigger, OnStage)
        and way.trigger.to in (None, after)
        and way.trigger.from_stage in (None, before)
    ]
    for journey, triggers in doors_of(ways):
        try_to_enter(turn, journey, triggers, Attempt("stage", {"from": before, "to": after}, due_at, event.id, data))


def _inbound_entries(turn: CustomerTurn, event: Event, data: dict[str, Any], due_at: datetime) -> None:
    """Who wrote one of the words: as the first of the reply, or as the whole of it."""
    said = {event.properties.get("keyword"), spelled(str(event.properties.get("text") or ""))}
    ways = [
        way
        for way in turn.index.by_inbound[event.name]
        if isinstance(way.trigger, OnInbound) and (not way.trigger.keywords or said & way.trigger.keywords)
    ]
    for journey, triggers in doors_of(ways):
        try_to_enter(turn, journey, triggers, Attempt("inbound", event.properties, due_at, event.id, data))


def attribute_entries(turn: CustomerTurn, name: str, before: Any, after: Any, identity: str) -> None:
    """The triggers on an attribute that changed."""
    ways = [
        way
        for way in turn.index.by_attribute.get(name, ())
        if isinstance(way.trigger, OnAttribute)
        and (not way.trigger.has_from or way.trigger.from_value == before)
        and (not way.trigger.has_to or way.trigger.to_value == after)
    ]
    values = {"from": before, "to": after}
    if not ways:
        return
    attempt = Attempt("attribute", values, turn.t, f"attribute:{name}:{identity}", None)
    for journey, triggers in doors_of(ways):
        try_to_enter(turn, journey, triggers, attempt)
