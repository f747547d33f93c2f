"""The tracking plan (schema.yaml) against what arrives: which events and properties nobody declared, which are missing,
and which have another type than was declared."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from orchestrator.core.project import Attribute, EventSpec, Shape

UNKNOWN_EVENT: Final = "unknown_event"
UNKNOWN: Final = "unknown_property"
MISSING: Final = "missing_property"
MISTYPED: Final = "mistyped"
NOT_ALLOWED: Final = "not_allowed"
COMPUTED: Final = "computed"
KINDS: Final = (UNKNOWN_EVENT, UNKNOWN, MISSING, MISTYPED, NOT_ALLOWED, COMPUTED)
"""`not_allowed`: a text that is none of the declared `enum`; `computed`: an attribute that nobody but the engine
sets."""
IDENTIFY: Final = "identify"
"""Stands for the event of attributes that do not fit."""
OWN: Final = frozenset({"page_viewed", "screen_viewed"})
"""Events that `page` and `screen` make: nobody has to declare them."""

_NONE: Final = type(None)
_TYPES: Final[Mapping[str, frozenset[type]]] = {
    "string": frozenset({str, _NONE}),
    "integer": frozenset({int, _NONE}),
    "number": frozenset({int, float, _NONE}),
    "boolean": frozenset({bool, _NONE}),
    "date": frozenset({date, datetime, _NONE}),
    "datetime": frozenset({datetime, _NONE}),
    "list": frozenset({list, tuple, _NONE}),
    "object": frozenset({dict, _NONE}),
}
"""Python's types that need no closer look."""
LOOKED_AT: Final[frozenset[type]] = frozenset({_NONE})


class Violation(NamedTuple):
    """One thing that does not fit. `property` is '' where nobody declared the event."""

    event: str
    property: str
    kind: str
    value: Any = None


def types_of(word: str, has_enum: bool) -> frozenset[type]:
    """The types of values that fit a declaration without a closer look."""
    return LOOKED_AT if has_enum else _TYPES.get(word, LOOKED_AT)


def is_fit(spec: EventSpec, properties: Mapping[str, Any]) -> bool:
    """Whether properties fit at first sight, as nearly all do. False: they have to be looked at one by one."""
    types = spec.types
    for name, value in properties.items():
        allowed = types.get(name)
        if allowed is None or type(value) not in allowed:
            return False
    if spec.required and None in map(properties.get, spec.required):
        return False
    return not spec.shapes or not any(_inner_faults(spec, properties))


def faults_of(spec: EventSpec, properties: Mapping[str, Any]) -> list[Violation]:
    """Everything that does not fit an event's declaration."""
    found = []
    for name, value in properties.items():
        if name not in spec.properties:
            found.append(Violation(spec.name, name, UNKNOWN, value))
        elif value is not None and (kind := _fault(spec.words.get(name), spec.enums.get(name), value)) is not None:
            found.append(Violation(spec.name, name, kind, value))
    found += [Violation(spec.name, name, MISSING) for name in sorted(spec.required) if properties.get(name) is None]
    found += _inner_faults(spec, properties)
    return found


def _inner_faults(spec: EventSpec, properties: Mapping[str, Any]) -> list[Violation]:
    """What does not fit inside of lists and objects, by the path of each field (`items.sku`), of each kind the
    first."""
    found: dict[tuple[str, str], Any] = {}
    for name, shape in spec.shapes.items():
        _look_inside(shape, properties.get(name), name, found)
    return [Violation(spec.name, path, kind, value) for (path, kind), value in found.items()]


def _look_at(shape: Shape, value: Any, path: str, found: dict[tuple[str, str], Any]) -> None:
    if value is None:
        return
    kind = _fault(shape.word, shape.enum, value)
    if kind is not None:
        found.setdefault((path, kind), value)
    elif shape.each is not None or shape.fields:
        _look_inside(shape, value, path, found)


def _look_inside(shape: Shape, value: Any, path: str, found: dict[tuple[str, str], Any]) -> None:
    if shape.each is not None:
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
            _look_at(shape.each, item, path, found)
    if shape.fields and isinstance(value, dict):
        for name, field in shape.fields.items():
            inner = value.get(name)
            if inner is not None:
                _look_at(field, inner, f"{path}.{name}", found)
            elif field.required:
                found.setdefault((f"{path}.{name}", MISSING), None)


def attribute_faults(
    attributes: Mapping[str, Attribute], traits: Mapping[str, Any], exempt: frozenset[str]
) -> list[Violation]:
    """What of a customer's traits does not fit what is declared. `exempt`: names with a meaning of their own."""
    found = []
    for name, value in traits.items():
        if name in exempt:
            continue
        declared = attributes.get(name)
        if declared is None:
            found.append(Violation(IDENTIFY, name, UNKNOWN, value))
        elif declared.computed:
            found.append(Violation(IDENTIFY, name, COMPUTED, value))
        elif value is not None:
            enum = None if declared.enum is None else frozenset(declared.enum)
            if (kind := _fault(declared.type, enum, value)) is not None:
                found.append(Violation(IDENTIFY, name, kind, value))
            elif declared.shape is not None:
                inner: dict[tuple[str, str], Any] = {}
                _look_inside(declared.shape, value, name, inner)
                if inner:
                    found.append(Violation(IDENTIFY, name, MISTYPED, value))
    return found


def _fault(word: str | None, enum: frozenset[str] | None, value: Any) -> str | None:
    if word is None or type(value) in _TYPES.get(word, LOOKED_AT):
        return NOT_ALLOWED if enum is not None and value not in enum else None
    if word in ("date", "datetime") and type(value) is str:
        return None if _is_instant(value) else MISTYPED
    if word == "integer" and type(value) is float and value.is_integer():
        return None  # some languages have no other numbers
    return MISTYPED


def _is_instant(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
