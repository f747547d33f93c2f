"""A step that no customer can come to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.program import RepeatAgain
from orchestrator.definitions.rules.analysis.subject import JourneySubject, Subject
from orchestrator.definitions.source import Path
from orchestrator.errors import Problem

CODE: Final = "unreachable_step"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """The first step of each stretch that cannot be reached."""
    for journey in subject.journeys:
        reached = journey.graph.reached
        lost = {
            journey.path(step)
            for step in journey.steps
            if step.index not in reached and not isinstance(step, RepeatAgain)
        }
        for step in journey.steps:
            path = journey.path(step)
            if path in lost and not isinstance(step, RepeatAgain) and not _goes_on(path, lost):
                yield journey.verb_problem(step, CODE, *_words(journey, path))


def _goes_on(path: Path, lost: set[Path]) -> bool:
    """Whether the step before it in the same list, or a step around it, is lost too: then that one is told."""
    number = path[-1]
    before = isinstance(number, int) and (*path[:-1], number - 1) in lost
    return before or any(path[:length] in lost for length in range(len(path)))


def _words(journey: JourneySubject, path: Path) -> tuple[str, str]:
    number = path[-1]
    before = (*path[:-1], number - 1) if isinstance(number, int) and number > 0 else None
    step = next((step for step in journey.steps if journey.path(step) == before), None)
    hint = "remove it, or give it an `id` and go there with `goto`"
    if step is None:
        return "no customer can come to this step", hint
    line = journey.document.position(journey.path(step)).line
    verb = "leads elsewhere" if step.verb in ("goto", "exit") else "never goes on here"
    return f"no customer can come to this step: `{step.verb}` in line {line} {verb}", hint
