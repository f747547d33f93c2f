"""The walk: an enrollment goes from step to step in memory, up to its next wait, outside effect or end.

`advance` runs steps at one due instant (`turn.t`). Each step kind is one function in orchestrator/core/steps/, found in
the table STEPS; it returns the index of the next step, or STOP when the enrollment stands still or has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from orchestrator.core.enrollment import Enrollment, entry_record
from orchestrator.core.program import END, Journey, RepeatAgain, Step, StepBase
from orchestrator.errors import DecisionError, FactUnavailable

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn

STOP: Final = -2
"""A step's answer: the enrollment stands still here (waits, or has ended)."""
FACT_RETRIES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))
"""When a fact that could not be read is tried again, before the enrollment is parked."""

StepFunction = Callable[["CustomerTurn", Enrollment, Journey, Any], int]
_NOTHING: Final[Mapping[str, Any]] = {}
MOST_STEPS: Final = 2_000
"""Steps of one enrollment in one turn."""
_IN_A_CIRCLE: Final = "too many steps without a wait in one turn: the journey runs in a circle"
STEPS: dict[type[StepBase], StepFunction] = {}
"""Filled by orchestrator.core.steps.table, so that the walk does not import every step and every step the walk."""


def advance(turn: CustomerTurn, e: Enrollment, index: int, t: datetime) -> None:
    """Run from the step at `index`, due at `t`, until it stands still or ends. `e` must be the turn's own copy."""
    walk(turn, e, turn.program(e), index, t)


def walk(turn: CustomerTurn, e: Enrollment, journey: Journey, index: int, t: datetime) -> None:
    """The same, where the enrollment's journey is at hand."""
    turn.t = t
    steps, late, visits = journey.steps, journey.late, e.visits
    taken = turn.steps_taken.get(e.id, 0)
    _set_out(turn, e, t)
    while index >= 0:  # neither STOP nor END
        step = steps[index]
        id = step.id
        taken += 1
        if taken > MOST_STEPS:
            fail(turn, e, step, DecisionError(_IN_A_CIRCLE))
            break
        e.step = id
        if e.loops and len(step.loops) < len(e.loops):
            e.loops = {loop: state for loop, state in e.loops.items() if loop in step.loops or loop == id}
        try:
            if step.skip_if is not None and turn.truth(step.skip_if, e):
                index = step.next
            elif late is not None and not step.in_exit and leave_if_late(turn, e, journey):
                index = STOP
            else:
                visits[id] = visits[id] + 1 if id in visits else 1
                index = STEPS[type(step)](turn, e, journey, step)
        except DecisionError as error:
            index = fail(turn, e, step, error)
            if index >= 0:
                _set_out(turn, e, t)  # whatever the step had begun
        if e.status != "running" and not step.in_exit:
            break  # what the step did to the profile ended this very enrollment
    else:
        if index == END and e.status == "running":
            complete(turn, e)
    turn.steps_taken[e.id] = taken


def _set_out(turn: CustomerTurn, e: Enrollment, t: datetime) -> None:
    """Forget how it stood on the step before: it comes to another one, due at `t`. Steps that go on leave no trace."""
    e.standing = e.due_at = e.look_at = e.until_at = e.base_at = e.outcome = None
    e.attempts = 0
    e.sent_ways = ()
    e.first_due_at = turn.lateness_from or t


def run_again(turn: CustomerTurn, e: Enrollment, t: datetime) -> None:
    """Run the step on which the enrollment stands once more (after a hold, a retry, a resume), then go on."""
    journey = turn.program(e)
    turn.t = t
    assert e.step is not None
    step = journey.steps[journey.by_id[e.step]]
    e.standing = None
    e.due_at = None
    try:
        index = STEPS[type(step)](turn, e, journey, step)
    except DecisionError as error:
        index = fail(turn, e, step, error)
    if index != STOP:
        walk(turn, e, journey, index, t)


def is_late(turn: CustomerTurn, journey: Journey) -> bool:
    """Whether messages of this run are skipped, because the engine came too late for them (`late: skip_messages`)."""
    return journey.late is not None and journey.late.then == "skip_messages" and _came_too_late(turn, journey)


def leave_if_late(turn: CustomerTurn, e: Enrollment, journey: Journey) -> bool:
    """End the enrollment if the engine came too late for it (`late: exit`). Returns whether it did."""
    if journey.late is None or journey.late.then != "exit" or not _came_too_late(turn, journey):
        return False
    leave(turn, e, "late")
    return True


def _came_too_late(turn: CustomerTurn, journey: Journey) -> bool:
    return (
        journey.late is not None
        and turn.lateness_from is not None
        and turn.now - turn.lateness_from > journey.late.after
    )


def stand(
    turn: CustomerTurn, e: Enrollment, standing: Any, due_at: datetime | None, look_at: datetime | None = None
) -> None:
    """Stay on the present step until `due_at` (None: until something arrives), looking in between at `look_at`."""
    e.standing = standing
    e.look_at = look_at
    if look_at is not None and (due_at is None or look_at < due_at):
        due_at = look_at
    e.due_at = due_at
    if due_at is not None and due_at <= turn.now:
        turn.put_enrollment(e)


def complete(turn: CustomerTurn, e: Enrollment) -> None:
    """The end of the journey was reached."""
    _end(turn, e, "completed", None)
    turn.say("completed", _NOTHING, e)
    _let_go_of_coupons(turn, e, None)


def leave(
    turn: CustomerTurn,
    e: Enrollment,
    reason: str,
    *,
    by_rule: bool = False,
    values: Mapping[str, Any] | None = None,
) -> None:
    """End the enrollment for a reason. `by_rule`: from outside, so that what is queued is not handed over."""
    e = turn.edit(e)
    if e.status == "exited" or e.status == "completed":
        return
    step = shown_step(turn.program(e), e.step)
    _end(turn, e, "exited", reason)
    e.ended_by_rule = by_rule
    turn.say("exited", {"reason": reason}, e, step, values)
    _let_go_of_coupons(turn, e, step)


def _end(turn: CustomerTurn, e: Enrollment, status: Any, reason: str | None) -> None:
    e.status = status
    e.reason = reason
    e.ended_at = turn.t
    e.standing = None
    e.due_at = e.look_at = e.until_at = None
    record = turn.entry_record(e.journey, e.key)
    turn.out.entries[e.journey, e.key] = entry_record((record.entered_at, turn.t, record.messaged_at))


def _let_go_of_coupons(turn: CustomerTurn, e: Enrollment, step: str | None) -> None:
    """The messages that were to carry these codes will certainly not be sent."""
    if e.pending:
        for coupon_id in e.pending.values():
            release_coupon(turn, e, coupon_id, step)
        e.pending = {}


def release_coupon(turn: CustomerTurn, e: Enrollment | None, coupon_id: str, step: str | None) -> None:
    """Take a code back whose message is certainly unsent."""
    coupon = turn.coupons.get(coupon_id)
    if coupon is None or coupon.status != "issued":
        return
    turn.put_coupon(coupon._replace(status="released"))
    turn.say("released", {"offer": coupon.offer, "code": coupon.code}, e, step)


def fail(turn: CustomerTurn, e: Enrollment, step: Step, error: DecisionError) -> int:
    """A step could not be run: try again, go on, leave or park, as the step says. Returns the next index, or STOP."""
    values = {"error": str(error)}
    shown = shown_step(turn.program(e), step.id)
    if e.status != "running":  # an exit's `do` list: run once, never parked
        turn.say("failed", {"reason": error.reason}, e, shown, values)
        return step.on_error_next if step.on_error == "continue" else STOP
    retry_at = _retry_at(turn, e, step, error)
    if retry_at is not None:
        e.attempts += 1
        turn.say("retried", {"reason": error.reason, "until": retry_at}, e, shown, values)
        e.until_at = retry_at
        stand(turn, e, "retry", retry_at)
        return STOP
    turn.say("failed", {"reason": error.reason}, e, shown, values)
    if step.on_error == "continue":
        return step.on_error_next
    if step.on_error == "exit":
        leave(turn, e, "failed")
    else:
        e.standing = None
        park(e)
    return STOP


def shown_step(journey: Journey, step_id: str | None) -> str | None:
    """The id that people know: the end of a repeat's body, which nobody wrote, is the `repeat` itself."""
    step = journey.steps[journey.by_id[step_id]] if step_id is not None else None
    return journey.steps[step.repeat].id if isinstance(step, RepeatAgain) else step_id


def park_for(turn: CustomerTurn, e: Enrollment, error: DecisionError) -> None:
    """A condition about the enrollment could not be decided: neither true nor false, so it stops here."""
    e = turn.edit(e)
    if e.status == "running":
        step = shown_step(turn.program(e), e.step)
        turn.say("failed", {"reason": error.reason}, e, step, {"error": str(error)})
        park(e)


def park(e: Enrollment) -> None:
    """Stop here until someone resumes it. How it stands is kept: what a step has done outside is not done again."""
    e.status = "parked"
    e.due_at = e.look_at = None


def _retry_at(turn: CustomerTurn, e: Enrollment, step: Step, error: DecisionError) -> datetime | None:
    if step.retry is not None:
        if e.attempts < step.retry.times:
            zone = turn.zone_of(e, step.timezone).zone
            return step.retry.backoff.after(turn.t, zone, times=2**e.attempts)
    elif isinstance(error, FactUnavailable) and e.attempts < len(FACT_RETRIES):
        return turn.t + FACT_RETRIES[e.attempts]
    return None
