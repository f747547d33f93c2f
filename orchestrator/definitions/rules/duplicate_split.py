"""Two splits of one name: the same people are in the same variants, so that one test colours the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.program import Split
from orchestrator.definitions.rules.analysis.subject import JourneySubject, Subject
from orchestrator.errors import Problem

CODE: Final = "duplicate_split"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """Names of splits in two journeys, and in one journey where the variants differ."""
    first: dict[str, tuple[JourneySubject, Split]] = {}
    for journey in subject.journeys:
        for step in journey.steps:
            if not isinstance(step, Split):
                continue
            other, known = first.setdefault(step.name, (journey, step))
            if known is step or (other is journey and _same(known, step)):
                continue
            line = other.document.position(other.path(known)).line
            place = f"line {line}" if other is journey else f"{other.document.path}:{line}"
            message = f"the split '{step.name}' is there already, in {place}: the same people draw the same in both"
            hint = "give it another name, unless this is meant"
            yield journey.problem((*journey.path(step), "split", "name"), CODE, message, hint, severity=SEVERITY)


def _same(one: Split, other: Split) -> bool:
    """Whether both have the same variants with the same weights: one test that goes on in two places."""
    weights = [(variant.name, variant.weight) for variant in one.variants]
    return one.control == other.control and weights == [(variant.name, variant.weight) for variant in other.variants]
