"""What an expression will ask for, told by its text alone: so that a store loads that, and nothing else."""

from __future__ import annotations

from dataclasses import fields
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
)
from orchestrator.core.expression.reserved import NAMES
from orchestrator.records import dataclass

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
    found: dict[str, set[str]] = {}
    windows: set[tuple[str, timedelta | None]] = set()
    timed = False
    waiting = [node]
    while waiting:
        part = waiting.pop()
        match part:
            case Literal():
                continue
            case Name() | Attribute() | Item() if path := _path(part):
                timed = timed or path[0] in ("now", "today")
                _note_path(path, found)
                continue
            case History():
                window = _window(part)
                timed = timed or window is not None
                windows.add((part.event.text, window))
                _note("events", part.event.text, found)
            case Fact():
                timed = timed or part.within is not None
                _note_fact(part, found)
            case CatalogRow(catalog=catalog):
                _note("catalogs", catalog.text, found)
            case Call(function="days_since" | "days_until"):
                timed = True
        waiting.extend(children(part))
    names = {kind: frozenset(words) for kind, words in found.items()}
    return Needs(windows=frozenset(windows), timed=timed, **names)


def _note(kind: str, name: str, found: dict[str, set[str]]) -> None:
    found.setdefault(kind, set()).add(name)


def _note_path(path: list[str], found: dict[str, set[str]]) -> None:
    """A name, or a property of `customer`, `entry` or `event`: through `attributes` and `properties` as well."""
    root = path[0]
    if root in ("customer", "entry", "event"):
        names = path[2:] if path[1:2] == ["attributes" if root == "customer" else "properties"] else path[1:]
        _note(root, names[0] if names else ALL, found)
    elif root not in NAMES:
        _note("results", root, found)


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
    "recommended": ("catalogs",),
    "entered": ("journeys",),
    "in_journey": ("journeys",),
}


def _note_fact(node: Fact, found: dict[str, set[str]]) -> None:
    for kind, word in zip(_KINDS[node.function], node.words, strict=True):
        _note(kind, word.text, found)


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
