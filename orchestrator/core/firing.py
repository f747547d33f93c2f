"""An enrollment's timer ran: judge lateness, leave the wait, and go on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from orchestrator.core.advance import STOP, advance, fail, leave, leave_if_late, run_again, stand, walk
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.program import (
    Journey,
    OpenTask,
    RepeatAgain,
    Step,
    Survey,
    WaitFor,
    WaitSomething,
    WaitUntilDate,
    WaitUntilTime,
    WaitWindow,
)
from orchestrator.core.steps.branch import next_pass
from orchestrator.core.steps.outside import take_reply
from orchestrator.core.steps.people import finish_survey, finish_task
from orchestrator.core.waiting import journey_repeat, look_at_conditions
from orchestrator.errors import DecisionError

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


_WAITS_FOR_TIME = frozenset({WaitFor, WaitUntilTime, WaitUntilDate, WaitWindow})


def fire(turn: CustomerTurn, enrollment_id: str, due_at: datetime) -> None:
    """Wake an enrollment, if this timer still stands."""
    e = turn.enrollments.get(enrollment_id)
    if e is None or e.due_at != due_at:
        return
    if e.status == "running" or (e.ended and e.standing == "reply"):  # an exit's `do` may fetch
        wake(turn, e, due_at)


def wake(turn: CustomerTurn, e: Enrollment, due_at: datetime) -> None:
    """An enrollment's timer is due: go on with its step."""
    if e.step is None:
        return
    e = turn.edit(e)
    if e.look_at is not None and e.look_at <= due_at and e.standing == "wait" and e.outcome is None:
        if look_at_conditions(turn, e):
            return
        e = turn.edit(turn.enrollments[e.id])
        if e.outcome is not None:
            return  # satisfied: its timer is queued
        if e.until_at is None or e.until_at > due_at:
            if e.due_at == due_at:  # nothing to look at any more
                stand(turn, e, e.standing, e.until_at)
            return
    journey, standing = turn.program(e), e.standing
    assert e.step is not None
    step = journey.steps[journey.by_id[e.step]]
    if standing == "wait":
        _leave_wait(turn, e, journey, step, due_at)
    elif standing == "reply":
        if e.outcome is not None and "answered" in e.outcome:
            _go(turn, e, take_reply, step)
    elif standing == "before":
        walk(turn, e, journey, step.index, turn.t)
    elif standing in ("hold", "retry"):
        turn.lateness_from = e.until_at if standing == "hold" else None
        if standing == "hold" and journey.watches and look_at_conditions(turn, e):
            return
        if leave_if_late(turn, e, journey):
            return
        run_again(turn, turn.edit(turn.enrollments[e.id]), turn.t)


def _leave_wait(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Step, due_at: datetime) -> None:
    """Go on behind a wait. After a pause `due_at` is later than the wait's own end, from which lateness counts."""
    outcome, until_at = e.outcome, e.until_at
    turn.lateness_from = until_at if outcome is None and until_at is not None else due_at
    if journey.late is not None and leave_if_late(turn, e, journey):
        return
    if outcome is None and not e.past and type(step) in _WAITS_FOR_TIME:
        walk(turn, e, journey, step.next, turn.t)
    else:
        _go(turn, e, _after_wait, step)


def _go(turn: CustomerTurn, e: Enrollment, decide: Callable[[CustomerTurn, Enrollment, Step], int], step: Step) -> None:
    """Take a decision about where to go from a step, and go there. An error is the step's."""
    t = turn.t
    try:
        index = decide(turn, e, step)
    except DecisionError as error:
        index = fail(turn, e, step, error)
    if index != STOP:
        advance(turn, e, index, t)


def _after_wait(turn: CustomerTurn, e: Enrollment, step: Step) -> int:
    if e.outcome is not None and "go_on_at" in e.outcome:  # it failed, and `on_error` says to go on
        if isinstance(step, WaitSomething) and step.as_name is not None:
            e.results[step.as_name] = None
        return int(e.outcome["go_on_at"])
    match step:
        case WaitFor() | WaitUntilTime() | WaitUntilDate() | WaitWindow():
            if not e.past or step.if_past == "continue":
                return step.next
            if step.if_past == "exit":
                leave(turn, e, "past")
                return STOP
            return step.next if step.following is None else turn.program(e).steps[step.following].next
        case WaitSomething():
            value = e.outcome["value"] if e.outcome is not None else None
            if step.as_name is not None:
                e.results[step.as_name] = value
            met = e.outcome is not None
            values = e.outcome["values"] if e.outcome is not None else {}
            turn.say("branched", {"branch": "then" if met else "else"}, e, step.id, values)
            return step.then if met else step.otherwise
        case RepeatAgain():
            return next_pass(turn, e, journey_repeat(turn, e, step))
        case Survey():
            return finish_survey(turn, e, step)
        case OpenTask():
            return finish_task(turn, e, step)
        case _:
            return step.next
