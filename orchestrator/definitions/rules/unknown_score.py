"""A trigger or a step names a score that project.yaml does not declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.analysis.unknown import unknown_mentions
from orchestrator.errors import Problem

CODE: Final = "unknown_score"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Scores in plain fields."""
    if subject.sure("project"):
        yield from unknown_mentions(
            subject, "score", subject.files.project.scores, "declare it under `scores` in journeys/project.yaml"
        )
