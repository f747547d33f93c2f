"""`enroll`, `unenroll` or `unless_in` names a journey that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.analysis.unknown import unknown_mentions
from orchestrator.errors import Problem

CODE: Final = "unknown_journey"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Journeys in plain fields; those in expressions are the compiler's."""
    yield from unknown_mentions(subject, "journey", subject.files.journey_names, "write its file below journeys/")
