"""The operators on two values: equality, order, membership, arithmetic (the language reference, section 4).

Missing data is none: `==`, `!=` and `in` treat it as a value, an order with it is false, arithmetic with it is none.
What has no meaning at all is an EvaluationError that says why.
"""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from orchestrator.core.expression.moments import as_moment, between, comparable, shifted
from orchestrator.core.expression.nodes import Comparison, Operator
from orchestrator.core.expression.scope import Value
from orchestrator.core.expression.values import (
    DEEPEST_DATA,
    LONGEST_LIST,
    bounded_number,
    bounded_text,
    describe,
    is_number,
    printed,
    too_long,
)
from orchestrator.errors import EvaluationError


def same(left: Value, right: Value, zone: ZoneInfo, offset: int, depth: int = 0) -> bool:
    """`==`: values of different kinds are different (`1 == true` and `1 == '1'` are false); a text that meets a date
    is read as one. Raises EvaluationError where it cannot be read."""
    kind, other = type(left), type(right)
    if left is None or right is None:
        return left is right
    if kind is other and (kind is str or kind is int or kind is float or kind is bool):
        return left == right
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool) and left == right
    if isinstance(left, date) or isinstance(right, date):
        if not (isinstance(left, (date, str)) and isinstance(right, (date, str))):
            return False
        one, two = comparable(as_moment(left, zone, offset), as_moment(right, zone, offset), zone, offset)
        return one == two
    if isinstance(left, (list, dict)):
        return type(left) is type(right) and _same_inside(left, right, zone, offset, depth)
    if is_number(left) and is_number(right):
        return left == right
    return kind is other and isinstance(left, (str, timedelta)) and left == right


def _same_inside(left: Value, right: Value, zone: ZoneInfo, offset: int, depth: int) -> bool:
    if depth >= DEEPEST_DATA:
        raise EvaluationError(f"the data to compare is nested more than {DEEPEST_DATA} deep", offset=offset)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            same(one, two, zone, offset, depth + 1) for one, two in zip(left, right, strict=True)
        )
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            same(item, right[key], zone, offset, depth + 1) for key, item in left.items()
        )
    return False


def ordered(operator: Comparison, left: Value, right: Value, zone: ZoneInfo, offset: int) -> bool:
    """`<`, `<=`, `>`, `>=`: false with none; numbers, texts (by code point), moments and durations among themselves."""
    if left is None or right is None:
        return False
    match compare(left, right, zone, offset, operator):
        case None:
            return False
        case sign:
            return {"<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0}[operator]


def compare(left: Value, right: Value, zone: ZoneInfo, offset: int, operator: str = "<") -> int | None:
    """-1, 0 or 1, or None for numbers that have no order (NaN). Neither value may be None. Raises EvaluationError."""
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if isinstance(left, (int, float)) and isinstance(right, (int, float)) and is_number(left) and is_number(right):
        return (left > right) - (left < right) if left == left and right == right else None
    if isinstance(left, (date, str)) and isinstance(right, (date, str)):
        one, two = comparable(as_moment(left, zone, offset), as_moment(right, zone, offset), zone, offset)
        return (one > two) - (one < two)
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        return (left > right) - (left < right)
    way_out = ""
    if isinstance(left, timedelta) or isinstance(right, timedelta):
        way_out = "; write the length as duration('7d')"
    raise EvaluationError(f"'{operator}' cannot order {describe(left)} and {describe(right)}{way_out}", offset=offset)


def contains(item: Value, container: Value, zone: ZoneInfo, offset: int) -> bool:
    """`in`: an item of a list, a part of a text, a property of an object; nothing is in none."""
    match container:
        case None:
            return False
        case list():
            if len(container) > LONGEST_LIST:
                raise too_long(container, offset)
            return any(same(item, candidate, zone, offset) for candidate in container)
        case str():
            if item is None:
                return False
            if isinstance(item, str):
                return item in container
            raise EvaluationError(
                f"{describe(item)} cannot be in {describe(container)}; only a text can", offset=offset
            )
        case dict():
            return isinstance(item, str) and item in container
        case _:
            raise EvaluationError(
                f"nothing can be in {describe(container)}; expected a list, text or object", offset=offset
            )


def joined(left: Value, right: Value, offset: int) -> str:
    """`~`: both as text, none as nothing."""
    return bounded_text(printed(left) + printed(right), offset)


def calculate(operator: Operator, left: Value, right: Value, zone: ZoneInfo, offset: int) -> Value:
    """Arithmetic; with none, and division by zero, it is none. Raises EvaluationError for values without a meaning,
    integers beyond 64 bits, floats and dates beyond their range."""
    if operator == "~":
        return joined(left, right, offset)
    if left is None or right is None:
        return None
    try:
        if isinstance(left, (int, float)) and isinstance(right, (int, float)) and is_number(left) and is_number(right):
            return _numbers(operator, left, right, offset)
        result = _times(operator, left, right, zone, offset)
    except (OverflowError, ValueError):
        raise EvaluationError(
            f"{describe(left)} {operator} {describe(right)} lies beyond all bounds", offset=offset
        ) from None
    if result is not NotImplemented:
        return result
    raise EvaluationError(
        f"'{operator}' has no meaning for {describe(left)} and {describe(right)}{_way_out(operator, left, right)}",
        offset=offset,
    )


def _numbers(operator: Operator, left: int | float, right: int | float, offset: int) -> int | float | None:
    match operator:
        case "+":
            return bounded_number(left + right, offset)
        case "-":
            return bounded_number(left - right, offset)
        case "*":
            return bounded_number(left * right, offset)
    if right == 0:
        return None
    match operator:
        case "/":
            return bounded_number(left / right, offset)
        case "//":
            return bounded_number(left // right, offset)
        case _:
            return bounded_number(left % right, offset)


def _times(operator: Operator, left: Value, right: Value, zone: ZoneInfo, offset: int) -> Value:
    """Arithmetic with dates and durations; NotImplemented where it has no meaning."""
    match operator, left, right:
        case "+", timedelta(), timedelta():
            return left + right
        case "-", timedelta(), timedelta():
            return left - right
        case "+", date() | str(), timedelta():
            return shifted(as_moment(left, zone, offset), right, zone, offset)
        case "+", timedelta(), date() | str():
            return shifted(as_moment(right, zone, offset), left, zone, offset)
        case "-", date() | str(), timedelta():
            return shifted(as_moment(left, zone, offset), -right, zone, offset)
        case "-", date() | str(), date() | str():
            return between(as_moment(left, zone, offset), as_moment(right, zone, offset), zone, offset)
        case "*", timedelta(), int() | float() if is_number(right):
            return left * right
        case "*", int() | float(), timedelta() if is_number(left):
            return right * left
        case "/", timedelta(), int() | float() if is_number(right):
            return left / right if right else None
        case "/", timedelta(), timedelta():
            return left / right if right else None
        case "//", timedelta(), timedelta():
            return bounded_number(left // right, offset) if right else None
    return NotImplemented  # type: ignore[no-any-return]


def _way_out(operator: Operator, left: Value, right: Value) -> str:
    texts = isinstance(left, str) or isinstance(right, str)
    if operator == "+" and isinstance(left, str) and isinstance(right, str):
        return "; to join texts, write ~"
    dates = isinstance(left, date) or isinstance(right, date)
    if operator in "+-" and dates and (is_number(left) or is_number(right)):
        return "; write a number of days as days(3)"
    return "; a text becomes a number by | int or | float" if texts else ""


def signed(sign: str, value: Value, offset: int) -> Value:
    """`-x` and `+x`: of numbers and durations; none stays none."""
    if value is None:
        return None
    if isinstance(value, timedelta) or is_number(value):
        try:
            result = -value if sign == "-" else value  # type: ignore[operator]
        except OverflowError:
            raise EvaluationError("the duration lies beyond all bounds", offset=offset) from None
        return bounded_number(result, offset) if isinstance(result, (int, float)) else result
    raise EvaluationError(f"'{sign}' has no meaning before {describe(value)}", offset=offset)
