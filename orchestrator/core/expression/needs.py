"""What an expression will ask for, told by its text alone: so that a store loads that, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Final

from orchestrator.core.expression.nodes import (
    Attribute,
    Call,
    CatalogRow,
    Fact,
    History,
    Item,
    Literal,
    Name,
    Node,
    children,
    walk,
)
from orchestrator.core.expression.reserved import NAMES

ALL: Final = "*"
"""Stands for every name, where an object is used as a whole or asked by a computed name."""

_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Needs:
    """Names by kind. `|` unites two."""

    events: frozenset[str] = _NONE
    """Names of past events."""
    windows: frozenset[tuple[str, timedelta | None]] = frozenset()
    """How far back each past event is asked for, capped by settings.history; None: without end."""
    customer: frozenset[str] = _NONE
    """Attributes read, reserved ones included; `*` stands for all."""
    entry: frozenset[str] = _NONE
    event: frozenset[str] = _NONE
    results: frozenset[str] = _NONE
    """Bare names that are not reserved: results, and variables that the expression uses."""
    segments: frozenset[str] = _NONE
    journeys: frozenset[str] = _NONE
    """Journeys whose entries or running enrollments are asked for."""
    received: frozenset[str] = _NONE
    """Templates or journeys of messages."""
    steps: frozenset[str] = _NONE
    """Steps of this journey, by opened, clicked or visits."""
    offers: frozenset[str] = _NONE
    catalogs: frozenset[str] = _NONE
    topics: frozenset[str] = _NONE
    channels: frozenset[str] = _NONE
    timed: bool = False
    """Whether time alone can change the value."""

    def __or__(self, other: Needs) -> Needs:
        return Needs(**{item.name: getattr(self, item.name) | getattr(other, item.name) for item in fields(Needs)})


NOTHING: Final = Needs()
"""The needs of a constant."""


def needs(node: Node) -> Needs:
    """The needs of one expression. Of variables only the names are told: build_expr adds what these need."""
    found: dict[str, set[str]] = {item.name: set() for item in fields(Needs) if item.name not in ("windows", "timed")}
    windows: set[tuple[str, timedelta | None]] = set()
    timed = False
    for part in walk(node):
        match part:
            case Name(name=name):
                timed = timed or name in ("now", "today")
                if name not in NAMES:
                    found["results"].add(name)
                elif name in ("customer", "entry", "event"):
                    found[name].add(ALL)
            case History():
                window = _window(part)
                timed = timed or window is not None
                windows.add((part.event.text, window))
                found["events"].add(part.event.text)
            case Fact():
                timed = timed or part.within is not None
                _note_fact(part, found)
            case CatalogRow(catalog=catalog):
                found["catalogs"].add(catalog.text)
            case Call(function="days_since" | "days_until"):
                timed = True
            case _:
                continue
    for kind in ("customer", "entry", "event"):
        if ALL in found[kind]:
            found[kind] = _properties_read(node, kind)
    names = {kind: frozenset(words) for kind, words in found.items()}
    return Needs(windows=frozenset(windows), timed=timed, **names)


def _window(node: History) -> timedelta | None:
    """The length asked for; None where the function sees everything. Without `within`, settings.history bounds it."""
    if node.within is not None:
        return node.within.length_for
    unbounded = node.where is None and node.function in ("did", "count", "first", "last")
    return None if unbounded else timedelta.max


_KINDS: Final = {
    "in_segment": ("segments",),
    "consented": ("topics", "channels"),
    "reachable": ("channels",),
    "received": ("received",),
    "opened": ("steps",),
    "clicked": ("steps",),
    "visits": ("steps",),
    "redeemed": ("offers",),
    "entered": ("journeys",),
    "in_journey": ("journeys",),
}


def _note_fact(node: Fact, found: dict[str, set[str]]) -> None:
    for kind, word in zip(_KINDS[node.function], node.words, strict=True):
        found[kind].add(word.text)


def _properties_read(node: Node, kind: str) -> set[str]:
    """The names asked of `customer`, `entry` or `event`: through `attributes` and `properties` as well."""
    below = "attributes" if kind == "customer" else "properties"
    found: set[str] = set()
    waiting = [node]
    while waiting:
        part = waiting.pop()
        path = _path(part)
        if path is not None and path[0] == kind:
            names = path[2:] if path[1:2] == [below] else path[1:]
            found.add(names[0] if names else ALL)
        else:
            waiting.extend(children(part))
    return found


def _path(node: Node) -> list[str] | None:
    """`entry.a['b']` as ['entry', 'a', 'b'] where every name is constant; None for everything else."""
    names: list[str] = []
    while True:
        match node:
            case Name(name=name):
                return [name, *reversed(names)]
            case Attribute(target=target, name=name) | Item(target=target, key=Literal(value=str() as name)):
                names.append(name)
                node = target
            case _:
                return None
