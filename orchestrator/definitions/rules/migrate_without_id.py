"""Steps on which people stand and that have no `id`, in a journey that moves those of older versions by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.program import (
    OpenTask,
    Step,
    Survey,
    WaitFor,
    WaitSomething,
    WaitUntilDate,
    WaitUntilTime,
    WaitWindow,
)
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "migrate_without_id"
SEVERITY: Final = "warning"
MOST_NAMED: Final = 4


def check(subject: Subject) -> Iterator[Problem]:
    """The names by position, such as `wait_2`, mean another step as soon as one is put before it."""
    for journey in subject.journeys:
        if journey.journey.migrate is None:
            continue
        given = {node.path for node in journey.nodes if node.explicit_id is not None}
        found = [s.id for s in journey.steps if _stands(s) and not s.in_exit and journey.path(s) not in given]
        if found:
            names = ", ".join(f"'{name}'" for name in found[:MOST_NAMED]) + (" ..." if len(found) > MOST_NAMED else "")
            message = f"steps on which people wait are known by their position only: {names}"
            hint = "give each an `id`, that of the step that it was before, so that nobody is moved to another one"
            yield journey.problem(("migrate",), CODE, message, hint, key=True, severity=SEVERITY)


def _stands(step: Step) -> bool:
    if isinstance(step, Survey):
        return step.up_to is not None
    if isinstance(step, OpenTask):
        return step.wait
    return isinstance(step, (WaitFor, WaitUntilTime, WaitUntilDate, WaitWindow, WaitSomething))
