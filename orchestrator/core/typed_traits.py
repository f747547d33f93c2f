"""Traits as schema.yaml declares them: "42" for a number is 42, 7 for a text is "7"; what has no such reading stays as
it is, and is told of (orchestrator.core.tracking_plan)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from orchestrator.core.project import Attribute
from orchestrator.core.time.iso import format_instant

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}").fullmatch
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:[eE][+-]?[0-9]{1,3})?").fullmatch
_FLAGS: Final[Mapping[str, bool]] = {"true": True, "false": False}
_LARGEST: Final = 1 << 63


def typed(declared: Mapping[str, Attribute], traits: Mapping[str, Any]) -> Mapping[str, Any]:
    """The traits with each declared one as its type, where it has a reading as one: the same object where nothing is
    to do, as nearly always."""
    changed: dict[str, Any] | None = None
    for name, value in traits.items():
        attribute = declared.get(name)
        if attribute is None or value is None:
            continue
        read = read_as(attribute, value)
        if read is not value:
            changed = dict(traits) if changed is None else changed
            changed[name] = read
    return traits if changed is None else changed


def read_as(attribute: Attribute, value: Any) -> Any:
    """One value as an attribute's type; the same object where it is of that type, or of none that could be read."""
    match attribute.type:
        case "integer":
            return _whole(value)
        case "number":
            return _number(value)
        case "boolean":
            return _FLAGS.get(value.strip().lower(), value) if isinstance(value, str) else value
        case "string":
            return _text(attribute, value)
        case "date" | "datetime":
            return _moment(attribute.type, value)
        case _:
            return value


def _whole(value: Any) -> Any:
    if isinstance(value, str) and _WHOLE(value.strip()):
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST:
        return int(value)
    return value


def _number(value: Any) -> Any:
    if not isinstance(value, str) or not _DECIMAL(value.strip()):
        return value
    if _WHOLE(value.strip()):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else value


def _text(attribute: Attribute, value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if isinstance(value, str) and attribute.enum is not None and value not in attribute.enum:
        near = [word for word in attribute.enum if word.casefold() == value.strip().casefold()]
        return near[0] if len(near) == 1 else value
    return value


def _moment(word: str, value: Any) -> Any:
    if isinstance(value, datetime):
        if word == "date":
            return value.date().isoformat()
        return format_instant(value) if value.tzinfo is not None else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and value != value.strip():
        return value.strip()
    return value
