"""A template reads a value that the journeys which send it do not have: an unknown name, attribute or property.

A template is looked at once for each set of types with which what it reads is sent; a mistake that it makes everywhere
is told
once, at its place in the template's file.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from orchestrator.core.expression.check import check as check_types
from orchestrator.core.expression.finding import Finding
from orchestrator.core.expression.types import UNKNOWN, Types
from orchestrator.core.program import Step
from orchestrator.definitions.compiler.names import tree_or_none
from orchestrator.definitions.rules.analysis.subject import JourneySubject, Subject, given, messages, ways_of
from orchestrator.errors import Problem
from orchestrator.templating.positions import Position
from orchestrator.templating.templates import TemplateVariant

CODE: Final = "unknown_template_variable"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Every value of every template that some journey sends. Findings other than unknown names keep their own codes."""
    found: dict[tuple[Position, str, str], Problem] = {}
    seen: set[Hashable] = set()
    for journey in subject.journeys:
        hushed = subject.loaded.plan.hushed
        for step in messages(journey):
            names = journey.source.names[step.index]
            more = given(step.options)
            for way in ways_of(step):
                for variant in subject.variants(way):
                    asks = subject.asked_by(variant)
                    key = (variant.path, variant.locale, names.meaning(asks), more & asks.results)
                    if key not in seen:
                        seen.add(key)
                        types = _with_values(names.types, more)
                        for place, finding in _findings(variant, types, _texts(variant)):
                            same = (place, finding.code, finding.message)
                            if same not in found and finding.code not in hushed:
                                found[same] = _problem(place, finding, journey, step)
    yield from found.values()


def _with_values(types: Types, more: frozenset[str]) -> Types:
    """What a template may read beside the journey's names: the values that `with` gives."""
    return replace(types, results={**types.results, **dict.fromkeys(more, UNKNOWN)})


def _texts(variant: TemplateVariant) -> Mapping[str, list[str]]:
    return {f"templates/{path}": text.split("\n") for path, text in variant.files}


def _findings(
    variant: TemplateVariant, types: Types, lines: Mapping[str, list[str]]
) -> Iterator[tuple[Position, Finding]]:
    for key, source in variant.uses:
        tree = tree_or_none(source)
        if tree is None:
            continue
        for finding in check_types(tree, types)[1]:
            for place in variant.positions.get(key, ()) or (Position(variant.path, 1, 1),):
                yield _exact(place, source, finding, lines), finding


def _exact(place: Position, source: str, finding: Finding, lines: Mapping[str, list[str]]) -> Position:
    """The place of the finding itself, where the file spells the expression as our key does; else the expression's."""
    text = lines.get(place.path, [])
    line = text[place.line - 1] if place.line <= len(text) else ""
    end = finding.offset + finding.length
    if line.startswith(source[:end], place.column - 1):
        return place._replace(column=place.column + finding.offset)
    return place


def _problem(place: Position, finding: Finding, sender: JourneySubject, step: Step) -> Problem:
    """The finding at its place in the template, with the step that sends it."""
    message, hint, code = finding.message, finding.hint or "", finding.code
    if code == "unknown_name":
        code = CODE
        word = message.split("'")[1] if message.count("'") > 1 else ""
        if hint.startswith("known here"):
            hint = f"give it in the step: with: {{{word}: ...}}"
    line = sender.document.position(sender.path(step)).line
    return Problem(
        place.path,
        place.line,
        place.column,
        code,
        f"{message} (sent in {sender.document.path}:{line})",
        hint or None,
        finding.severity,
        finding.length,
    )
