"""Formulas written out: `customer.days_since_order` becomes what schema.yaml says it is, before anything is compiled.

So conditions, their timers, lint and SQL see what a formula rests on, and none of them has to know of formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from typing import Any

from orchestrator.core.expression.nodes import Attribute, Item, Literal, Name, Node


def inlined(node: Node, formulas: Mapping[str, Node]) -> Node:
    """The tree with formulas in the place of attributes that are one; the same object where there is none."""
    found: Node = _rewritten(node, formulas, None)
    return found


def _rewritten(part: Any, formulas: Mapping[str, Node], offset: int | None) -> Any:
    """`offset`: where the attribute stands, inside a formula; what goes wrong in it went wrong there."""
    if isinstance(part, tuple):
        items = tuple(_rewritten(item, formulas, offset) for item in part)
        return part if all(new is old for new, old in zip(items, part)) else items
    if not is_dataclass(part) or isinstance(part, type):
        return part
    name = _attribute_of(part)
    if name is not None and name in formulas:
        at = getattr(part, "offset", 0) if offset is None else offset
        return _rewritten(formulas[name], {}, at)
    changes: dict[str, Any] = {}
    for field in part.__dataclass_fields__:
        old = getattr(part, field)
        new = _rewritten(old, formulas, offset)
        if new is not old:
            changes[field] = new
    if offset is not None and getattr(part, "offset", offset) != offset:
        changes["offset"] = offset
    return replace(part, **changes) if changes else part


def _attribute_of(part: Any) -> str | None:
    """The name of `customer.name`, `customer['name']` or `customer.attributes.name`."""
    match part:
        case Attribute(target=target, name=name) | Item(target=target, key=Literal(value=str() as name)):
            match target:
                case Name(name="customer") | Attribute(target=Name(name="customer"), name="attributes"):
                    return name
    return None
