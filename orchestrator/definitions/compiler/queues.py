"""`queues:` of project.yaml: teams, their hours, and what becomes of tasks that are late."""

from __future__ import annotations

from datetime import time
from typing import Final
from zoneinfo import ZoneInfo

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.project import Escalation, Queue
from orchestrator.core.time.business_hours import BusinessHours
from orchestrator.core.time.clock_text import parse_days
from orchestrator.core.time.durations import NO_TIME
from orchestrator.core.time.holiday_dates import Calendar
from orchestrator.core.time.waits import Window
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.models.project import Hours, Overdue, ProjectModel
from orchestrator.definitions.models.project import Queue as QueueModel

OTHER: Final = "other"
"""`reassign: other`: anybody else of the queue."""
_WORKDAYS: Final = frozenset(range(5))


def compile_queues(model: ProjectModel, zone: ZoneInfo, fields: Fields) -> dict[str, Queue]:
    """The queues by their names."""
    return {name: _queue(name, queue, model, zone, fields) for name, queue in model.queues.items()}


def _queue(name: str, queue: QueueModel, model: ProjectModel, zone: ZoneInfo, fields: Fields) -> Queue:
    steps = [_escalation(name, number, step, model, fields) for number, step in enumerate(queue.overdue)]
    return Queue(
        name,
        tuple(queue.members),
        next((step.notify for step in queue.overdue if step.notify is not None), None),
        tuple(queue.notify),
        _hours(name, queue.hours, model, zone, fields) if queue.hours is not None else None,
        tuple(step for step in steps if step is not None),
    )


def _hours(name: str, hours: Hours, model: ProjectModel, zone: ZoneInfo, fields: Fields) -> BusinessHours:
    path = ("queues", name, "hours")
    start = fields.time_of_day(hours.from_, (*path, "from")) or time(0)
    end = fields.time_of_day(hours.to, (*path, "to")) or time(0)
    country = hours.country or model.country
    if hours.holidays and country is None:
        hint = "add `country: DE` here or to the project"
        fields.complain((*path, "holidays"), "bad_value", "nothing says whose holidays these are", hint)
    calendar = Calendar(country.upper()) if hours.holidays and country is not None else None
    own = fields.zone(hours.timezone, (*path, "timezone"))
    days = _WORKDAYS if hours.days is None else parse_days(hours.days)
    return BusinessHours(Window(start, end), days, own or zone, calendar)


def _escalation(name: str, number: int, step: Overdue, model: ProjectModel, fields: Fields) -> Escalation | None:
    """None: it only says who is told of overdue tasks, which they are in any case."""
    queue = model.queues[name]
    path = ("queues", name, "overdue", number)
    after = fields.duration(step.after, (*path, "after")) or NO_TIME
    if after.months and queue.hours is not None:
        message = f"`{after}` cannot be counted in business hours"
        fields.complain((*path, "after"), "bad_value", message, "write it in d, h and m")
    to = step.reassign
    if to is None:
        return Escalation(after, notify=step.notify) if not after.is_zero else None
    possible = [OTHER, *queue.members, *model.queues]
    if to not in possible or to == name:
        hint = did_you_mean(to, possible) or f"possible is {', '.join(one for one in possible if one != name)}"
        message = f"'{to}' is no member of the queue '{name}', and no other queue"
        fields.complain((*path, "reassign"), "unknown_queue", message, hint)
        return None
    member = to if to == OTHER or to in queue.members else None
    return Escalation(after, None if member else to, member, step.notify, step.owns)
