"""A wait for something that may never happen, without `up_to` (the language reference, section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.program import OpenTask, WaitSomething
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "wait_without_end"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """Waits for an event, condition or segment, and for tasks that never become overdue."""
    for journey in subject.journeys:
        for step in journey.steps:
            match step:
                case WaitSomething(up_to=None) if not step.in_exit:
                    message = "this waits for ever where it does not happen"
                    hint = "add `up_to: 7d`, and an `else:` for those for whom it did not"
                    yield journey.verb_problem(step, CODE, message, hint, SEVERITY)
                case OpenTask(wait=True, due=None, due_in=None) if not step.in_exit:
                    message = "this waits for ever where nobody closes the task, for without `due` it is never overdue"
                    yield journey.verb_problem(step, CODE, message, "add `due: 2d`", SEVERITY)
