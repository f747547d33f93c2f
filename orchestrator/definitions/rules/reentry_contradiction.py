"""`reentry`, `overlap` and `unless_in` that undo each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.models.triggers import (
    ApiTrigger,
    AttributeTrigger,
    EventTrigger,
    InboundTrigger,
    SegmentTrigger,
    StageTrigger,
    TriggerBase,
    UploadTrigger,
)
from orchestrator.definitions.rules.analysis.subject import JourneyFile, Subject
from orchestrator.errors import Problem

CODE: Final = "reentry_contradiction"
SEVERITY: Final = "warning"

_KEYED_BY_CUSTOMER = (
    EventTrigger, SegmentTrigger, AttributeTrigger, StageTrigger, InboundTrigger, ApiTrigger, UploadTrigger,
)  # fmt: skip
"""Triggers whose default key is the same for every entry of a customer; of the others it is the occurrence."""


def check(subject: Subject) -> Iterator[Problem]:
    """Doors that can never open as they are meant to."""
    for file in subject.journey_files:
        for number, trigger in enumerate(file.model.enter):
            yield from _overlap(file, number, trigger)
            yield from _unless_in(file, number, trigger)


def _overlap(file: JourneyFile, number: int, trigger: TriggerBase) -> Iterator[Problem]:
    again = trigger.overlap in ("restart", "parallel")
    same_key = isinstance(trigger, _KEYED_BY_CUSTOMER) or trigger.key is not None
    if again and same_key and trigger.reentry == "never":
        message = f"`overlap: {trigger.overlap}` does nothing here: `reentry: never` refuses every second entry"
        hint = "leave `reentry` out, which means always then, or leave `overlap` out"
        yield file.problem(("enter", number, "overlap"), CODE, message, hint, severity=SEVERITY)


def _unless_in(file: JourneyFile, number: int, trigger: TriggerBase) -> Iterator[Problem]:
    for place, journey in enumerate(trigger.unless_in):
        if journey == file.id and trigger.overlap in ("restart", "parallel"):
            message = f"`unless_in` names this journey itself, so `overlap: {trigger.overlap}` never happens"
            hint = "take the journey out of `unless_in`, or leave `overlap` out"
            path = ("enter", number, "unless_in", place)
            yield file.problem(path, CODE, message, hint, severity=SEVERITY)
