"""A segment that nothing in the project asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.models.journey import LeftSegmentExit
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "unused_segment"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """Segments that no trigger, exit, wait or expression names."""
    if not subject.complete:
        return
    used = set(subject.asked.segments)
    for file in subject.journey_files:
        used |= {mention.name for mention in file.mentions.get("segment", ())}
        used |= {rule.left_segment for rule in file.model.exit if isinstance(rule, LeftSegmentExit)}
    document = subject.document("journeys/segments.yaml")
    for name in subject.files.segments:
        if name not in used:
            message = f"no journey, segment or template asks for the segment '{name}'"
            yield document.problem((name,), CODE, message, "use it or remove it", key=True, severity=SEVERITY)
