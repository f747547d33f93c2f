"""Who may enter a journey: the triggers, and the refusals in their order (the language reference, section 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestrator.core.advance import leave, stand, walk
from orchestrator.core.canary import HELD, Canary, goes_at_once, same_triggers
from orchestrator.core.enrollment import Enrollment, EntryRecord, entry_record
from orchestrator.core.expression.scope import Scope
from orchestrator.core.expression.values import printed
from orchestrator.core.identity import enrollment_id, held_out, held_out_of_all
from orchestrator.core.program import Journey, OnEvent, Reentry, Trigger
from orchestrator.core.transition import Transition
from orchestrator.core.waiting import look_at_conditions
from orchestrator.errors import DecisionError

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


class Attempt:
    """What brings a customer to a journey's door.

    `values` become `entry`; `event` is what `event.*` means in `where` and `key`; `due_at` is the entry's due instant;
    `identity` names the occasion; `default_key` is the key where the trigger has none (None: the customer).
    """

    __slots__ = ("default_key", "due_at", "event", "identity", "name", "values")

    def __init__(
        self,
        name: str,
        values: Mapping[str, Any],
        due_at: datetime,
        identity: str,
        event: dict[str, Any] | None = None,
        default_key: str | None = None,
    ) -> None:
        self.name = name
        self.values = values
        self.due_at = due_at
        self.identity = identity
        self.event = event
        self.default_key = default_key


def try_to_enter(turn: CustomerTurn, journey: Journey, triggers: Sequence[Trigger], attempt: Attempt) -> None:
    """Let the customer in by the first trigger whose `where` holds, or record the first refusal."""
    if journey.id in turn.closed:
        why = "stopped" if journey.id in turn.view.switches.stopped else "paused"
        refuse(turn, journey, why, _key_or_none(turn, triggers, attempt))
        return
    held: Canary | None = None
    if turn.canaries is not None and journey.id in turn.canaries:
        journey, triggers, held = _beside_canary(turn, turn.canaries[journey.id], journey, triggers)
    trigger = None
    key = None
    try:
        for candidate in triggers:
            if candidate.where is None or candidate.where.truth(_scope(turn, candidate, attempt)):
                trigger = candidate
                break
        if trigger is not None:
            key = _key(turn, trigger, attempt)
    except DecisionError as error:
        _say_at_door(turn, journey, "failed", error.reason, None, {"error": str(error)})
        return
    if trigger is None or key is None:
        values = _explained(turn, triggers[0], attempt) if triggers else {}
        refuse(turn, journey, "where", _key_or_none(turn, triggers, attempt), values)
        return
    running: list[Enrollment] = []
    if turn.enrollments:
        running = [e for e in turn.enrollments.values() if e.journey == journey.id and e.key == key and not e.ended]
    record = turn.entry_record(journey.id, key)
    reason = _refusal(turn, journey, trigger, record, running)
    if reason == "overlap" and turn.updated and any(e.id in turn.updated for e in running):
        return  # the event updated the one that runs: that was its part
    if reason is not None:
        refuse(turn, journey, reason, key)
        return
    if running and trigger.overlap == "restart":
        for e in running:
            leave(turn, e, "restarted", by_rule=True)
        record = turn.entry_record(journey.id, key)  # which knows of that exit now
    enter(turn, journey, trigger, key, attempt, record, held)


def _beside_canary(
    turn: CustomerTurn, canary: Canary, journey: Journey, triggers: Sequence[Trigger]
) -> tuple[Journey, Sequence[Trigger], Canary | None]:
    """Which version the customer comes to, by which triggers, and the canary where it holds them there."""
    if goes_at_once(canary, journey.version, turn.view.salt, turn.customer.id):
        return journey, triggers, None
    before = turn.view.versions.get((journey.id, canary.before)) if canary.enters and canary.before else None
    if before is None or len(before.triggers) != len(journey.triggers):
        return journey, triggers, canary
    return before, same_triggers(tuple(triggers), journey, before), None


def _scope(turn: CustomerTurn, trigger: Trigger, attempt: Attempt) -> Scope:
    """The scope at the door. What comes in by something else than an event is `entry` there already."""
    scope = turn.scope_of(None, attempt.event)
    if not isinstance(trigger, OnEvent):
        values = attempt.values
        scope.entry = {
            **values,
            "at": attempt.due_at,
            "name": attempt.name,
            "trigger": trigger.id,
            "properties": values,
        }
    return scope


def _explained(turn: CustomerTurn, trigger: Trigger, attempt: Attempt) -> dict[str, Any]:
    """The values that its `where` was decided on."""
    return trigger.where.explain(_scope(turn, trigger, attempt)) if trigger.where is not None else {}


def _key(turn: CustomerTurn, trigger: Trigger, attempt: Attempt) -> str:
    if trigger.key is not None:
        if isinstance(trigger, OnEvent) and not trigger.key.needs.customer:
            scope = turn.scope_of(None, attempt.event, with_customer=False)
        else:
            scope = _scope(turn, trigger, attempt)
        value = trigger.key.evaluate(scope)
        if value is not None:
            return printed(value)
    return attempt.default_key if attempt.default_key is not None and trigger.key is None else turn.customer.id


def _key_or_none(turn: CustomerTurn, triggers: Sequence[Trigger], attempt: Attempt) -> str | None:
    """The key by the first trigger, for a refusal before any of them took the event; None where it cannot be told."""
    try:
        return _key(turn, triggers[0], attempt) if triggers else None
    except DecisionError:
        return None


def _refusal(
    turn: CustomerTurn, journey: Journey, trigger: Trigger, record: EntryRecord, running: Sequence[Enrollment]
) -> str | None:
    """The first reason not to enter, in the order of the reference; the entry limit is taken last of all."""
    if running and trigger.overlap == "refuse":
        return "overlap"
    if trigger.unless_in and any(e.journey in trigger.unless_in and not e.ended for e in turn.enrollments.values()):
        return "busy"
    if record.entered_at and not _may_reenter(trigger.reentry, record, turn.t):
        return "reentry"
    if not turn.pools.entry(journey.id):
        return "entry_limit"
    return None


def _may_reenter(reentry: Reentry, record: EntryRecord, t: datetime) -> bool:
    if reentry.always:
        return True
    if reentry.after is None:
        return False
    since = record.entered_at[-1]
    if reentry.since == "exit" and record.exited_at is not None:
        since = record.exited_at
    elif reentry.since == "message" and record.messaged_at is not None:
        since = record.messaged_at
    return t - since >= reentry.after


def enter(
    turn: CustomerTurn,
    journey: Journey,
    trigger: Trigger,
    key: str,
    attempt: Attempt,
    record: EntryRecord,
    held: Canary | None = None,
) -> None:
    """Begin a passage: record it, draw the holdout, look at the exits, take the first steps, unless it is held."""
    at = attempt.due_at
    entry: dict[str, Any] = {
        **attempt.values,
        "at": at,
        "name": attempt.name,
        "key": key,
        "trigger": trigger.id,
        "updated_at": at,
        "properties": attempt.values,
    }
    e = Enrollment(
        _new_id(turn, journey, key, attempt.identity),
        turn.customer.id,
        journey.id,
        journey.version,
        key,
        trigger.id,
        at,
        entry,
    )
    turn.add(e)
    turn.out.entries[journey.id, key] = entry_record(((*record.entered_at, at), record.exited_at, record.messaged_at))
    before, turn.t = turn.t, at
    values = _explained(turn, trigger, attempt) if trigger.where is not None else None
    turn.say("entered", {"trigger": trigger.id}, e, None, values)
    if journey.holdout > 0 or turn.project.holdout > 0:
        _draw_holdout(turn, journey, e)
    outer = turn.lateness_from  # of the step whose change of the profile brought the customer here
    turn.lateness_from = turn.came_from if turn.came_from is not None and turn.came_from < at else None
    if not journey.watches or not look_at_conditions(turn, e):
        if held is None:
            walk(turn, e, journey, journey.first, at)
        else:
            stand(turn, e, HELD, None)
            turn.say("held", {"reason": HELD, "until": held.until_at if held.state == "on" else None}, e)
    turn.t, turn.lateness_from = before, outer


def _draw_holdout(turn: CustomerTurn, journey: Journey, e: Enrollment) -> None:
    """One line tells of both control groups, the project's and the journey's; that it is the project's, `why` tells."""
    forced, customer = turn.view.forced.get("holdout"), turn.customer
    of_all = held_out_of_all(turn.view.salt, customer.drawn_as("holdout"), turn.project.holdout)
    drawn = of_all or held_out(turn.view.salt, journey.id, customer.drawn_as(f"holdout:{journey.id}"), journey.holdout)
    e.held_out = drawn if forced is None else bool(forced)
    values = {"holdout": "project"} if of_all and forced is None else None
    turn.say("assigned", {"split": "holdout", "variant": "holdout" if e.held_out else "treated"}, e, None, values)


def _new_id(turn: CustomerTurn, journey: Journey, key: str, identity: str) -> str:
    """The id of a new enrollment; one occasion that comes twice must not overwrite the enrollment of the first."""
    found = enrollment_id(journey.id, turn.customer.id, key, identity)
    while found in turn.enrollments:
        identity += "+"
        found = enrollment_id(journey.id, turn.customer.id, key, identity)
    return found


def refuse(
    turn: CustomerTurn, journey: Journey, reason: str, key: str | None = None, values: Mapping[str, Any] | None = None
) -> None:
    """Record that the customer was not let in."""
    _say_at_door(turn, journey, "refused", reason, key, values or {})


def _say_at_door(
    turn: CustomerTurn, journey: Journey, type_: str, reason: str, key: str | None, values: Mapping[str, Any]
) -> None:
    fields = (turn.t, turn.customer.id, turn.next_seq(), type_, journey.id, journey.version, key)
    turn.out.transitions.append(Transition(*fields, None, {"reason": reason}, None, values))


def entry_due_at(turn: CustomerTurn, timestamp: datetime, arrived_at: datetime) -> datetime:
    """When an entry by an event is due: its timestamp if it is hardly older than its arrival, else the arrival.

    When the engine itself comes too late, the actual instant.
    """
    tolerance = turn.tolerance
    due_at = timestamp if timestamp == arrived_at or arrived_at - timestamp <= tolerance else arrived_at
    return due_at if arrived_at == turn.now or turn.now - arrived_at <= tolerance else turn.now
