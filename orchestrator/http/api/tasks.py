"""`/api/v1/tasks`: work for staff, assigned and closed."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from orchestrator.core.inbox import TaskClosed
from orchestrator.core.ledger import Task
from orchestrator.http.api import values
from orchestrator.http.api.arriving import Taken, told
from orchestrator.http.api.call import Answer, Call, unknown
from orchestrator.http.api.frame import Api
from orchestrator.http.problems import HttpRefusal
from orchestrator.stores.instants import micros
from orchestrator.stores.protocol_lists import NEVER, TaskFilter


class TaskShown(values.Shown):
    """A task. `closed_at` null: it is open."""

    id: str
    customer: str
    queue: str
    title: str
    body: str | None
    assignee: str | None
    due_at: values.InstantShown | None
    opened_at: values.InstantShown
    closed_at: values.InstantShown | None
    outcome: str | None
    enrollment: str
    step: str


class Assigning(values.Body):
    """Whose task it is; null: nobody's."""

    assignee: values.Name | None = Field(description="Whose it is; null: nobody's")


class Closing(values.Body):
    """How it ended. The journey may branch on it."""

    outcome: values.Name | None = None
    assignee: values.Name | None = None


def add_tasks_api(api: Api) -> None:
    """Reading, assigning, closing."""
    read: dict[str, Any] = {"tag": "tasks", "scope": "tasks:read"}
    write: dict[str, Any] = {"tag": "tasks", "scope": "tasks:write", "refusals": {409: "The task is closed"}}
    api.add(
        "GET", "/tasks", _list, summary="List tasks", answer=TaskShown, paged=True,
        description="Open ones, those due first in front; or closed ones, the latest first.",
        query=(
            values.choice("status", "open (default) or closed", ("open", "closed")),
            values.text("queue", "Only of this queue", 200),
            values.text("assignee", "Only this person's", 200),
            values.flag("unassigned", "Only nobody's"),
            values.instant("due_before", "Only those due before this instant"),
        ), **read,
    )  # fmt: skip
    api.add("GET", "/tasks/{id}", _get, summary="Read a task", answer=TaskShown, **read)
    api.add("POST", "/tasks/{id}/assign", _assign, summary="Assign a task", answer=TaskShown, body=Assigning,
            versioned=True, **write)  # fmt: skip
    api.add(
        "POST", "/tasks/{id}/close", _close, summary="Close a task", answer=Taken, body=Closing, status=202,
        description="What waits for it goes on within seconds.", versioned=True, **write,
    )  # fmt: skip


def task_shown(task: Task) -> dict[str, Any]:
    """The document of a task."""
    return {
        "id": task.id,
        "customer": task.customer_id,
        "queue": task.queue,
        "title": task.title,
        "body": task.body,
        "assignee": task.assignee,
        "due_at": values.shown(task.due_at),
        "opened_at": values.shown(task.opened_at),
        "closed_at": values.shown(task.closed_at),
        "outcome": task.outcome,
        "enrollment": task.enrollment_id,
        "step": task.step,
    }


def _list(call: Call) -> Answer:
    given = call.query
    assignee = "" if given["unassigned"] else given["assignee"]
    wanted = TaskFilter(given["status"] == "closed", given["queue"], assignee, given["due_before"])
    found = call.store.task_page(wanted, call.after, call.limit + 1)
    return call.page(found, task_shown, _key)


def _key(task: Task) -> tuple[int, str]:
    at = task.closed_at if task.closed_at is not None else task.due_at
    return micros(at) if at is not None else NEVER, task.id


def _get(call: Call) -> Answer:
    return Answer(task_shown(_found(call)))


def _found(call: Call) -> Task:
    found = call.store.task(call.path["id"])
    if found is None:
        raise unknown("unknown_task", "there is no task of this id (any more)")
    return found


def _open(call: Call) -> Task:
    found = _found(call)
    if found.closed_at is not None:
        raise HttpRefusal(409, "task_closed", "this task is closed already")
    call.must_match(task_shown(found))
    return found


def _assign(call: Call) -> Answer:
    found = call.store.assign_task(_open(call).id, call.body.assignee)
    if found is None:
        raise HttpRefusal(409, "task_closed", "somebody closed this task just now")
    return Answer(task_shown(found))


def _close(call: Call) -> Answer:
    found = _open(call)
    body = TaskClosed(found.id, call.body.outcome, call.body.assignee or found.assignee)
    return Answer(told(call, found.customer_id, body), 202)
