"""Every function and filter of the language with its parameters: what parser, printer and checker agree on.

To add one: a line here, its evaluation in functions.py or filters.py, its types in check_calls.py, and a line in the
language reference, section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar

from orchestrator.core.expression.nearest import did_you_mean, known_words
from orchestrator.records import dataclass

T = TypeVar("T")

Holds = Literal["value", "word", "within", "flag", "where"]


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. `holds`: any value; a constant name (word); a constant duration; true or false; an expression
    over `it`. Those with `by_name` are only given as `name=value`. `choices`: the constants possible."""

    name: str
    required: bool = True
    holds: Holds = "value"
    by_name: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of one function or filter, and an example to show beside an error."""

    params: tuple[Param, ...]
    example: str


class BadCall(Exception):
    """A call that fits no signature. `at` names the parameter or the position (from 0) of the argument to blame."""

    def __init__(
        self, message: str, hint: str | None = None, at: str | int | None = None, code: str = "syntax"
    ) -> None:
        self.message, self.hint, self.at, self.code = message, hint, at, code
        super().__init__(message)


def _word(name: str) -> Param:
    return Param(name, holds="word")


def _option(name: str, holds: Holds = "value", choices: tuple[str, ...] = ()) -> Param:
    return Param(name, required=False, holds=holds, by_name=True, choices=choices)


def _extra(name: str, choices: tuple[str, ...] = ()) -> Param:
    return Param(name, required=False, choices=choices)


_WITHIN = _option("within", "within")
_WINDOW = (_WITHIN, _option("since_entry", "flag"), _option("where", "where"))
_X = Param("x")

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Names of the days, Monday first."""

SELECTORS: Mapping[str, str] = {
    "eq": "==",
    "equalto": "==",
    "==": "==",
    "ne": "!=",
    "!=": "!=",
    "lt": "<",
    "lessthan": "<",
    "<": "<",
    "le": "<=",
    "<=": "<=",
    "gt": ">",
    "greaterthan": ">",
    ">": ">",
    "ge": ">=",
    ">=": ">=",
    "in": "in",
    "none": "none",
}
"""The comparisons of selectattr and rejectattr, by the names that Jinja knows them under."""

HISTORY: Mapping[str, Signature] = {
    "did": Signature((_word("event"), *_WINDOW), "did('order_placed', within='30d')"),
    "count": Signature((_word("event"), *_WINDOW), "count('order_placed', within='30d')"),
    "first": Signature((_word("event"), *_WINDOW), "first('order_placed')"),
    "last": Signature((_word("event"), *_WINDOW), "last('order_placed').total"),
    "sum": Signature((_word("event"), _word("property"), *_WINDOW), "sum('order_placed', 'total', within='30d')"),
    "avg": Signature((_word("event"), _word("property"), *_WINDOW), "avg('order_placed', 'total')"),
    "min": Signature((_word("event"), _word("property"), *_WINDOW), "min('order_placed', 'total')"),
    "max": Signature((_word("event"), _word("property"), *_WINDOW), "max('order_placed', 'total')"),
}
"""Functions of past events."""

FACTS: Mapping[str, Signature] = {
    "in_segment": Signature((_word("segment"),), "in_segment('shoppers')"),
    "consented": Signature((_word("topic"), _word("channel")), "consented('promotions', 'email')"),
    "reachable": Signature((_word("channel"),), "reachable('push')"),
    "received": Signature((_word("name"), _WITHIN), "received('welcome', within='30d')"),
    "opened": Signature((_word("step"),), "opened('first_mail')"),
    "clicked": Signature((_word("step"),), "clicked('first_mail')"),
    "redeemed": Signature((_word("offer"),), "redeemed('vip10')"),
    "recommended": Signature((_word("catalog"),), "recommended('products')"),
    "visits": Signature((_word("step"),), "visits('nudge')"),
    "entered": Signature((_word("journey"), _WITHIN), "entered('welcome', within='30d')"),
    "in_journey": Signature((_word("journey"),), "in_journey('welcome')"),
}
"""Functions of what is known about the customer."""

CATALOG = Signature((_word("name"), Param("key")), "catalog('hotels', entry.hotel_id)")
"""`catalog`: the only function with both a constant name and a value."""

CALLS: Mapping[str, Signature] = {
    "rank": Signature((_X,), "rank(customer.tier)"),
    "duration": Signature((Param("text"),), "duration('7d')"),
    "days": Signature((Param("n"),), "days(3)"),
    "hours": Signature((Param("n"),), "hours(12)"),
    "date": Signature((_X, _extra("format")), "date('2026-03-01')"),
    "next_weekday": Signature((_X, Param("day", choices=WEEKDAYS)), "next_weekday(today, 'mon')"),
    "days_since": Signature((_X,), "days_since(entry.at)"),
    "days_until": Signature((_X,), "days_until(entry.check_in)"),
}
"""Functions of their arguments (and of the present date)."""

FUNCTIONS: frozenset[str] = frozenset({*HISTORY, *FACTS, *CALLS, "catalog"})
"""Every name that may be called."""

_ATTRIBUTE = _option("attribute")

FILTERS: Mapping[str, Signature] = {
    "default": Signature((Param("value"),), "customer.first_name | default('friend')"),
    **{name: Signature((), f"x | {name}") for name in ("length", "lower", "upper", "trim", "string", "abs")},
    "first": Signature((), "entry.items | first"),
    "last": Signature((), "entry.items | last"),
    "round": Signature((_extra("precision"), _extra("method", ("common", "ceil", "floor"))), "x | round(2)"),
    "int": Signature((_extra("default"),), "x | int"),
    "float": Signature((_extra("default"),), "x | float"),
    "min": Signature((_ATTRIBUTE,), "entry.prices | min"),
    "max": Signature((_ATTRIBUTE,), "entry.prices | max"),
    "sum": Signature((_extra("attribute"),), "entry.items | sum(attribute='price')"),
    "sort": Signature((_extra("reverse"), _ATTRIBUTE), "entry.items | sort(attribute='price', reverse=true)"),
    "unique": Signature((_ATTRIBUTE,), "entry.items | unique(attribute='sku')"),
    "join": Signature((_extra("separator"), _extra("attribute")), "entry.names | join(', ')"),
    "map": Signature((Param("attribute", by_name=True),), "entry.items | map(attribute='sku')"),
    "selectattr": Signature(
        (Param("attribute"), _extra("operator", tuple(SELECTORS)), _extra("value")),
        "entry.items | selectattr('price', 'gt', 50)",
    ),
    "rejectattr": Signature(
        (Param("attribute"), _extra("operator", tuple(SELECTORS)), _extra("value")),
        "entry.items | rejectattr('kind', 'eq', 'gift')",
    ),
    "replace": Signature((Param("old"), Param("new")), "x | replace('-', '')"),
    "date": Signature((_extra("format"),), "entry.check_in | date('%d %B %Y')"),
    "datetime": Signature((_extra("format"),), "entry.at | datetime('%H:%M')"),
    "money": Signature((Param("currency"),), "entry.total | money('EUR')"),
    "truncate": Signature((Param("length"), _extra("killwords"), _extra("end")), "entry.title | truncate(40)"),
}
"""Every filter; the value before the bar is not among the parameters."""

_FOREIGN_FUNCTIONS = {
    "len": "use the filter: x | length",
    "int": "use the filter: x | int",
    "str": "use the filter: x | string",
    "float": "use the filter: x | float",
    "round": "use the filter: x | round(2)",
    "abs": "use the filter: x | abs",
    "now": "'now' is a name, without brackets",
    "today": "'today' is a name, without brackets",
    "exists": "use did('event_name')",
    "has_tag": "use 'vip' in customer.tags",
    "range": "there are no loops in expressions",
}
_FOREIGN_FILTERS = {
    "count": "use the filter 'length'",
    "size": "use the filter 'length'",
    "d": "use the filter 'default'",
    "capitalize": "capital letters are made in the template",
    "title": "capital letters are made in the template",
    "attr": "a property is read as customer.name",
    "select": "use selectattr('name', 'eq', value)",
    "reject": "use rejectattr('name', 'eq', value)",
    "list": "it is a list already",
    "avg": "divide the sum by the length",
}


def signature_of(function: str) -> Signature:
    """The signature of a function. Raises BadCall, with the nearest known word, for an unknown one."""
    found = HISTORY.get(function) or FACTS.get(function) or CALLS.get(function)
    if found is not None:
        return found
    if function == "catalog":
        return CATALOG
    hint = _FOREIGN_FUNCTIONS.get(function) or did_you_mean(function, FUNCTIONS)
    if hint is None and function in FILTERS:
        hint = f"it is a filter: {FILTERS[function].example}"
    raise BadCall(
        f"there is no function '{function}'",
        hint or f"functions: {known_words(FUNCTIONS, 40)}",
        code="unknown_function",
    )


def filter_signature(name: str) -> Signature:
    """The signature of a filter. Raises BadCall, with the nearest known word, for an unknown one."""
    found = FILTERS.get(name)
    if found is not None:
        return found
    hint = _FOREIGN_FILTERS.get(name) or did_you_mean(name, FILTERS)
    raise BadCall(f"there is no filter '{name}'", hint or f"filters: {known_words(FILTERS, 40)}", code="unknown_filter")


def bind(name: str, signature: Signature, args: Iterable[T], named: Iterable[tuple[str, T]]) -> tuple[T | None, ...]:
    """Arguments in the order of the parameters, None for those left out. Raises BadCall."""
    bound: dict[str, T] = {}
    positional = [param for param in signature.params if not param.by_name]
    for place, arg in enumerate(args):
        if place >= len(positional):
            raise BadCall(_too_many(name, signature, len(positional)), f"write {signature.example}", place)
        bound[positional[place].name] = arg
    names = [param.name for param in signature.params]
    for key, arg in named:
        if key not in names:
            options = [param.name for param in signature.params if param.by_name] or names
            hint = did_you_mean(key, names) or (f"it takes {known_words(options)}" if options else None)
            raise BadCall(f"'{name}' takes no '{key}='", hint or f"write {signature.example}", key)
        if key in bound:
            raise BadCall(f"'{name}' is given '{key}' twice", f"write {signature.example}", key)
        bound[key] = arg
    missing = [param.name for param in signature.params if param.required and param.name not in bound]
    if missing:
        raise BadCall(f"'{name}' lacks {' and '.join(missing)}", f"write {signature.example}")
    return tuple(bound.get(key) for key in names)


def _too_many(name: str, signature: Signature, most: int) -> str:
    options = [f"{param.name}=" for param in signature.params if param.by_name]
    beside = f" beside {', '.join(options)}" if options else ""
    if most == 0:
        return f"'{name}' takes no argument{beside}"
    return f"'{name}' takes at most {most} argument{'s' if most > 1 else ''}{beside}"
