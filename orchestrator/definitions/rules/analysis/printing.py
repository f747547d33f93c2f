"""What a step prints: the names that its texts, and the template that it sends, cannot do without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from orchestrator.core.program import Send, Step, Survey
from orchestrator.definitions.rules.analysis.conditions import needing
from orchestrator.definitions.rules.analysis.subject import JourneySubject, Subject, given, way_path, ways_of
from orchestrator.definitions.source import Path
from orchestrator.templating.positions import Position

_PRINTED_WHOLE: Final = frozenset({"subject", "title", "url"})
"""Template fields that are text even where they are one `{{ }}` and nothing else."""


class Printed(NamedTuple):
    """A name that is printed: in the file at `path`, or by a template (`where`) that the step at `path` sends."""

    name: str
    path: Path
    offset: int | None = None
    length: int | None = None
    where: Position | None = None


def printed_by(subject: Subject, journey: JourneySubject, step: Step) -> Iterator[Printed]:
    """Every result that has to hold something when the step is done, once for each text and template."""
    sent = step if isinstance(step, (Send, Survey)) else None
    wanted = _wanted_from_with(subject, sent) if sent is not None else frozenset()
    results = journey.results.names
    for text in journey.texts_at(step):
        key = text.path[-1]
        by_with = len(text.path) > 1 and text.path[-2] == "with" and key in wanted
        if text.printed or key in _PRINTED_WHOLE or by_with or (key == "body" and step.verb == "task"):
            for name in sorted(needing(text.node, journey.variables) & results):
                yield Printed(name, text.path, text.offset, len(text.source))
    if sent is None:
        return
    for number, way in enumerate(ways_of(sent)):
        told: set[str] = set()
        for variant in subject.variants(way):
            if results.isdisjoint(variant.names):
                continue
            for name, places in subject.printed(variant).items():
                if name in results - told - given(sent.options):
                    told.add(name)
                    yield Printed(name, way_path(journey, sent, number), where=places[0])


def _wanted_from_with(subject: Subject, step: Send | Survey) -> frozenset[str]:
    """The names that `with` gives and that a template prints without looking whether there is anything in them."""
    names = given(step.options)
    if not names:
        return frozenset()
    return (
        frozenset(
            name for way in ways_of(step) for variant in subject.variants(way) for name in subject.printed(variant)
        )
        & names
    )
