"""A result (`as:`) is used where no step has set it, or where it may be none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.expression.nodes import Name, walk
from orchestrator.core.program import IssueCoupon, Step
from orchestrator.definitions.compiler.names import names_asked
from orchestrator.definitions.rules.analysis.paths import under_same_conditions
from orchestrator.definitions.rules.analysis.printing import Printed, printed_by
from orchestrator.definitions.rules.analysis.results import NONE, UNSET
from orchestrator.definitions.rules.analysis.subject import JourneySubject, Subject
from orchestrator.errors import Problem

CODE: Final = "result_unset"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Uses of results: an error where no way to the step sets them, a warning where a value is missing on some way."""
    for journey in subject.journeys:
        names = journey.results.names
        if not names:
            continue
        for step in journey.steps:
            told: set[str] = set()
            yield from _never_set(journey, step, names, told)
            for printed in printed_by(subject, journey, step):
                if printed.name in names - told:
                    yield from _perhaps_unset(journey, step, printed)


def _never_set(journey: JourneySubject, step: Step, names: frozenset[str], told: set[str]) -> Iterator[Problem]:
    results = journey.results
    own = {setter.name for setter in results.setters if setter.step is step}
    for text in journey.texts_at(step):
        if names.isdisjoint(names_asked(text.source)):
            continue
        for part in walk(text.node):
            if isinstance(part, Name) and part.name in names and results.state_before(step, part.name) == UNSET:
                if part.name in told or (part.name in own and step.retry is not None):
                    continue
                told.add(part.name)
                message, hint = _words(journey, part.name)
                offset = text.offset + part.offset
                yield journey.problem(text.path, CODE, message, hint, offset=offset, length=len(part.name))


def _perhaps_unset(journey: JourneySubject, step: Step, printed: Printed) -> Iterator[Problem]:
    state = journey.results.state(step, printed.name)
    if not state & (UNSET | NONE):
        return
    where = f"{printed.where.path}:{printed.where.line} prints" if printed.where is not None else "this prints"
    if state == UNSET:
        message, hint = _words(journey, printed.name)
        message = f"{where} '{printed.name}', and {message}"
        yield journey.problem(printed.path, CODE, message, hint, offset=printed.offset, length=printed.length)
        return
    setters = [setter.step for setter in journey.results.setters if setter.name == printed.name]
    if state & NONE and any(isinstance(step, IssueCoupon) for step in setters):
        return  # coupon_unguarded says so
    if not state & NONE and any(under_same_conditions(journey, setter, step) for setter in setters):
        return
    how = "is not set on every way to this step" if state & UNSET else "is none where the wait for it ended without it"
    message = f"{where} '{printed.name}', which {how}; a message that lacks a value is not sent"
    hint = f"send it under `if: {printed.name} is not none`, or print it with | default('...')"
    yield journey.problem(
        printed.path, CODE, message, hint, offset=printed.offset, length=printed.length, severity="warning"
    )


def _words(journey: JourneySubject, name: str) -> tuple[str, str]:
    lines = sorted(
        journey.document.position(journey.path(setter.step)).line
        for setter in journey.results.setters
        if setter.name == name
    )
    return f"no step before this one sets '{name}'", f"it is set in line {lines[0]}: move that step before this one"
