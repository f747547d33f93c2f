"""What can be computed once, when an expression is compiled: parts without data, without the zone, without the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from orchestrator.core.expression.compile_calls import span
from orchestrator.core.expression.date_formats import read_moment_by
from orchestrator.core.expression.nodes import Arithmetic, Call, ListNode, Literal, Node, Sign
from orchestrator.core.expression.operators import calculate, signed
from orchestrator.core.expression.scope import Value
from orchestrator.core.expression.values import is_number
from orchestrator.core.time.iso import read_date
from orchestrator.errors import EvaluationError

_ANY_ZONE: Final = ZoneInfo("UTC")  # arithmetic of numbers and durations never looks at it


class NotConstant(Exception):
    """The value depends on more than the text of the expression."""


def constant_value(node: Node) -> Value:
    """The value of a constant part. Raises NotConstant, also where evaluating it would be an error: that belongs to
    run time, and to lint."""
    try:
        return _constant(node)
    except EvaluationError:
        raise NotConstant from None


def _constant(node: Node) -> Value:
    match node:
        case Literal(value=value):
            return value
        case ListNode(items=items):
            return [_constant(item) for item in items]
        case Sign(sign=sign, operand=operand):
            return signed(sign, _constant(operand), node.offset)
        case Arithmetic(first=first, rest=rest):
            total = _number_or_duration(_constant(first))
            for operator, term in rest:
                total = calculate(operator, total, _number_or_duration(_constant(term)), _ANY_ZONE, node.offset)
            return total
        case Call(function="duration" | "days" | "hours" as function, args=(argument,)) if argument is not None:
            return span(function)(_constant(argument), node.offset)
        case Call(function="date", args=(Literal(value=str() as text), None)):
            return _date_only(read_date, text)
        case Call(function="date", args=(Literal(value=str() as text), Literal(value=str() as form))):
            return _date_only(lambda given: read_moment_by(given, form), text)
        case _:
            raise NotConstant


def _number_or_duration(value: Value) -> Value:
    if isinstance(value, timedelta) or is_number(value):
        return value
    raise NotConstant


def _date_only(read: Callable[[str], date | datetime], text: str) -> Value:
    """A date; a text with a time may depend on the zone."""
    try:
        moment = read(text)
    except ValueError:
        raise NotConstant from None
    if isinstance(moment, datetime):
        raise NotConstant
    return moment
