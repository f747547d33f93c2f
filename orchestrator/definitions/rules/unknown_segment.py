"""A trigger names a segment that segments.yaml does not declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.analysis.unknown import unknown_mentions
from orchestrator.errors import Problem

CODE: Final = "unknown_segment"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Segments of triggers; those in expressions and waits are the compiler's."""
    if subject.sure("segments"):
        yield from unknown_mentions(subject, "segment", subject.files.segments, "declare it in journeys/segments.yaml")
