"""A value that cannot be what schema.yaml declares: in `set`, `track`, and the `from` and `to` of a trigger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestrator.core.expression.builtin_events import EVENTS
from orchestrator.core.expression.reserved import CUSTOMER
from orchestrator.core.expression.types import UNKNOWN, Type, type_name
from orchestrator.core.program import SetAttributes, Track
from orchestrator.definitions.faults import described
from orchestrator.definitions.models.triggers import AttributeTrigger, DateTrigger
from orchestrator.definitions.rules.analysis.fitting import accepts, moment, type_of_template
from orchestrator.definitions.rules.analysis.subject import JourneyFile, JourneySubject, Subject
from orchestrator.definitions.source import Path
from orchestrator.errors import Problem

CODE: Final = "type_clash"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Values given to attributes and properties; clashes inside expressions are the compiler's."""
    plan = subject.loaded.plan.types
    attributes: Mapping[str, Type] = {**plan.customer, **CUSTOMER}
    for file in subject.journey_files:
        yield from _triggers(file, attributes)
    for journey in subject.journeys:
        for step in journey.steps:
            match step:
                case SetAttributes():
                    given = journey.model_value(step, "set")
                    for key, value in given.items():
                        declared = attributes.get(key.removeprefix("customer."), UNKNOWN)
                        path = (*journey.path(step), "set", key)
                        yield from _value(journey, step.index, key, value, declared, path)
                case Track(event=event):
                    properties = plan.events.get(event, EVENTS.get(event, {}))
                    given = journey.model_value(step, "track").properties
                    for key, value in given.items():
                        path = (*journey.path(step), "track", "properties", key)
                        yield from _value(journey, step.index, key, value, properties.get(key, UNKNOWN), path)


def _value(journey: JourneySubject, index: int, name: str, value: Any, declared: Type, path: Path) -> Iterator[Problem]:
    """A template or literal given to something declared."""
    kind = type_of_template(value, journey.source.names[index])
    if kind is None:
        if not accepts(declared, value):
            yield journey.problem(path, CODE, _words(name, declared, described(value)))
    elif not accepts(declared, kind):
        yield journey.problem(path, CODE, _words(name, declared, type_name(kind)))


def _words(name: str, declared: Type, found: str) -> str:
    return f"'{name}' is declared as {type_name(declared)}, and this is {found}"


def _triggers(file: JourneyFile, attributes: Mapping[str, Type]) -> Iterator[Problem]:
    for number, trigger in enumerate(file.model.enter):
        match trigger:
            case AttributeTrigger():
                declared = attributes.get(trigger.attribute.removeprefix("customer."), UNKNOWN)
                for key, value in (("from", trigger.from_), ("to", trigger.to)):
                    if not accepts(declared, value):
                        message = _words(trigger.attribute, declared, described(value))
                        yield file.problem(("enter", number, key), CODE, message)
            case DateTrigger():
                declared = attributes.get(trigger.date.removeprefix("customer."), UNKNOWN)
                if not moment(declared):
                    message = f"a `date` trigger needs a date, and {trigger.date} is declared as {type_name(declared)}"
                    hint = "declare it with `type: date` or `type: datetime` in journeys/schema.yaml"
                    yield file.problem(("enter", number, "date"), CODE, message, hint)
