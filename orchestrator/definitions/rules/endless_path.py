"""A path that never ends: steps that lead round and round with no way out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.bounds import leaves
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.endless_cycle import closing_step, timeless_circles, unbounded_circles
from orchestrator.errors import Problem

CODE: Final = "endless_path"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Circles that have a wait, and no way that leads out of them."""
    for journey in subject.journeys:
        timeless = frozenset().union(*timeless_circles(journey))
        for circle in unbounded_circles(journey):
            if circle & timeless or leaves(journey.graph, circle):
                continue
            step = closing_step(journey, circle)
            line = journey.document.position(journey.path(journey.steps[min(circle)])).line
            name = journey.steps[min(circle)].id
            message = f"no way leads out of the steps from line {line} to here: nobody ever comes to the end"
            hint = f"go back under a condition such as `if: visits('{name}') < 5`, or use `repeat` with `times`"
            yield journey.verb_problem(step, CODE, message, hint)
