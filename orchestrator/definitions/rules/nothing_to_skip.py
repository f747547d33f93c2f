"""`if_past: skip_next` at the end of a list, where no step follows that could be left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.program import WaitFor, WaitUntilDate, WaitUntilTime, WaitWindow
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "nothing_to_skip"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """Waits that are last in their list, and waits that are never past."""
    for journey in subject.journeys:
        for step in journey.steps:
            if not isinstance(step, (WaitFor, WaitUntilTime, WaitUntilDate, WaitWindow)):
                continue
            path = (*journey.path(step), "wait", "if_past")
            if step.if_past == "skip_next" and step.following is None:
                message = "no step follows in this list, so `skip_next` leaves nothing out"
                hint = "put the step that is meant into the same list, or write `if_past: exit`"
                yield journey.problem(path, CODE, message, hint, severity=SEVERITY)
            elif step.if_past != "continue" and not isinstance(step, WaitUntilDate) and _is_written(step):
                message = "this wait is never past: it ends at or after its beginning"
                yield journey.problem(path, CODE, message, "remove `if_past`", severity=SEVERITY)


def _is_written(step: WaitFor | WaitUntilTime | WaitWindow) -> bool:
    """A computed duration may be negative, and then it is past."""
    return not isinstance(step, WaitFor) or step.expr is None
