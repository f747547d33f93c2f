"""A message without a topic, so that nobody knows its class (the language reference, section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.subject import Subject, messages, way_path, ways_of
from orchestrator.errors import Problem

CODE: Final = "no_topic"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Messages for which neither the step, nor the template, nor the journey names a topic."""
    for journey in subject.journeys:
        if journey.journey.topic is not None:
            continue
        for step in messages(journey):
            if step.options.topic is not None:
                continue
            for number, way in enumerate(ways_of(step)):
                without = [variant for variant in subject.variants(way) if not variant.topic]
                if without:
                    files = "its template" if len(without) == len(subject.variants(way)) else without[0].path
                    message = f"this message has no topic: neither the step nor {files} nor the journey names one"
                    hint = "add `topic: ...` at the top of the journey, or to this step"
                    yield journey.problem(way_path(journey, step, number), CODE, message, hint)
