"""Waits: their ends, how they are satisfied, computed anew, looked at, and left (the language reference, section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from orchestrator.core.advance import STOP, advance, fail, leave, park_for, stand
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.inbox import Event
from orchestrator.core.program import (
    Journey,
    OpenTask,
    Repeat,
    RepeatAgain,
    Step,
    Survey,
    UntilEvent,
    UntilTrue,
    WaitFor,
    WaitSomething,
    WaitTime,
    WaitUntilDate,
    WaitUntilTime,
    WaitWindow,
)
from orchestrator.core.time.durations import Duration
from orchestrator.core.time.waits import date_end, next_time_of_day, window_start
from orchestrator.errors import BadDate, DecisionError, EvaluationError, FactUnavailable

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


def wait_end(turn: CustomerTurn, e: Enrollment, step: WaitTime, base: datetime, zone: ZoneInfo) -> datetime:
    """When a wait for time ends, computed from its base in the zone in force; before the base, it is past. Raises
    BadDate, EvaluationError."""
    match step:
        case WaitUntilDate():
            try:
                value = step.until.evaluate(turn.scope_of(e, None, zone))
            except EvaluationError as error:  # a property declared as a date, and read as one, which is none
                raise BadDate(f"'{step.until.source}': {error}") from None
            offset = step.offset
            if step.offset_expr is not None:
                offset = _computed_duration(turn, e, step.offset_expr)
            try:
                return date_end(value, zone, offset=offset, at=step.at, days=step.days)
            except ValueError as error:
                raise BadDate(f"'{step.until.source}': {error}") from None
        case WaitFor():
            duration = step.duration
            if duration is None:
                duration = _computed_duration(turn, e, step.expr)
            return duration.after(base, zone)
        case WaitUntilTime():
            return next_time_of_day(base, zone, step.time, step.days)
        case WaitWindow():
            return window_start(base, zone, step.window, step.days)


def _computed_duration(turn: CustomerTurn, e: Enrollment, expr: Any) -> Duration:
    value = expr.evaluate(turn.scope_of(e))
    if not isinstance(value, timedelta):
        raise BadDate(f"'{expr.source}' is {value!r}; expected a duration, such as days(3)")
    return Duration.of(value)


def begin_wait(turn: CustomerTurn, e: Enrollment, journey: Journey, step: WaitTime, base: datetime) -> int:
    """Stand on a wait for time."""
    zone = turn.zone_at(e, journey, step)
    end = wait_end(turn, e, step, base, zone.zone)
    past = end < base
    if past:
        end = base
    e.base_at = base
    e.past = past
    e.until_at = end
    turn.say("waiting", {"until": end}, e, step.id, zone.said)
    stand(turn, e, "wait", end, look_ahead(turn, e) if turn.index.conditions else None)
    return STOP


def say_waiting(turn: CustomerTurn, e: Enrollment, step: Step, type_: str = "waiting") -> None:
    """Record the wait and the link that gave its zone."""
    shown = journey_repeat(turn, e, step).id if isinstance(step, RepeatAgain) else step.id
    turn.say(type_, {"until": e.until_at}, e, shown, turn.zone_of(e, step.timezone).said)


def look_ahead(turn: CustomerTurn, e: Enrollment) -> datetime | None:
    """When time alone may next make true one of the conditions that this enrollment is under; None: never."""
    if not turn.index.conditions:
        return None
    journey = turn.program(e)
    instants = []
    for expr in [rule.when for rule in journey.watches] + [a.when for a in _open_conditions(e, journey)]:
        assert expr is not None
        scope = turn.scope_of(e)
        scope.tracking = True
        with suppress(DecisionError):  # said where it is decided
            expr.truth(scope)
        scope.tracking = False
        if scope.changes_at is not None:
            instants.append(scope.changes_at)
    return min(instants, default=None)


def _open_conditions(e: Enrollment, journey: Journey) -> list[UntilTrue]:
    if e.standing != "wait" and e.until_at is None and e.base_at is None:
        return []
    step = journey.steps[journey.by_id[e.step]] if e.step is not None else None
    if isinstance(step, WaitSomething) and e.outcome is None:
        return [a for a in step.alternatives if isinstance(a, UntilTrue)]
    return []


def look_at_conditions(turn: CustomerTurn, e: Enrollment) -> bool:
    """Look at the exits that are conditions, then at the conditions waited for. True when the enrollment has ended."""
    if e.ended:
        return True
    journey = turn.program(e)
    for rule in journey.watches:
        try:
            holds = turn.truth(rule.when, e)
        except DecisionError as error:
            park_for(turn, e, error)
            return True
        if holds:
            leave_by(turn, e, journey, rule, turn.explain(rule.when, e))
            return True
    look_at_wait(turn, turn.enrollments[e.id])
    return False


def leave_by(
    turn: CustomerTurn,
    e: Enrollment,
    journey: Journey,
    rule: Any,
    values: Mapping[str, Any],
) -> None:
    """End an enrollment by an exit rule, and run the rule's own steps once."""
    e = turn.edit(e)
    leave(turn, e, rule.reason, by_rule=True, values=values)
    if rule.do >= 0:
        advance(turn, e, rule.do, turn.t)


def look_at_wait(
    turn: CustomerTurn, e: Enrollment, event: Event | None = None, data: dict[str, Any] | None = None
) -> None:
    """End a wait for something if one of its alternatives is true now, or is the event being looked at.

    The first in the order of the list wins. The wait ends as a timer due now, after all events of this instant. If it
    goes on, the instant at which time alone may end it (or the enrollment) is worked out anew.
    """
    if e.status != "running" or e.standing != "wait" or e.outcome is not None or e.step is None:
        return
    journey = turn.program(e)
    step = journey.steps[journey.by_id[e.step]]
    if isinstance(step, WaitSomething):
        for alternative in step.alternatives:
            try:
                found = _met(turn, e, alternative, event, data)
            except DecisionError as error:
                fail_wait(turn, e, step, error)
                return
            if found is not None:
                satisfy(turn, e, *found)
                return
    if journey.watches or _open_conditions(e, journey):
        look_at = look_ahead(turn, e)
        if look_at != e.look_at:
            stand(turn, turn.edit(e), "wait", e.until_at, look_at)


def _met(
    turn: CustomerTurn,
    e: Enrollment,
    alternative: UntilEvent | UntilTrue,
    event: Event | None,
    data: dict[str, Any] | None,
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """What an alternative gives when it is true (its value, and the values it was decided on), else None.

    An event counts by its own timestamp, which must lie between the wait's base and its deadline.
    """
    if isinstance(alternative, UntilTrue):
        if not turn.truth(alternative.when, e):
            return None
        name = "segment_changed" if alternative.segment else "when"
        return {"name": name, "at": turn.t}, turn.explain(alternative.when, e)
    if event is None or alternative.event != event.name or e.base_at is None:
        return None
    if event.at < e.base_at or (e.until_at is not None and event.at > e.until_at):
        return None
    if not turn.truth(alternative.where, e, data):
        return None
    values = {"event": event.id, **turn.explain(alternative.where, e, data)}
    return {**event.properties, "name": event.name, "at": event.at}, values


def satisfy(turn: CustomerTurn, e: Enrollment, outcome: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Note what a wait was waiting for; it goes on as a timer due now."""
    e = turn.edit(e)
    e.outcome = {"value": outcome, "values": dict(values)}
    stand(turn, e, "wait", turn.t)


def fail_wait(turn: CustomerTurn, e: Enrollment, step: Step, error: DecisionError) -> None:
    """What a wait depends on could not be decided: it fails as its step says, and goes on as a timer due now."""
    e = turn.edit(e)
    if step.retry is None and step.on_error == "fail" and not isinstance(error, FactUnavailable):
        park_for(turn, e, error)
        return
    index = fail(turn, e, step, error)
    if index != STOP:
        e.outcome = {"value": None, "values": {}, "go_on_at": index}
        stand(turn, e, "wait", turn.t)


def compute_anew(turn: CustomerTurn, e: Enrollment) -> None:
    """`entry` or the zone changed: the end of the present wait is computed again, from the same base."""
    if e.standing != "wait" or e.step is None or e.base_at is None or e.outcome is not None:
        return
    journey = turn.program(e)
    step = journey.steps[journey.by_id[e.step]]
    e = turn.edit(e)
    assert e.base_at is not None
    try:
        end = end_of_any(turn, e, step)
    except DecisionError as error:
        fail_wait(turn, e, step, error)
        return
    if end is None or end == e.until_at or (e.past and end < e.base_at):
        return
    past = end < turn.t and (isinstance(step, (WaitFor, WaitUntilTime, WaitUntilDate, WaitWindow)))
    until_at = max(end, turn.t)
    if until_at == e.until_at and past == e.past:
        return
    e.past = past
    e.until_at = until_at
    say_waiting(turn, e, step, "rescheduled")
    stand(turn, e, "wait", e.until_at, look_ahead(turn, e))


def end_of_any(turn: CustomerTurn, e: Enrollment, step: Step) -> datetime | None:
    """When what it stands on ends, computed from its base; None: it has no end. Raises DecisionError."""
    assert e.base_at is not None
    if isinstance(step, (WaitFor, WaitUntilTime, WaitUntilDate, WaitWindow)):
        return wait_end(turn, e, step, e.base_at, turn.zone_of(e, step.timezone).zone)
    zone = turn.zone_of(e, step.timezone).zone
    if isinstance(step, (WaitSomething, Survey)):
        return step.up_to.after(e.base_at, zone) if step.up_to is not None else None
    if isinstance(step, OpenTask):
        return None  # a task's due time was promised to people
    if isinstance(step, RepeatAgain):
        repeat = journey_repeat(turn, e, step)
        return next_pass_at(turn, e, repeat, repeat.every) if repeat.every is not None else None
    return None


def next_pass_at(turn: CustomerTurn, e: Enrollment, repeat: Repeat, every: Duration) -> datetime:
    """When the next pass should begin: so many times `every` behind the anchor, which keeps its day of the month."""
    state = e.loops[repeat.id]
    zone = turn.zone_of(e, repeat.timezone).zone
    return every.after(state.anchor_at, zone, times=state.number - state.since + 1)


def journey_repeat(turn: CustomerTurn, e: Enrollment, step: RepeatAgain) -> Repeat:
    """The `repeat` to which this end of a body belongs."""
    repeat = turn.program(e).steps[step.repeat]
    assert isinstance(repeat, Repeat)
    return repeat
