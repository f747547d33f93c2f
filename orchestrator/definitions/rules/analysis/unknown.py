"""Plain fields of journeys that name something nobody declared."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.definitions.faults import listed
from orchestrator.definitions.rules.analysis.mentions import Kind
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

_MOST_LISTED = 6


def unknown_mentions(subject: Subject, kind: Kind, known: Collection[str], remedy: str) -> Iterator[Problem]:
    """A problem for each plain field that names a `kind` which is not among the known; `remedy` says what to do."""
    for file in subject.journey_files:
        for mention in file.mentions.get(kind, ()):
            if not mention.checked and mention.name not in known:
                hint = way_out(mention.name, known, remedy)
                message = f"there is no {kind} '{mention.name}'"
                yield file.problem(mention.path, f"unknown_{kind}", message, hint, key=mention.key)


def way_out(name: str, known: Collection[str], remedy: str) -> str:
    """The nearest known name; else a few of the known ones and the remedy, such as "declare it in schema.yaml"."""
    near = did_you_mean(name, known)
    if near is not None:
        return near
    if known and len(known) <= _MOST_LISTED:
        return f"known: {listed(sorted(known)).replace(' or ', ' and ')}; or {remedy}"
    return remedy
