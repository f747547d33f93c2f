"""The values on which a decision was taken: the longest paths and calls of an expression, by their canonical text."""

from __future__ import annotations

from typing import assert_never

from orchestrator.core.expression.nodes import (
    And,
    Arithmetic,
    Attribute,
    Call,
    CatalogRow,
    Compare,
    Conditional,
    DictNode,
    Fact,
    Filter,
    History,
    IsNone,
    Item,
    ListNode,
    Literal,
    Name,
    Node,
    Not,
    Or,
    Sign,
    children,
)


def leaves_of(node: Node) -> list[Node]:
    """The leaves in source order: paths (`customer.tier`), names, calls, and values with their filters
    (`entry.items | length`); constants are none."""
    found: list[Node] = []
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if _is_leaf(part):
            if not _is_constant(part):
                found.append(part)
        else:
            waiting.extend(reversed(children(part)))
    return found


def _is_leaf(node: Node) -> bool:
    match node:
        case Literal() | Name() | Attribute() | Item() | History() | Fact() | CatalogRow() | Call() | Filter():
            return True
        case (
            ListNode()
            | DictNode()
            | Sign()
            | Arithmetic()
            | Compare()
            | Not()
            | IsNone()
            | And()
            | Or()
            | Conditional()
        ):
            return False
        case _:
            assert_never(node)


def _is_constant(node: Node) -> bool:
    """Nothing in it is looked up: `14`, `days(3)`, `duration('7d')`."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        match part:
            case Name() | History() | Fact() | CatalogRow() | Call(function="days_since" | "days_until"):
                return False
            case _:
                waiting.extend(children(part))
    return True
