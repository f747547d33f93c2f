"""Steps by their place in the file: which branches stand around them."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.core.program import Step
from orchestrator.definitions.models.flow import ChooseStep, IfStep
from orchestrator.definitions.rules.analysis.subject import JourneySubject
from orchestrator.definitions.rules.analysis.texts import model_at


def under_same_conditions(journey: JourneySubject, one: Step, other: Step) -> bool:
    """Whether every condition that leads to `one` stands, word for word, around `other` too.

    `if: valuable` around a coupon and once more around the message that mentions it mean the same people.
    """
    return set(_conditions(journey, one)) <= set(_conditions(journey, other))


def _conditions(journey: JourneySubject, step: Step) -> Iterator[tuple[str, bool]]:
    """The conditions of the branches around a step, each with how it came out, and of the step itself."""
    path = journey.path(step)
    for length in range(1, len(path)):
        model = model_at(journey.model, path[:length])
        match model:
            case IfStep():
                yield " ".join(model.if_.split()), path[length] == "then"
            case ChooseStep() if path[length] == "choose":
                number = path[length + 1]
                assert isinstance(number, int)
                yield " ".join(model.choose[number].when.split()), True
    if step.skip_if is not None:
        yield " ".join(step.skip_if.source.split()), False
