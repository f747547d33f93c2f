"""`once` names a local time that does not exist, because the clocks are put forward over it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.program import OnceAt
from orchestrator.core.time.zones import local, to_utc
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "time_gap"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """Campaigns in a fixed zone."""
    for journey in subject.journeys:
        for number, trigger in enumerate(journey.journey.triggers):
            if not isinstance(trigger, OnceAt) or trigger.zone is None:
                continue
            meant = local(to_utc(trigger.local, trigger.zone), trigger.zone)
            if meant != trigger.local:
                message = f"{trigger.local:%H:%M} does not exist on that day in {trigger.zone.key}: clocks go forward"
                hint = f"it will be {meant:%H:%M}; write that, or a time before the change"
                yield journey.problem(("enter", number, "once"), CODE, message, hint, severity=SEVERITY)
