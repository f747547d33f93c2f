"""What lint knows about values before there are any: the types of the tracking plan, and the names of a project.

An unknown type, or an open Record, never gives rise to a complaint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Literal, assert_never

from orchestrator.core.expression.nodes import Node
from orchestrator.records import dataclass

Kind = Literal["string", "integer", "number", "boolean", "date", "datetime", "duration", "none", "unknown"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value. `number` holds integers too; `unknown` is anything."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Enum:
    """A text out of a fixed list, in the order of the schema: its place there is its `rank`."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose items are all of one type."""

    item: Type


@dataclass(frozen=True, slots=True)
class Record:
    """An object. `fields` None means that nothing is known about it; `open` that it may hold more than its fields."""

    fields: Mapping[str, Type] | None = None
    open: bool = False


Type = Scalar | Enum | ListOf | Record

STRING = Scalar("string")
INTEGER = Scalar("integer")
NUMBER = Scalar("number")
BOOLEAN = Scalar("boolean")
DATE = Scalar("date")
DATETIME = Scalar("datetime")
DURATION = Scalar("duration")
NONE = Scalar("none")
UNKNOWN = Scalar("unknown")
OBJECT = Record(None, open=True)
"""An object of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Types:
    """All that checker and compiler may know: types by name, and the names that exist. None: do not check these."""

    customer: Mapping[str, Type] = field(default_factory=dict)
    """Declared attributes; the reserved ones (id, tags, timezone, ...) are known without."""
    formulas: Mapping[str, Node] = field(default_factory=dict, repr=False)
    """Attributes that are formulas, with the trees that stand in for them."""
    scores: frozenset[str] | None = None
    """The names of `customer.score`. None: do not check them."""
    event: Type | None = None
    """The properties of the event being looked at; None where there is none."""
    entry: Type | None = None
    """What `entry` holds besides at, name, key, trigger, updated_at; None where there is no entry (segments)."""
    results: Mapping[str, Type] = field(default_factory=dict)
    """What steps named by `as:`, and whatever else the place offers (`row` of a mapping)."""
    vars: Mapping[str, Type] = field(default_factory=dict)
    events: Mapping[str, Mapping[str, Type]] = field(default_factory=dict)
    """Every declared event with its properties; built-in ones are known without."""
    segments: frozenset[str] | None = None
    journeys: frozenset[str] | None = None
    templates: frozenset[str] | None = None
    offers: frozenset[str] | None = None
    topics: frozenset[str] | None = None
    channels: frozenset[str] | None = None
    steps: frozenset[str] | None = None
    catalogs: Mapping[str, Mapping[str, Type]] = field(default_factory=dict)
    """Columns of every catalog, by its name."""


def type_name(kind: Type) -> str:
    """A type as a message names it: 'a text', 'a number'."""
    match kind:
        case Enum(values=values):
            return f"one of {', '.join(values[:6])}{', ...' if len(values) > 6 else ''}"
        case ListOf():
            return "a list"
        case Record():
            return "an object"
        case Scalar(kind=word):
            return _WORDS[word]
        case _:
            assert_never(kind)


_WORDS: dict[Kind, str] = {
    "string": "a text",
    "integer": "a number",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date",
    "datetime": "a date with a time",
    "duration": "a duration",
    "none": "none",
    "unknown": "a value",
}


def either(kinds: Iterable[Type]) -> Type:
    """The type of a value that is one of several; none fits in with everything. Of nothing: unknown."""
    found: Type | None = None
    for kind in kinds:
        if found is None or found == NONE or _is_part(found, kind):
            found = kind
        elif kind != NONE and not _is_part(kind, found):
            return UNKNOWN
    return UNKNOWN if found is None else found


def _is_part(narrow: Type, wide: Type) -> bool:
    if narrow == wide:
        return True
    match narrow, wide:
        case Scalar(kind="integer"), Scalar(kind="number"):
            return True
        case Enum(), Scalar(kind="string"):
            return True
        case ListOf(item=one), ListOf(item=two):
            return _is_part(one, two)
    return False
