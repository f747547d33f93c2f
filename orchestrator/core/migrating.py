"""`migrate`: who waits in an older version of a journey goes on in the new one (the language reference, section 6).

A deploy reaches every customer through the inbox, some at a time; there, everyone who stands still in a version that
the live file's `migrate` names is moved, once. Nothing is run by the move itself: who does not simply stay where they
are stands *before* a step, as a timer due now, which a pause holds back like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from orchestrator.core.advance import complete, leave, shown_step, stand
from orchestrator.core.canary import goes_at_once
from orchestrator.core.program import (
    END,
    Goto,
    Journey,
    OpenTask,
    Repeat,
    RepeatAgain,
    Step,
    Survey,
    WaitFor,
    WaitSomething,
    WaitUntilDate,
    WaitUntilTime,
    WaitWindow,
)
from orchestrator.core.waiting import end_of_any, fail_wait, look_ahead, look_at_conditions, say_waiting
from orchestrator.errors import DecisionError

if TYPE_CHECKING:
    from orchestrator.core.enrollment import Enrollment
    from orchestrator.core.turn import CustomerTurn

REMOVED: Final = "removed"
"""Why somebody left whose step is gone, where `removed: exit` says so."""
_FOR_TIME: Final = (WaitFor, WaitUntilTime, WaitUntilDate, WaitWindow)
_WAITS: Final = (*_FOR_TIME, WaitSomething)


class Moved(NamedTuple):
    """Where a step of an older version leads: `place` in the new program, END, or None: out of the journey.

    `by`: the step is still there under its name (`same`) or another (`map`), or it is gone and the flow goes on behind
    it (`next`) or leaves (`exit`).
    """

    place: int | None
    by: Literal["same", "map", "next", "exit"]


def destination(old: Journey, new: Journey, step_id: str) -> Moved:
    """Where `new.migrate` moves those who stand on this step of `old`."""
    assert new.migrate is not None
    index, passed = old.by_id[step_id], set[int]()
    while index >= 0 and index not in passed:
        passed.add(index)
        step = old.steps[index]
        found = _namesake(new, old, step)
        if found is not None:
            mapped = shown_step(old, step.id) in new.migrate.names
            return Moved(found, "next" if len(passed) > 1 else "map" if mapped else "same")
        if new.migrate.removed == "exit":
            return Moved(None, "exit")
        index = _behind(old, step)
    return Moved(END, "next")


def _namesake(new: Journey, old: Journey, step: Step) -> int | None:
    """The step of the new program that this one is called after the move; None: there is none."""
    assert new.migrate is not None
    name = shown_step(old, step.id)
    assert name is not None
    index = new.by_id.get(new.migrate.names.get(name, name))
    if index is None or new.steps[index].in_exit:
        return None
    found = new.steps[index]
    return found.again if isinstance(step, RepeatAgain) and isinstance(found, Repeat) else index


def _behind(old: Journey, step: Step) -> int:
    """Where the flow goes on when a step is left out, with all that is in it."""
    if isinstance(step, Goto):
        return step.target
    return old.steps[step.repeat].next if isinstance(step, RepeatAgain) else step.next


def move_waiting(turn: CustomerTurn) -> None:
    """Move whoever stands in an older version of a live journey that says `migrate`. Once moved, nobody is again.

    Beside a canary, only those of its share; the others when it is over.
    """
    canaries = turn.canaries or {}
    for e in turn.in_order(turn.enrollments.values()):
        journey = turn.project.journeys.get(e.journey)
        if journey is None or journey.migrate is None or e.ended or e.step is None or e.version == journey.version:
            continue
        canary = canaries.get(e.journey)
        if canary is not None and not goes_at_once(canary, journey.version, turn.view.salt, turn.customer.id):
            continue
        if journey.migrate.concerns(e.version):
            _move(turn, turn.edit(e), turn.program(e), journey)


def _move(turn: CustomerTurn, e: Enrollment, old: Journey, new: Journey) -> None:
    assert e.step is not None
    was, from_version = old.steps[old.by_id[e.step]], e.version
    index, by = destination(old, new, was.id)
    e.version = new.version
    _rename(turn, e, new, from_version)
    if index is not None and index >= 0:
        index, begun = _outside_loops(e, new, index)
        e.step = new.steps[index].id
    else:
        e.step, begun = None, True
    said = {"from_version": from_version, "to_version": new.version}
    turn.say("migrated", said, e, shown_step(new, e.step), {"from_step": shown_step(old, was.id), "by": by})
    if index is None:
        leave(turn, e, REMOVED)
    elif index < 0:
        complete(turn, e)
    else:
        target = new.steps[index]
        if begun and _stays(e, new, was, target):
            _stand_on(turn, e, was, target)
        else:
            _stand_before(turn, e)
        if e.status == "running":
            look_at_conditions(turn, e)


def _outside_loops(e: Enrollment, new: Journey, index: int) -> tuple[int, bool]:
    """The step, or the outermost `repeat` around it that this enrollment has not begun; and whether it is the step."""
    missing = [loop for loop in new.steps[index].loops if loop not in e.loops]
    found = new.by_id[missing[0]] if missing else index
    loops = new.steps[found].loops
    e.loops = {loop: state for loop, state in e.loops.items() if loop in loops}
    return found, not missing


def _stays(e: Enrollment, new: Journey, was: Step, target: Step) -> bool:
    """Whether it can go on standing as it does: what it waits for, or has begun outside, has a place there."""
    if e.standing == "wait" and isinstance(target, _WAITS):
        return isinstance(was, _WAITS) and (e.outcome is None or type(was) is type(target))
    if type(was) is not type(target) or e.standing == "before":
        return False
    if e.standing == "wait":
        match target:
            case Survey():
                return target.up_to is not None
            case OpenTask():
                return target.wait
            case RepeatAgain():
                repeat = new.steps[target.repeat]
                return isinstance(repeat, Repeat) and repeat.every is not None
    return True


def _stand_on(turn: CustomerTurn, e: Enrollment, was: Step, target: Step) -> None:
    """It stands as before. The end of a wait is computed anew, from the same base."""
    if e.standing != "wait":
        return
    if e.outcome is not None:  # over already: its timer is due
        if "go_on_at" in e.outcome:
            e.outcome = {**e.outcome, "go_on_at": target.on_error_next}
        return
    if e.status != "running" or e.base_at is None:
        return
    try:
        end = e.until_at if isinstance(target, OpenTask) else end_of_any(turn, e, target)
    except DecisionError as error:
        fail_wait(turn, e, target, error)
        return
    look_at = look_ahead(turn, e)
    if end == e.until_at or (e.past and end is not None and end < e.base_at):
        if look_at != e.look_at:
            stand(turn, e, "wait", e.until_at, look_at)
        return
    e.past = end is not None and end < turn.t and isinstance(target, _FOR_TIME)
    e.until_at = max(end, turn.t) if end is not None else None
    say_waiting(turn, e, target, "rescheduled")
    stand(turn, e, "wait", e.until_at, look_at)


def _stand_before(turn: CustomerTurn, e: Enrollment) -> None:
    """Its step is run as if it had just come there, when the turn has taken all that arrived."""
    e.outcome = e.until_at = e.base_at = None
    e.past = False
    e.attempts = 0
    e.sent_ways = ()
    parked = e.status == "parked"
    stand(turn, e, "before", None if parked else turn.t)


def _rename(turn: CustomerTurn, e: Enrollment, new: Journey, from_version: str) -> None:
    """What is remembered under the old names goes by the new ones: visits, passes of loops, coupons, tasks."""
    assert new.migrate is not None
    names = new.migrate.names
    if not names:
        return
    visits: dict[str, int] = {}
    for name, count in e.visits.items():
        step, stroke, rest = name.partition("/")
        place = f"{names.get(step, step)}{stroke}{rest}"
        visits[place] = visits.get(place, 0) + count  # the sum: a key of an effect is never given twice
    e.visits = visits
    e.loops = {names.get(name, name): state for name, state in e.loops.items()}
    e.pending = {names.get(name, name): coupon for name, coupon in e.pending.items()}
    e.renamed = {
        version: {old: names.get(now, now) for old, now in known.items()} for version, known in e.renamed.items()
    }
    e.renamed[from_version] = dict(names)
    for task in list(turn.tasks.values()):
        if task.enrollment_id == e.id and task.closed_at is None and task.step in names:
            turn.put_task(task._replace(step=names[task.step]))
