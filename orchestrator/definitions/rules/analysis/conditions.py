"""What a condition tells about names when it is true, and when it is false.

`coupon is not none and coupon.code != ''` is true only where `coupon` is there: behind it the name may be used.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.core.expression.nodes import (
    And,
    Attribute,
    Call,
    Compare,
    Conditional,
    Filter,
    IsNone,
    Item,
    ListNode,
    Literal,
    Name,
    Node,
    Not,
    Or,
    children,
)

Variables = Mapping[str, Node]
"""The journey's `vars`, by name."""

_NOBODY: frozenset[str] = frozenset()
_DEEPEST = 40


def present_if(node: Node, outcome: bool, variables: Variables, depth: int = 0) -> frozenset[str]:
    """The names that are certainly there (not none) where the condition came out as `outcome`."""
    if depth > _DEEPEST:
        return _NOBODY
    match node:
        case Name(name=name) if name in variables:
            return present_if(variables[name], outcome, variables, depth + 1)
        case Name() | Attribute() | Item():
            return _roots(node) if outcome else _NOBODY
        case Not(operand=operand):
            return present_if(operand, not outcome, variables, depth + 1)
        case IsNone(operand=operand):
            return _NOBODY if outcome else _roots(operand)
        case And(operands=operands) | Or(operands=operands):
            told = [present_if(operand, outcome, variables, depth + 1) for operand in operands]
            all_hold = isinstance(node, And) == outcome
            return frozenset().union(*told) if all_hold else frozenset.intersection(*told)
        case Compare(first=first, rest=rest):
            return _compared(first, rest, outcome)
        case _:
            return _NOBODY


def absent_if(node: Node, outcome: bool, variables: Variables, depth: int = 0) -> frozenset[str]:
    """The bare names that are certainly none where the condition came out as `outcome`."""
    if depth > _DEEPEST:
        return _NOBODY
    match node:
        case Name(name=name) if name in variables:
            return absent_if(variables[name], outcome, variables, depth + 1)
        case Not(operand=operand):
            return absent_if(operand, not outcome, variables, depth + 1)
        case IsNone(operand=Name(name=name)):
            return frozenset({name}) if outcome else _NOBODY
        case Compare(first=Name(name=name), rest=((operator, Literal(value=None)),)):
            return frozenset({name}) if (operator == "==") == outcome and operator in ("==", "!=") else _NOBODY
        case And(operands=operands) | Or(operands=operands):
            told = [absent_if(operand, outcome, variables, depth + 1) for operand in operands]
            all_hold = isinstance(node, And) == outcome
            return frozenset().union(*told) if all_hold else frozenset.intersection(*told)
        case _:
            return _NOBODY


def needing(node: Node, variables: Variables) -> frozenset[str]:
    """The names without which the expression has no value to print: `coupon` for `coupon.code | upper`.

    What copes with a missing value (`default`, a comparison, a choice made by the name itself) needs none.
    """
    match node:
        case Name(name=name):
            return needing(variables[name], variables) if name in variables else frozenset({name})
        case Attribute() | Item():
            return _roots(node)
        case Filter(name="default"):
            return _NOBODY
        case Filter(target=target):
            return needing(target, variables)
        case Conditional(test=test, then=then, otherwise=otherwise):
            first = needing(then, variables) - present_if(test, True, variables)
            return first | (needing(otherwise, variables) - present_if(test, False, variables))
        case Compare() | Not() | IsNone() | And() | Or() | Literal() | ListNode():
            return _NOBODY
        case Call(function=function, args=args) if function == "date":
            return needing(args[0], variables) if args and args[0] is not None else _NOBODY
        case _:
            return frozenset().union(*(needing(child, variables) for child in children(node)))


def _compared(first: Node, rest: tuple[tuple[str, Node], ...], outcome: bool) -> frozenset[str]:
    if not outcome:
        # Of one comparison alone it is known that it failed: `x == none` is false where x is there.
        match rest:
            case (("==", Literal(value=None)),):
                return _roots(first)
            case (("!=", Literal(value=value)),) if value is not None:
                return _roots(first)
        return _NOBODY
    found: set[str] = set()
    left = first
    for operator, right in rest:
        if operator in ("<", "<=", ">", ">="):
            found |= _roots(left) | _roots(right)
        elif _only_for_something(operator, right):
            found |= _roots(left)
        left = right
    return frozenset(found)


def _only_for_something(operator: str, right: Node) -> bool:
    """Whether the comparison is true only where its left side is there."""
    match operator, right:
        case "!=", Literal(value=None):
            return True
        case "==", Literal():
            return _is_something(right)
        case "in", ListNode(items=items):
            return all(map(_is_something, items))
        case _:
            return False


def _is_something(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is not None


def _roots(node: Node) -> frozenset[str]:
    """The name at the root of a value; filters that cope with nothing are looked through."""
    while True:
        match node:
            case Name(name=name):
                return frozenset({name})
            case Attribute(target=target) | Item(target=target):
                node = target
            case Filter(target=target, name=name) if name != "default":
                node = target
            case _:
                return _NOBODY
