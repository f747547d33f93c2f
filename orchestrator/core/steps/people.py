"""`task` and `survey`: steps that people answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from orchestrator.core.advance import STOP, is_late, stand
from orchestrator.core.customer import Timer
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.ledger import Task, effect_id
from orchestrator.core.profile import Moved, set_attribute
from orchestrator.core.program import Journey, OpenTask, Survey
from orchestrator.core.project import Escalation
from orchestrator.core.steps.message import send_first, suppress
from orchestrator.core.waiting import look_ahead, say_waiting

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn

OWNER: Final = "owner"
"""The customer's attribute that names the member of staff who looks after one."""


def run_task(turn: CustomerTurn, e: Enrollment, journey: Journey, step: OpenTask) -> int:
    """Open a task for staff; with `wait: true` stand until it is closed or overdue."""
    from orchestrator.core.events import profile_moved

    due_at = _due_at(turn, e, step)
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


def _due_at(turn: CustomerTurn, e: Enrollment, step: OpenTask) -> datetime | None:
    """By when the task has to be closed. A queue without hours works always."""
    if step.due_in is not None:
        queue = turn.project.queues.get(step.queue)
        if queue is not None and queue.hours is not None:
            return queue.hours.after(turn.t, step.due_in)
    due = step.due if step.due is not None else step.due_in
    return due.after(turn.t, turn.zone_of(e, step.timezone).zone) if due is not None else None


def task_is_overdue(turn: CustomerTurn, task: Task | None) -> None:
    """Nobody closed a task in time: say so, and see to what its queue does about it later."""
    if task is None or task.closed_at is not None:
        return
    properties = {"queue": task.queue, "task": task.id, "assignee": task.assignee, "step": task.step}
    turn.emit_event("task_overdue", properties, f"{task.id}.overdue")
    queue = turn.project.queues.get(task.queue)
    if queue is None:
        return
    due_at = task.due_at if task.due_at is not None else turn.t
    for number, step in enumerate(queue.escalations):
        if queue.hours is not None and not step.after.is_zero:
            at = queue.hours.after(due_at, step.after)
        else:
            at = step.after.after(due_at, turn.project.timezone)
        data = {"task": task.id, "queue": queue.id, "step": number}
        turn.set_timer("task", f"{task.id}#{number + 1}", Timer(max(at, turn.t), data))


def forget_escalations(turn: CustomerTurn, task: Task) -> None:
    """The task is closed: nothing is overdue any more."""
    turn.set_timer("task", task.id, None)
    for kind, name in [place for place in turn.customer.timers if place[0] == "task"]:
        if name.startswith(f"{task.id}#"):
            turn.set_timer(kind, name, None)


def escalate(turn: CustomerTurn, data: Mapping[str, Any]) -> None:
    """A task is open still, so long after it was due: it goes to somebody else, and people hear of it."""
    from orchestrator.core.events import profile_moved

    task = turn.tasks.get(data["task"])
    queue = turn.project.queues.get(data["queue"])
    if task is None or task.closed_at is not None or queue is None or data["step"] >= len(queue.escalations):
        return
    step = queue.escalations[data["step"]]
    before = task
    if step.queue is not None or step.member is not None:
        name = step.queue or queue.id
        task = task._replace(queue=name, assignee=_next_in(turn, step, name, task.assignee))
        if task != before:
            turn.put_task(task)
    identity = f"{task.id}.escalated.{data['step'] + 1}"
    properties = {
        "queue": task.queue, "task": task.id, "assignee": task.assignee, "step": task.step, "level": data["step"] + 1,
        "from_queue": before.queue, "from_assignee": before.assignee, "notify": step.notify,
    }  # fmt: skip
    turn.emit_event("task_escalated", properties, identity)
    if step.owns and task.assignee is not None:
        moved: Moved = []
        set_attribute(turn, OWNER, task.assignee, moved)
        profile_moved(turn, moved, identity, by_step=True)


def _next_in(turn: CustomerTurn, step: Escalation, name: str, present: str | None) -> str | None:
    """Who gets a task that is escalated to a queue: a member by name, or the next in turn of all others."""
    if step.member is not None and step.member != "other":
        return step.member
    queue = turn.project.queues.get(name)
    members = queue.members if queue is not None else ()
    others = tuple(member for member in members if member != present)
    return turn.pools.assignee(name, others or members, "round_robin")


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
