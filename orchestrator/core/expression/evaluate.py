"""A tree becomes a closure: one small function a node, decided once, so that evaluating costs microseconds.

`and`, `or` and `if` look at no more than they need, and give the operand that decided, as Jinja does. `~` writes none
as nothing. While the scope is tracking, whatever time alone can change notes when (see Scope.note).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final, assert_never

from orchestrator.core.expression.check import kinds_of
from orchestrator.core.expression.compile_calls import compile_call, compile_catalog, compile_filter, local_today
from orchestrator.core.expression.compile_compare import compile_compare
from orchestrator.core.expression.compile_history import compile_fact, compile_history
from orchestrator.core.expression.constants import NotConstant, constant_value
from orchestrator.core.expression.context import Context, reading
from orchestrator.core.expression.list_filters import property_of
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
)
from orchestrator.core.expression.operators import calculate, signed
from orchestrator.core.expression.scope import Evaluator, Scope, Value
from orchestrator.core.expression.steady import MINUTE, moves_steadily, steadiness_of
from orchestrator.core.expression.types import Types
from orchestrator.core.expression.values import describe
from orchestrator.core.scores import Scores
from orchestrator.errors import EvaluationError

NO_VARS: Final[Mapping[str, Evaluator]] = {}


def compile_node(
    node: Node, *, vars: Mapping[str, Evaluator] = NO_VARS, types: Types | None = None, quiet: bool = False
) -> Evaluator:
    """The evaluator of an expression. Names mean, in this order: the reserved ones, `vars`, results of the scope.

    With `types`, texts of properties declared as date or datetime are read when they are accessed, and `rank` knows
    its enum. `quiet`: for a value that moves steadily with `now` and is noted elsewhere. The evaluator raises
    EvaluationError, and lets NotLoaded and FactUnavailable of the facts through.
    """
    kinds = {} if types is None else kinds_of(node, types)
    return _compile(node, Context(_compile, vars, types, kinds, quiet=quiet))


def _compile(node: Node, context: Context) -> Evaluator:
    match node:
        case Literal(value=value):
            return lambda scope: value
        case ListNode(items=items):
            return _list(node, items, context)
        case DictNode(items=items):
            pairs = [(key, context.compile(item)) for key, item in items]
            return lambda scope: {key: evaluate(scope) for key, evaluate in pairs}
        case Name(name=name):
            return reading(_name(name, context), context.type_of(node), node.offset)
        case Attribute():
            return reading(_attribute(node, context), context.type_of(node), node.offset)
        case Item(target=target, key=key):
            evaluate = _item(context.compile(target), context.compile(key), node.offset)
            return reading(evaluate, context.type_of(node), node.offset)
        case Sign():
            return _sign(node, context)
        case Arithmetic():
            return _arithmetic(node, context)
        case Compare():
            return compile_compare(node, context)
        case Not(operand=operand):
            return _not(context.compile(operand))
        case IsNone(operand=operand):
            return _is_none(context.compile(operand))
        case And(operands=operands):
            return _and([context.compile(operand) for operand in operands])
        case Or(operands=operands):
            return _or([context.compile(operand) for operand in operands])
        case Conditional():
            return _conditional(node, context)
        case History():
            return compile_history(node, context)
        case Fact():
            return compile_fact(node)
        case CatalogRow():
            return compile_catalog(node, context)
        case Call():
            return _call(node, context)
        case Filter():
            return compile_filter(node, context)
        case _:
            assert_never(node)


def _name(name: str, context: Context) -> Evaluator:
    match name:
        case "customer":
            return _whole_customer
        case "event":
            return lambda scope: scope.event
        case "entry":
            return lambda scope: scope.entry
        case "it":
            return lambda scope: scope.it
        case "loop":
            return lambda scope: scope.loop
        case "now":
            return _quiet_now if context.quiet else _now
        case "today":
            return lambda scope: local_today(scope, 0)
    variable = context.variables.get(name)
    if variable is None:
        return lambda scope: scope.results.get(name)
    steadiness = steadiness_of(variable)
    if context.quiet and steadiness is not None and steadiness.steady:
        return steadiness.quiet  # not remembered: the comparison around it asks at several instants
    return _hoisted(name, variable) if context.hoisting else variable


def _whole_customer(scope: Scope) -> Value:
    held = scope.customer.get("score")
    return {**scope.customer, "score": held.totals(scope.now)} if type(held) is Scores else scope.customer


def _score(name: str | None, quiet: bool) -> Evaluator:
    """`customer.score.lead` at the present instant; without a name, all of them. Unless a comparison around it sees
    when it tips over, it is looked at again after a while."""

    def score(scope: Scope) -> Value:
        held: object = scope.customer.get("score")
        if type(held) is not Scores:
            return None
        if scope.tracking and not quiet and held.fading:
            with suppress(OverflowError):
                scope.note(scope.now + MINUTE)
        return held.totals(scope.now) if name is None else held.total(name, scope.now)

    return score


def _now(scope: Scope) -> Value:
    if scope.tracking:
        with suppress(OverflowError):  # the calendar ends within this minute
            scope.note(scope.now + MINUTE)
    return scope.now


def _quiet_now(scope: Scope) -> Value:
    return scope.now


def _hoisted(name: str, variable: Evaluator) -> Evaluator:
    """A variable inside `where=` is evaluated once for all past events: it cannot depend on `it`."""

    def hoisted(scope: Scope) -> Value:
        remembered = scope.hoisted
        if remembered is None:
            return variable(scope)
        if name not in remembered:
            it, scope.it, scope.hoisted = scope.it, None, None
            try:
                remembered[name] = variable(scope)
            finally:
                scope.it, scope.hoisted = it, remembered
        return remembered[name]

    return hoisted


def _attribute(node: Attribute, context: Context) -> Evaluator:
    name, offset = node.name, node.offset
    match node.target:
        case Name(name="customer") if name == "score":
            return _score(None, context.quiet)
        case Attribute(target=Name(name="customer"), name="score"):
            return _score(name, context.quiet)
        case Name(name="customer"):
            return lambda scope: scope.customer.get(name)
        case Name(name="event"):
            return lambda scope: None if scope.event is None else scope.event.get(name)
        case Name(name="entry"):
            return lambda scope: None if scope.entry is None else scope.entry.get(name)
        case Name(name="it"):
            return lambda scope: None if scope.it is None else scope.it.get(name)
    target = context.compile(node.target)

    def attribute(scope: Scope) -> Value:
        value = target(scope)
        return value.get(name) if type(value) is dict else property_of(value, name, offset)

    return attribute


def _item(target: Evaluator, key: Evaluator, offset: int) -> Evaluator:
    def item(scope: Scope) -> Value:
        value, place = target(scope), key(scope)
        if value is None or place is None:
            return None
        if isinstance(value, dict) and isinstance(place, str):
            return value.get(place)
        if isinstance(value, list) and isinstance(place, int) and not isinstance(place, bool):
            return value[place] if -len(value) <= place < len(value) else None
        raise EvaluationError(
            f"{describe(value)} has no item {describe(place)}; objects have texts, lists have whole numbers",
            offset=offset,
        )

    return item


def _list(node: ListNode, items: tuple[Node, ...], context: Context) -> Evaluator:
    try:
        constant = constant_value(node)
    except NotConstant:
        evaluators = [context.compile(item) for item in items]
        return lambda scope: [evaluate(scope) for evaluate in evaluators]
    assert isinstance(constant, list)
    return lambda scope: list(constant)


def _sign(node: Sign, context: Context) -> Evaluator:
    quietly = context.quiet and moves_steadily(node, context.variables)
    evaluate = context.compile_quietly(node.operand) if quietly else context.compile(node.operand)
    sign, offset = node.sign, node.offset
    return lambda scope: signed(sign, evaluate(scope), offset)


def _arithmetic(node: Arithmetic, context: Context) -> Evaluator:
    try:
        constant = constant_value(node)
        return lambda scope: constant
    except NotConstant:
        pass
    quietly = context.quiet and moves_steadily(node, context.variables)
    compile_term = context.compile_quietly if quietly else context.compile
    first, offset = compile_term(node.first), node.offset
    rest = [(operator, compile_term(term)) for operator, term in node.rest]
    if len(rest) == 1:
        operator, second = rest[0]
        return lambda scope: calculate(operator, first(scope), second(scope), scope.zone, offset)

    def arithmetic(scope: Scope) -> Value:
        value = first(scope)
        for operator, term in rest:
            value = calculate(operator, value, term(scope), scope.zone, offset)
        return value

    return arithmetic


def _call(node: Call, context: Context) -> Evaluator:
    try:
        constant = constant_value(node)
        return lambda scope: constant
    except NotConstant:
        return compile_call(node, context)


def _not(operand: Evaluator) -> Evaluator:
    return lambda scope: not operand(scope)


def _is_none(operand: Evaluator) -> Evaluator:
    return lambda scope: operand(scope) is None


def _and(operands: list[Evaluator]) -> Evaluator:
    if len(operands) == 2:
        one, two = operands
        return lambda scope: one(scope) and two(scope)

    def every(scope: Scope) -> Value:
        value: Value = None
        for operand in operands:
            value = operand(scope)
            if not value:
                break
        return value

    return every


def _or(operands: list[Evaluator]) -> Evaluator:
    if len(operands) == 2:
        one, two = operands
        return lambda scope: one(scope) or two(scope)

    def some(scope: Scope) -> Value:
        value: Value = None
        for operand in operands:
            value = operand(scope)
            if value:
                break
        return value

    return some


def _conditional(node: Conditional, context: Context) -> Evaluator:
    test, then, otherwise = (context.compile(part) for part in (node.test, node.then, node.otherwise))
    return lambda scope: then(scope) if test(scope) else otherwise(scope)
