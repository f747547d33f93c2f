"""A task goes to a queue that project.yaml does not declare, or to somebody who is not in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.models.actions import TaskStep
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.analysis.unknown import unknown_mentions, way_out
from orchestrator.errors import Problem

CODE: Final = "unknown_queue"
SEVERITY: Final = "error"

_RULES = ("round_robin", "least_busy", "owner", "other")


def check(subject: Subject) -> Iterator[Problem]:
    """Queues of tasks, and members that `assign` names."""
    if not subject.sure("project"):
        return
    queues = subject.files.project.queues
    yield from unknown_mentions(subject, "queue", queues, "declare it in journeys/project.yaml")
    for file in subject.journey_files:
        for node in file.nodes:
            if not isinstance(node.model, TaskStep) or node.model.task.queue not in queues:
                continue
            task = node.model.task
            members = queues[task.queue].members
            if task.assign not in (*_RULES, *members):
                message = f"'{task.assign}' is no member of the queue '{task.queue}'"
                hint = way_out(task.assign, [*_RULES, *members], "add it to the queue in journeys/project.yaml")
                yield file.problem((*node.path, "task", "assign"), CODE, message, hint)
            elif not members:
                message = f"the queue '{task.queue}' has no members, so nobody is given this task"
                hint = "add `members` to the queue in journeys/project.yaml"
                yield file.problem((*node.path, "task", "queue"), CODE, message, hint, severity="warning")
            if task.due_in is not None and queues[task.queue].hours is None:
                message = f"the queue '{task.queue}' has no hours that `due_in` could count"
                hint = 'add `hours: {from: "09:00", to: "18:00"}` to it in journeys/project.yaml, or write `due`'
                yield file.problem((*node.path, "task", "due_in"), CODE, message, hint)
