"""A template that no journey sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.subject import Subject, messages, ways_of
from orchestrator.errors import Problem
from orchestrator.templating.built_in import CONFIRM as BUILT_IN

CODE: Final = "unused_template"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """Templates that no message or survey names; files that begin with an underscore are parts of others."""
    if not subject.complete:
        return
    sent = {
        (way.channel, way.template)
        for journey in subject.journeys
        for step in messages(journey)
        for way in ways_of(step)
    }
    asking = {topic.confirm for topic in subject.project.topics.values() if topic.confirm is not None}
    for key, template in subject.templates.sets.items():
        if key not in sent and template.name not in asking and template.name != BUILT_IN:
            message = f"no journey sends the template '{template.name}' by {template.channel}"
            yield Problem(template.default.path, 1, 1, CODE, message, "use it or remove it", SEVERITY)
