"""Functions of their arguments, catalog rows and filters as closures (the language reference, section 4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from orchestrator.core.expression.context import Context
from orchestrator.core.expression.date_formats import read_moment_by
from orchestrator.core.expression.filters import INTO
from orchestrator.core.expression.moments import DAY, as_day, as_moment, local_wall
from orchestrator.core.expression.nodes import Call, CatalogRow, Filter, Literal, Name, Node
from orchestrator.core.expression.scope import Evaluator, Scope, Value
from orchestrator.core.expression.signatures import WEEKDAYS
from orchestrator.core.expression.types import Enum
from orchestrator.core.expression.values import describe, is_number, printed
from orchestrator.core.time.durations import parse_fixed
from orchestrator.core.time.zones import local_midnight_after, to_utc
from orchestrator.errors import BadDate, EvaluationError


def compile_call(node: Call, context: Context) -> Evaluator:
    """The evaluator of one of signatures.CALLS."""
    argument, offset = node.args[0], node.offset
    assert argument is not None  # by every signature
    match node.function:
        case "rank":
            return _rank(argument, offset, context)
        case "duration" | "days" | "hours":
            length, evaluate = span(node.function), context.compile(argument)
            return lambda scope: length(evaluate(scope), offset)
        case "date":
            return _date(argument, node.args[1], offset, context)
        case "next_weekday":
            return _next_weekday(argument, node.args[1], offset, context)
        case "days_since":
            return _days(argument, offset, context, sign=-1)
        case "days_until":
            return _days(argument, offset, context, sign=1)
        case _:
            raise AssertionError(node.function)  # the parser knows no other


def note_midnight(scope: Scope) -> None:
    """The local date changes next at midnight."""
    try:
        scope.note(local_midnight_after(scope.now, scope.zone))
    except BadDate:  # no midnight comes after the calendar's end
        return


def local_today(scope: Scope, offset: int) -> date:
    """The local date now; notes its end."""
    if scope.tracking:
        note_midnight(scope)
    return local_wall(scope.now, scope.zone, offset).date()


def _compile_day(node: Node, context: Context) -> Evaluator:
    """An argument of which only the local date counts: `now` there changes at midnight only."""
    if not (isinstance(node, Name) and node.name == "now"):
        return context.compile(node)

    def now(scope: Scope) -> Value:
        if scope.tracking:
            note_midnight(scope)
        return scope.now

    return now


def span(function: str) -> Callable[[Value, int], Value]:
    """`duration`, `days` or `hours`: (value, offset) -> a duration. Raises EvaluationError for what has no length."""
    if function == "duration":
        return _duration
    return lambda number, offset: _length(function, number, offset)


def _duration(text: Value, offset: int) -> Value:
    """`duration('7d')`: d is 24 hours."""
    if text is None or isinstance(text, timedelta):
        return text
    if not isinstance(text, str):
        raise EvaluationError(f"'duration' takes a text such as '7d', found {describe(text)}", offset=offset)
    try:
        return parse_fixed(text, negative=True)
    except (ValueError, OverflowError) as error:
        raise EvaluationError(str(error), offset=offset) from None


def _length(unit: str, number: Value, offset: int) -> Value:
    if number is None:
        return None
    if not (isinstance(number, (int, float)) and is_number(number)):
        raise EvaluationError(f"'{unit}' takes a number, found {describe(number)}", offset=offset)
    try:
        return timedelta(**{unit: number})
    except (OverflowError, ValueError):
        raise EvaluationError(f"{describe(number)} is beyond what a duration can be", offset=offset) from None


def _rank(argument: Node, offset: int, context: Context) -> Evaluator:
    kind = context.type_of(argument)
    if not isinstance(kind, Enum):

        def no_rank(scope: Scope) -> Value:
            raise EvaluationError("'rank' takes a property that schema.yaml declares with an enum", offset=offset)

        return no_rank
    places = {value: place for place, value in enumerate(kind.values)}
    evaluate = context.compile(argument)

    def rank(scope: Scope) -> Value:
        value = evaluate(scope)
        return places.get(value) if isinstance(value, str) else None

    return rank


def _date(argument: Node, form: Node | None, offset: int, context: Context) -> Evaluator:
    evaluate = context.compile(argument)
    form_of = None if form is None else context.compile(form)

    def read(scope: Scope) -> Value:
        value = evaluate(scope)
        if value is None or isinstance(value, date):
            return value
        pattern = None if form_of is None else form_of(scope)
        if pattern is None:
            return as_moment(value, scope.zone, offset)
        return _by_format(value, pattern, scope.zone, offset)

    return read


def _by_format(value: Value, form: Value, zone: ZoneInfo, offset: int) -> Value:
    if not isinstance(value, str) or not isinstance(form, str):
        raise EvaluationError(f"'date' reads a text by a format, found {describe(value)}", offset=offset)
    try:
        moment = read_moment_by(value, form)
        if isinstance(moment, datetime) and moment.tzinfo is None:
            return to_utc(moment, zone)
        return moment
    except (ValueError, BadDate) as error:
        raise EvaluationError(str(error), offset=offset) from None


def _next_weekday(argument: Node, day: Node | None, offset: int, context: Context) -> Evaluator:
    evaluate = _compile_day(argument, context)
    assert day is not None  # by its signature
    name_of = context.compile(day)

    def next_weekday(scope: Scope) -> Value:
        value, name = evaluate(scope), name_of(scope)
        if value is None or name is None:
            return None
        if not isinstance(name, str) or name not in WEEKDAYS:
            raise EvaluationError(f"found {describe(name)} where a day stands: {', '.join(WEEKDAYS)}", offset=offset)
        start = as_day(value, scope.zone, offset)
        try:
            return start + DAY * ((WEEKDAYS.index(name) - start.weekday()) % 7)
        except OverflowError:
            raise EvaluationError(f"no {name} follows {start} within the calendar", offset=offset) from None

    return next_weekday


def _days(argument: Node, offset: int, context: Context, sign: int) -> Evaluator:
    evaluate = _compile_day(argument, context)

    def days(scope: Scope) -> Value:
        value = evaluate(scope)
        if value is None:
            return None
        return sign * (as_day(value, scope.zone, offset) - local_today(scope, offset)).days

    return days


def compile_catalog(node: CatalogRow, context: Context) -> Evaluator:
    """The evaluator of `catalog('hotels', key)`; keys are texts, as the first column of a table is."""
    name, offset, evaluate = node.catalog.text, node.offset, context.compile(node.key)

    def row(scope: Scope) -> Value:
        key = evaluate(scope)
        if key is None:
            return None
        if not isinstance(key, str):
            if isinstance(key, (list, dict, bool)):
                raise EvaluationError(f"the key of a catalog is a text or number, found {describe(key)}", offset=offset)
            key = printed(key)
        return scope.facts.catalog(name, key)

    return row


def compile_filter(node: Filter, context: Context) -> Evaluator:
    """The evaluator of a filter: none stays none, but for `default`."""
    if node.name == "default":
        return _default(node, context)
    body, offset = INTO[node.name], node.offset
    by_day = node.name == "date" and node.args == (None,)
    target = _compile_day(node.target, context) if by_day else context.compile(node.target)
    if all(arg is None or isinstance(arg, Literal) for arg in node.args):
        constant = tuple(
            None if arg is None else arg.value for arg in node.args if arg is None or isinstance(arg, Literal)
        )

        def with_constants(scope: Scope) -> Value:
            value = target(scope)
            return None if value is None else body(value, constant, scope.zone, offset)

        return with_constants
    args = tuple(None if arg is None else context.compile(arg) for arg in node.args)

    def with_args(scope: Scope) -> Value:
        value = target(scope)
        if value is None:
            return None
        return body(value, tuple(None if arg is None else arg(scope) for arg in args), scope.zone, offset)

    return with_args


def _default(node: Filter, context: Context) -> Evaluator:
    target = context.compile(node.target)
    assert node.args[0] is not None  # by its signature
    instead = context.compile(node.args[0])

    def default(scope: Scope) -> Value:
        value = target(scope)
        return instead(scope) if value is None else value

    return default
