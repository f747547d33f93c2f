"""Records of the engine as plain lists and texts, so that two of them can be compared whatever they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def spelled(value: Any) -> Any:
    """All that a record holds: equal where the values and their types are; a tuple is as good as a list."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return sorted(([spelled(name), spelled(held)] for name, held in value.items()), key=repr)  # it has no order
    if isinstance(value, (set, frozenset)):
        return sorted(map(spelled, value))
    if isinstance(value, (list, tuple)):
        return [type(value).__name__ if hasattr(value, "_fields") else "", *map(spelled, value)]
    if hasattr(type(value), "__slots__"):
        return [type(value).__name__, *(spelled(getattr(value, name)) for name in type(value).__slots__)]
    return repr(value)
