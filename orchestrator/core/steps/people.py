"""`task` and `survey`: steps that people answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.core.advance import STOP, is_late, stand
from orchestrator.core.customer import Timer
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.ledger import Task, effect_id
from orchestrator.core.profile import Moved, set_attribute
from orchestrator.core.program import Journey, OpenTask, Survey
from orchestrator.core.steps.message import send_first, suppress
from orchestrator.core.waiting import look_ahead, say_waiting

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn

OWNER: Final = "owner"
"""The customer's attribute that names the member of staff who looks after one."""


def run_task(turn: CustomerTurn, e: Enrollment, journey: Journey, step: OpenTask) -> int:
    """Open a task for staff; with `wait: true` stand until it is closed or overdue."""
    from orchestrator.core.events import profile_moved

    due_at = step.due.after(turn.t, turn.zone_of(e, step.timezone).zone) if step.due is not None else None
    if e.held_out:
        suppress(turn, e, step, None, "holdout")
    else:
        scope = turn.scope_of(e)
        title = step.title.text(scope)
        body = step.body.text(scope) if step.body is not None else None
        queue = turn.project.queues.get(step.queue)
        members = queue.members if queue is not None else ()
        task_id = effect_id(e.id, step.id, e.visits.get(step.id, 1))
        assignee = _assignee(turn, step, members)
        turn.put_task(Task(task_id, e.customer_id, e.id, step.id, step.queue, title, body, assignee, due_at, turn.t))
        turn.say("task", {"queue": step.queue, "title": title, "due_at": due_at}, e, step.id, {"assignee": assignee})
        if due_at is not None:
            turn.set_timer("task", task_id, Timer(due_at))
        if step.owns and assignee is not None:
            moved: Moved = []
            set_attribute(turn, OWNER, assignee, moved)
            profile_moved(turn, moved, task_id, by_step=True)
    if not step.wait:
        return step.next
    e.base_at = turn.t
    e.past = False
    e.until_at = due_at
    say_waiting(turn, e, step)
    stand(turn, e, "wait", due_at, look_ahead(turn, e))
    return STOP


def _assignee(turn: CustomerTurn, step: OpenTask, members: tuple[str, ...]) -> str | None:
    """Who gets the task. An owner who is no member (any more) is nobody's; `other` leaves the owner out, where there is
    anybody else."""
    owner = turn.customer.attributes.get(OWNER)
    if step.assign == "owner":
        return owner if owner in members else turn.pools.assignee(step.queue, members, "round_robin")
    if step.assign == "other":
        others = tuple(member for member in members if member != owner)
        return turn.pools.assignee(step.queue, others or members, "round_robin")
    return turn.pools.assignee(step.queue, members, step.assign)


def run_survey(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Survey) -> int:
    """Send the question; with `up_to` stand until the answer or until time is up."""
    if step.as_name is not None:
        e.results[step.as_name] = None
    if is_late(turn, journey):
        suppress(turn, e, step, step.way.channel, "late")
    elif send_first(turn, e, journey, step, (step.way,), step.options, step.name) == STOP:
        return STOP
    if step.up_to is None:
        return step.next
    e.base_at = turn.t
    e.past = False
    e.until_at = max(step.up_to.after(turn.t, turn.zone_of(e, step.timezone).zone), turn.t)
    say_waiting(turn, e, step)
    stand(turn, e, "wait", e.until_at, look_ahead(turn, e))
    return STOP


def finish_task(turn: CustomerTurn, e: Enrollment, step: OpenTask) -> int:
    """The task was closed, or is overdue: say how it went."""
    task = turn.tasks.get(effect_id(e.id, step.id, e.visits.get(step.id, 1))) or _opened_by(turn, e, step)
    overdue = {
        "status": "overdue",
        "outcome": None,
        "assignee": task.assignee if task is not None else None,
        "closed_at": None,
    }
    outcome: dict[str, Any] = (e.outcome or {}).get("value") or overdue
    if step.as_name is not None:
        e.results[step.as_name] = outcome
    return step.next


def _opened_by(turn: CustomerTurn, e: Enrollment, step: OpenTask) -> Task | None:
    """The latest task of a step, which had another name when it was opened."""
    return next((t for t in reversed(turn.tasks.values()) if t.enrollment_id == e.id and t.step == step.id), None)


def finish_survey(turn: CustomerTurn, e: Enrollment, step: Survey) -> int:
    """The answer came, or time is up."""
    answer = (e.outcome or {}).get("value")
    if step.as_name is not None:
        e.results[step.as_name] = answer
    answered = answer is not None
    turn.say("branched", {"branch": "then" if answered else "else"}, e, step.id, {"answer": answer})
    return step.then if answered else step.otherwise
