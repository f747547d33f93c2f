"""A message on a channel that project.yaml does not configure: nobody can be reached on it (section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.subject import Subject, messages, way_path, ways_of
from orchestrator.errors import Problem

CODE: Final = "channel_not_configured"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """The first message of each journey on each such channel."""
    if not subject.sure("project"):
        return
    for journey in subject.journeys:
        told = set(subject.project.channels)
        for step in messages(journey):
            for number, way in enumerate(ways_of(step)):
                if way.channel in told:
                    continue
                told.add(way.channel)
                message = f"the channel {way.channel} is not configured, so nobody is reached on it"
                hint = f"add `{way.channel}:` under `channels` in journeys/project.yaml"
                path = way_path(journey, step, number)
                yield journey.problem(path, CODE, message, hint, severity=SEVERITY)
