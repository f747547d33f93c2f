"""A journey, a step or a trigger names a stage that project.yaml does not list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.analysis.unknown import unknown_mentions
from orchestrator.errors import Problem

CODE: Final = "unknown_stage"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Stages in plain fields."""
    if subject.sure("project"):
        yield from unknown_mentions(
            subject, "stage", subject.files.project.stages, "list it under `stages` in journeys/project.yaml"
        )
