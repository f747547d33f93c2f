"""`track` gives an event a property that schema.yaml does not declare, or leaves out one that is required."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.expression.builtin_events import EVENTS
from orchestrator.definitions.models.actions import TrackStep
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.analysis.unknown import way_out
from orchestrator.errors import Problem

CODE: Final = "unknown_property"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Properties of tracked events; those in expressions are the compiler's."""
    if not subject.sure("schema"):
        return
    events = subject.files.schema.events
    for file in subject.journey_files:
        for node in file.nodes:
            if not isinstance(node.model, TrackStep):
                continue
            track = node.model.track
            declared = events.get(track.event)
            if declared is None:
                continue
            for name in track.properties:
                if name not in declared and name not in EVENTS.get(track.event, ()):
                    message = f"no property '{name}' of '{track.event}' is declared"
                    hint = way_out(name, declared, "declare it in journeys/schema.yaml")
                    yield file.problem((*node.path, "track", "properties", name), CODE, message, hint, key=True)
            missing = [name for name, spec in declared.items() if spec.required and name not in track.properties]
            if missing:
                message = f"'{track.event}' is tracked without `{missing[0]}`, which schema.yaml requires"
                hint = f"add it under `properties`: {missing[0]}: ..."
                yield file.problem((*node.path, "track", "event"), CODE, message, hint, severity="warning")
