"""A journey, a message, a cap or a template's front matter names a topic that project.yaml does not declare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.analysis.unknown import unknown_mentions, way_out
from orchestrator.errors import Problem
from orchestrator.templating.templates import TemplateVariant

CODE: Final = "unknown_topic"
SEVERITY: Final = "error"

_PROJECT: Final = "journeys/project.yaml"
_REMEDY: Final = "declare it under `topics` in journeys/project.yaml"
_TOPIC = re.compile(r"^topic[ \t]*:[ \t]*", re.MULTILINE)


def check(subject: Subject) -> Iterator[Problem]:
    """Topics in plain fields; those in expressions are the compiler's."""
    if not subject.sure("project"):
        return
    topics = subject.files.project.topics
    yield from unknown_mentions(subject, "topic", topics, _REMEDY)
    for number, cap in enumerate(subject.files.project.caps):
        if cap.topic is not None and cap.topic not in topics:
            hint = way_out(cap.topic, topics, _REMEDY)
            message = f"there is no topic '{cap.topic}'"
            yield subject.document(_PROJECT).problem(("caps", number, "topic"), CODE, message, hint)
    for variant in subject.templates.variants():
        if variant.topic and variant.topic not in topics:
            line, column = _place(variant)
            hint = way_out(variant.topic, topics, _REMEDY)
            message = f"there is no topic '{variant.topic}'"
            yield Problem(variant.path, line, column, CODE, message, hint, length=len(variant.topic))


def _place(variant: TemplateVariant) -> tuple[int, int]:
    text = variant.files[0][1] if variant.files else ""
    found = _TOPIC.search(text)
    if found is None:
        return 1, 1
    return text.count("\n", 0, found.end()) + 1, found.end() - text.rfind("\n", 0, found.end())
