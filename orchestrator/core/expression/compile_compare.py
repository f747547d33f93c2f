"""Comparisons as closures, with quick ways for what journeys mostly ask: a property against a constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never
from zoneinfo import ZoneInfo

from orchestrator.core.expression.constants import NotConstant, constant_value
from orchestrator.core.expression.context import Context
from orchestrator.core.expression.nodes import Attribute, Compare, Comparison, Name, Node
from orchestrator.core.expression.operators import contains, ordered, same
from orchestrator.core.expression.scope import Evaluator, Scope, Value
from orchestrator.core.expression.steady import fades, moves_steadily, note_crossing, note_fading
from orchestrator.core.expression.values import LONGEST_LIST

Test = Callable[[Value, Value, ZoneInfo, int], bool]


def compile_compare(node: Compare, context: Context) -> Evaluator:
    """The evaluator of a comparison, or of a chain of them: true when every neighbouring pair compares true."""
    pairs: list[Evaluator] = []
    left = node.first
    for operator, right in node.rest:
        pairs.append(_pair(left, operator, right, node.offset, context))
        left = right
    if len(pairs) == 1:
        return pairs[0]

    def chain(scope: Scope) -> Value:
        return all(pair(scope) for pair in pairs)

    return chain


def _pair(left: Node, operator: Comparison, right: Node, offset: int, context: Context) -> Evaluator:
    moving = moves_steadily(left, context.variables) or moves_steadily(right, context.variables)
    if moving and operator not in ("in", "not in"):
        return _tipping(left, operator, right, offset, context)
    one = context.compile(left)
    try:
        constant = constant_value(right)
    except NotConstant:
        return _compared(one, operator, context.compile(right), offset)
    return _with_constant(one, operator, constant, offset)


def _test(operator: Comparison) -> Test:
    match operator:
        case "==":
            return same
        case "!=":
            return lambda one, two, zone, offset: not same(one, two, zone, offset)
        case "in":
            return contains
        case "not in":
            return lambda one, two, zone, offset: not contains(one, two, zone, offset)
        case "<" | "<=" | ">" | ">=":
            return lambda one, two, zone, offset: ordered(operator, one, two, zone, offset)
        case _:
            assert_never(operator)


def _compared(left: Evaluator, operator: Comparison, right: Evaluator, offset: int) -> Evaluator:
    test = _test(operator)
    return lambda scope: test(left(scope), right(scope), scope.zone, offset)


def _tipping(left: Node, operator: Comparison, right: Node, offset: int, context: Context) -> Evaluator:
    """A comparison that moves with `now`: while tracking it notes when it tips over."""
    one, two = context.compile_quietly(left), context.compile_quietly(right)
    test = _test(operator)
    if fades(left, context.variables) or fades(right, context.variables):
        return _fading(one, operator, two, offset, _plain_score(left, right))

    def tipping(scope: Scope) -> Value:
        result = test(one(scope), two(scope), scope.zone, offset)
        if scope.tracking:
            note_crossing(scope, one, two, operator, offset)
        return result

    return tipping


def _fading(
    one: Evaluator, operator: Comparison, two: Evaluator, offset: int, plain: tuple[str, float] | None
) -> Evaluator:
    """A comparison with a score in it: while tracking it notes when that has faded so far that it tips over."""
    test = _test(operator)

    def fading(scope: Scope) -> Value:
        result = test(one(scope), two(scope), scope.zone, offset)
        if scope.tracking:
            note_fading(scope, one, two, operator, offset, plain)
        return result

    return fading


def _plain_score(left: Node, right: Node) -> tuple[str, float] | None:
    """The score and the number of `customer.score.lead >= 80`, where there is no more to a comparison."""
    match left:
        case Attribute(target=Attribute(target=Name(name="customer"), name="score"), name=name):
            try:
                bound = constant_value(right)
            except NotConstant:
                return None
            return (name, bound) if isinstance(bound, (int, float)) else None
    return None


def _with_constant(left: Evaluator, operator: Comparison, constant: Value, offset: int) -> Evaluator:
    test = _test(operator)
    if isinstance(constant, str) and operator in ("==", "!="):
        return _text_equals(left, constant, test, offset, wanted=operator == "==")
    if isinstance(constant, (int, float)) and not isinstance(constant, bool):
        quick = _number_order(left, operator, constant, test, offset)
        if quick is not None:
            return quick
    if isinstance(constant, list) and operator in ("in", "not in") and len(constant) <= LONGEST_LIST:
        if all(isinstance(item, str) for item in constant):
            return _text_among(left, frozenset(constant), constant, test, offset, wanted=operator == "in")
    return lambda scope: test(left(scope), constant, scope.zone, offset)


def _text_equals(left: Evaluator, constant: str, test: Test, offset: int, *, wanted: bool) -> Evaluator:
    def equals(scope: Scope) -> Value:
        value = left(scope)
        if type(value) is str:
            return (value == constant) is wanted
        return test(value, constant, scope.zone, offset)

    return equals


def _text_among(
    left: Evaluator, quick: frozenset[str], constant: list[str], test: Test, offset: int, *, wanted: bool
) -> Evaluator:
    def among(scope: Scope) -> Value:
        value = left(scope)
        if type(value) is str:
            return (value in quick) is wanted
        return test(value, constant, scope.zone, offset)

    return among


def _number_order(
    left: Evaluator, operator: Comparison, constant: int | float, test: Test, offset: int
) -> Evaluator | None:
    match operator:
        case ">=":

            def at_least(scope: Scope) -> Value:
                value = left(scope)
                return value >= constant if type(value) is int else test(value, constant, scope.zone, offset)

            return at_least
        case ">":

            def above(scope: Scope) -> Value:
                value = left(scope)
                return value > constant if type(value) is int else test(value, constant, scope.zone, offset)

            return above
        case "<=":

            def at_most(scope: Scope) -> Value:
                value = left(scope)
                return value <= constant if type(value) is int else test(value, constant, scope.zone, offset)

            return at_most
        case "<":

            def below(scope: Scope) -> Value:
                value = left(scope)
                return value < constant if type(value) is int else test(value, constant, scope.zone, offset)

            return below
        case _:
            return None
