"""What `customer`, `event`, `entry`, `it`, `loop` hold without being declared (the language reference, section 4)."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.core.expression.builtin_events import EVENTS
from orchestrator.core.expression.types import (
    DATETIME,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    UNKNOWN,
    ListOf,
    Record,
    Scalar,
    Type,
    Types,
)

NAMES: frozenset[str] = frozenset({"customer", "event", "entry", "it", "now", "today", "loop"})
"""Names that variables and results cannot take."""

CUSTOMER: Mapping[str, Type] = {
    "id": STRING,
    "stage": STRING,
    "score": UNKNOWN,
    "tags": ListOf(STRING),
    "timezone": STRING,
    "locale": STRING,
    "created_at": DATETIME,
    "email": STRING,
    "phone": STRING,
    "country": STRING,
    "currency": STRING,
}
"""Besides `attributes`, which holds the declared ones once more."""

EVENT: Mapping[str, Type] = {"at": DATETIME, "name": STRING, "id": STRING}
"""Besides `properties`; also of `it` and of what `first` and `last` give."""

ENTRY: Mapping[str, Type] = {
    "at": DATETIME,
    "name": STRING,
    "key": STRING,
    "trigger": STRING,
    "updated_at": DATETIME,
}
"""Besides `properties`."""

LOOP = Record({"index": INTEGER})
"""Inside `repeat`."""


def customer_type(types: Types) -> Record:
    """Declared attributes, overlaid by the reserved ones."""
    known = {**types.customer, **CUSTOMER, "attributes": Record(types.customer)}
    if types.scores is not None:
        known["score"] = Record(dict.fromkeys(types.scores, NUMBER))
    return Record(known)


def event_type(properties: Type | None) -> Type | None:
    """The type of `event`, by its properties; None where there is no event."""
    return _overlaid(properties, EVENT)


def entry_type(properties: Type | None) -> Type | None:
    """The type of `entry`, by what it holds; None where there is no entry."""
    return _overlaid(properties, ENTRY)


def past_event_type(name: str, types: Types) -> Type:
    """The type of a past event of this name; of an unknown one nothing is known."""
    properties = properties_of(name, types)
    found = event_type(OBJECT if properties is None else Record(properties))
    assert found is not None
    return found


def properties_of(name: str, types: Types) -> Mapping[str, Type] | None:
    """The properties of an event, declared or built in; None for an event that is neither."""
    declared = types.events.get(name)
    return EVENTS.get(name) if declared is None else declared


def _overlaid(properties: Type | None, reserved: Mapping[str, Type]) -> Type | None:
    match properties:
        case None:
            return None
        case Record(fields=None):
            return Record({**reserved, "properties": OBJECT}, open=True)
        case Record(fields=fields, open=is_open):
            return Record({**(fields or {}), **reserved, "properties": properties}, open=is_open)
        case Scalar(kind="unknown"):
            return Record({**reserved, "properties": OBJECT}, open=True)
        case _:
            return properties
