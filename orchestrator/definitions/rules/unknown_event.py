"""A trigger, exit, update, goal, wait or `track` names an event that schema.yaml does not declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.expression.builtin_events import EVENTS
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.analysis.unknown import unknown_mentions
from orchestrator.errors import Problem

CODE: Final = "unknown_event"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Events in plain fields, the engine's own being known; those in expressions are the compiler's."""
    if subject.sure("schema"):
        known = {**subject.files.schema.events, **EVENTS}
        yield from unknown_mentions(subject, "event", known, "declare it in journeys/schema.yaml")
