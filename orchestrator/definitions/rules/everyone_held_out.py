"""A holdout or control group of everybody: nobody is left to be treated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.program import Split
from orchestrator.definitions.compiler.project import PROJECT
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "everyone_held_out"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """`holdout: 100%` and `control: 100`."""
    if subject.project.holdout >= 1:
        message = "everybody is held out, so nobody gets a message of any journey"
        yield subject.document(PROJECT).problem(
            ("holdout",), CODE, message, "take a part, such as 5%", severity=SEVERITY
        )
    for journey in subject.journeys:
        if journey.journey.holdout >= 1:
            message = "everybody is held out, so nobody gets a message of this journey"
            hint = "take a part, such as 10%; to stop a journey use `orchestrator stop`"
            yield journey.problem(("holdout",), CODE, message, hint, severity=SEVERITY)
        for step in journey.steps:
            if isinstance(step, Split) and step.control >= 1:
                message = "everybody is in the control group, so nobody comes to a variant"
                path = (*journey.path(step), "split", "control")
                yield journey.problem(path, CODE, message, "take a part, such as 10", severity=SEVERITY)
