"""A `goto` that jumps into the middle of a `repeat`, which has not begun to count its passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.program import Goto, IssueCoupon
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "goto_into_repeat"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Jumps from outside a repeat to a step inside it; the `repeat` itself may be jumped to."""
    for journey in subject.journeys:
        for step in journey.steps:
            match step:
                case Goto(target=target):
                    path = (*journey.path(step), "goto")
                case IssueCoupon(on_exhausted="goto", exhausted_target=target):
                    path = (*journey.path(step), "coupon", "on_exhausted", "goto")
                case _:
                    continue
            if target < 0:
                continue
            entered = [loop for loop in journey.steps[target].loops if loop not in step.loops]
            if entered:
                message = f"'{journey.steps[target].id}' stands inside the repeat '{entered[0]}', which has not begun"
                hint = f"go to '{entered[0]}' itself, or to a step outside it"
                yield journey.problem(path, CODE, message, hint)
