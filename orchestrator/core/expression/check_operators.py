"""Types of operators: which values can meet in a comparison or in arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from orchestrator.core.expression.constants import NotConstant, constant_value
from orchestrator.core.expression.finding import Desk
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.expression.nodes import Arithmetic, Comparison, ListNode, Literal, Node, Operator, Sign
from orchestrator.core.expression.types import (
    DATE,
    DATETIME,
    DURATION,
    INTEGER,
    NUMBER,
    STRING,
    UNKNOWN,
    Enum,
    ListOf,
    Record,
    Scalar,
    Type,
    either,
    type_name,
)
from orchestrator.core.time.iso import read_date

_ANYTHING: Final = frozenset({"unknown", "none"})
_NUMBERS: Final = frozenset({"integer", "number"})
_MOMENTS: Final = frozenset({"date", "datetime"})


def family(kind: Type) -> str:
    """What a type counts as where values meet: anything, number, moment, string, boolean, duration, list, object."""
    match kind:
        case Enum():
            return "string"
        case ListOf():
            return "list"
        case Record():
            return "object"
        case Scalar(kind=word):
            if word in _ANYTHING:
                return "anything"
            return "number" if word in _NUMBERS else "moment" if word in _MOMENTS else word


def check_pair(desk: Desk, left: Node, operator: Comparison, right: Node) -> None:
    """One comparison; both sides have been looked at."""
    one, two = desk.kinds[id(left)], desk.kinds[id(right)]
    if operator in ("in", "not in"):
        _check_in(desk, left, right, one, two)
        return
    families = {family(one), family(two)}
    if families == {"moment", "string"}:
        _check_readable(desk, left, one)
        _check_readable(desk, right, two)
    elif "anything" not in families and len(families) > 1:
        verb = "be equal to" if operator in ("==", "!=") else "be ordered against"
        hint = _bridge(families)
        desk.clash(left, f"{type_name(one)} can never {verb} {type_name(two)}", hint)
    elif operator not in ("==", "!=") and families & {"boolean", "list", "object"}:
        desk.clash(left, f"'{operator}' cannot order {type_name(one)}")
    _check_enum(desk, one, (right,))
    _check_enum(desk, two, (left,))


def _bridge(families: set[str]) -> str | None:
    if families == {"string", "number"}:
        return "a text becomes a number by | int or | float; a number stands without quotes"
    if "duration" in families:
        return "write a length of time as duration('7d'), days(3) or hours(12)"
    if families == {"moment", "number"}:
        return "count days with days_since(x) or days_until(x)"
    return None


def _check_readable(desk: Desk, node: Node, kind: Type) -> None:
    """A constant text that meets a date is read as one."""
    if not isinstance(node, Literal) or not isinstance(node.value, str):
        if isinstance(kind, Enum):
            desk.clash(node, f"{type_name(kind)} can never be a date")
        return
    try:
        read_date(node.value)
    except ValueError as error:
        desk.clash(node, str(error))


def _check_in(desk: Desk, item: Node, container: Node, one: Type, two: Type) -> None:
    match two:
        case Scalar(kind="unknown" | "none") | Record():
            return
        case ListOf(item=inner):
            families = {family(one), family(inner)}
            if "anything" not in families and len(families) > 1 and families != {"moment", "string"}:
                desk.clash(
                    item, f"{type_name(one)} can never be among items that are {type_name(inner)}", _bridge(families)
                )
            _check_enum(desk, one, container.items if isinstance(container, ListNode) else ())
            _check_enum(desk, inner, (item,))
        case _ if family(two) == "string":
            if family(one) not in ("string", "anything"):
                desk.clash(item, f"{type_name(one)} can never be in a text")
        case _:
            desk.clash(container, f"nothing can be in {type_name(two)}; expected a list, text or object")


def _check_enum(desk: Desk, kind: Type, others: Iterable[Node]) -> None:
    """Constants that meet a property with an enum have to be in it."""
    if not isinstance(kind, Enum):
        return
    for other in others:
        if isinstance(other, Literal) and isinstance(other.value, str) and other.value not in kind.values:
            desk.complain(
                other.offset,
                len(other.value) + 2,
                "enum_value",
                f"'{other.value}' is not among the values of this property",
                did_you_mean(other.value, kind.values) or f"it is {type_name(kind)}",
            )


def check_sign(desk: Desk, node: Sign, kind: Type) -> Type:
    """`-x`: numbers and durations."""
    if family(kind) in ("number", "duration", "anything"):
        return kind
    desk.clash(node.operand, f"'{node.sign}' has no meaning before {type_name(kind)}")
    return UNKNOWN


def check_arithmetic(desk: Desk, node: Arithmetic) -> Type:
    """The type of a sum, product or joined text."""
    kind = desk.infer(node.first)
    left = node.first
    for operator, term in node.rest:
        kind = _combined(desk, operator, left, kind, term, desk.infer(term))
        left = term
    return kind


def _combined(desk: Desk, operator: Operator, left: Node, one: Type, right: Node, two: Type) -> Type:
    if operator == "~":
        return STRING
    families = family(one), family(two)
    if "anything" in families:
        other = families[0] if families[1] == "anything" else families[1]
        if other in ("boolean", "list", "object"):
            _clash(desk, operator, left, one, two)
        return UNKNOWN
    match operator, *families:
        case "/", "number", "number":
            return NUMBER
        case _, "number", "number":
            return either((one, two)) if operator != "%" or (one, two) == (INTEGER, INTEGER) else NUMBER
        case "+" | "-", "duration", "duration":
            return DURATION
        case "*" | "/", "duration", "number":
            return DURATION
        case "*", "number", "duration":
            return DURATION
        case "/", "duration", "duration":
            return NUMBER
        case "//", "duration", "duration":
            return INTEGER
        case "+" | "-", "moment" | "string", "duration":
            return _shifted(desk, left, one, right)
        case "+", "duration", "moment" | "string":
            return _shifted(desk, right, two, left)
        case "-", "moment" | "string", "moment" | "string":
            _check_readable(desk, left, one)
            _check_readable(desk, right, two)
            if (one, two) == (DATE, DATE):
                return INTEGER
            return DURATION if DATETIME in (one, two) else UNKNOWN
    _clash(desk, operator, left, one, two)
    return UNKNOWN


def _shifted(desk: Desk, moment: Node, kind: Type, length: Node) -> Type:
    _check_readable(desk, moment, kind)
    if kind != DATE:
        return DATETIME if kind == DATETIME else UNKNOWN
    try:
        by = constant_value(length)
    except NotConstant:
        return UNKNOWN
    return DATE if getattr(by, "seconds", 1) == 0 and getattr(by, "microseconds", 1) == 0 else DATETIME


def _clash(desk: Desk, operator: Operator, left: Node, one: Type, two: Type) -> None:
    hint = None
    families = {family(one), family(two)}
    if operator == "+" and families == {"string"}:
        hint = "to join texts, write ~"
    elif families == {"moment", "number"}:
        hint = "write a number of days as days(3)"
    elif "string" in families:
        hint = "a text becomes a number by | int or | float"
    desk.clash(left, f"'{operator}' has no meaning for {type_name(one)} and {type_name(two)}", hint)
