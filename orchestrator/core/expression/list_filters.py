"""The filters of lists, and of texts where these have the same meaning. See filters.py for their shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import cmp_to_key
from typing import Any, Final
from zoneinfo import ZoneInfo

from orchestrator.core.expression.moments import as_instant
from orchestrator.core.expression.operators import calculate, compare, contains, ordered, same
from orchestrator.core.expression.scope import Value
from orchestrator.core.expression.signatures import SELECTORS
from orchestrator.core.expression.values import (
    DEEPEST_DATA,
    LONGEST_TEXT,
    bounded_list,
    bounded_text,
    describe,
    printed,
    truth,
)
from orchestrator.errors import EvaluationError

Args = tuple[Value, ...]


def property_of(value: Value, name: str, offset: int) -> Value:
    """`value.name` on data: of none none, of an object its property or none. Raises EvaluationError for the rest."""
    if isinstance(value, dict):
        found: Value = value.get(name)
        return found
    if value is None:
        return None
    raise EvaluationError(f"{describe(value)} has no property '{name}'; only objects have", offset=offset)


def at_path(value: Value, path: str, offset: int) -> Value:
    """What stands at `a.b.0` below a value: names of properties, or places in lists."""
    for step in path.split("."):
        if isinstance(value, list) and step.isdecimal() and step.isascii() and len(step) < 6:
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = property_of(value, step, offset)
    return value


def _list(name: str, value: Value, offset: int) -> list[Any]:
    if isinstance(value, list):
        return bounded_list(value, offset)
    raise EvaluationError(f"'{name}' takes a list, found {describe(value)}", offset=offset)


def _path(name: str, value: Value, offset: int) -> str:
    if isinstance(value, str):
        return value
    raise EvaluationError(f"'{name}' takes the name of a property, found {describe(value)}", offset=offset)


def _picked(name: str, items: list[Any], attribute: Value, offset: int) -> list[Value]:
    """The items, or what stands at `attribute` of each."""
    if attribute is None:
        return items
    path = _path(name, attribute, offset)
    return [at_path(item, path, offset) for item in items]


def _length(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    match value:
        case list():
            return len(bounded_list(value, offset))
        case str():
            return len(bounded_text(value, offset))
        case dict():
            return len(value)
    raise EvaluationError(f"{describe(value)} has no length; expected a text, list or object", offset=offset)


def _first(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    items = value if isinstance(value, str) else _list("first", value, offset)
    return items[0] if items else None


def _last(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    items = value if isinstance(value, str) else _list("last", value, offset)
    return items[-1] if items else None


def _sum(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    total: Value = None
    for item in _picked("sum", _list("sum", value, offset), args[0], offset):
        if item is not None:
            total = item if total is None else calculate("+", total, item, zone, offset)
            if isinstance(total, (bool, str, list, dict)):
                raise EvaluationError(f"'sum' adds up numbers, found {describe(item)}", offset=offset)
    return 0 if total is None else total


def _extreme(name: str, wanted: int) -> Callable[[Value, Args, ZoneInfo, int], Value]:
    def extreme(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
        items = _list(name, value, offset)
        best: Value = None
        best_key: Value = None
        for item, key in zip(items, _picked(name, items, args[0], offset), strict=True):
            if key is None:
                continue
            if best_key is None or compare(key, best_key, zone, offset, name) == wanted:
                best, best_key = item, key
        return best

    return extreme


def _sort(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    """Ascending, or with `reverse` descending; equal ones keep their order, none comes last either way."""
    items = _list("sort", value, offset)
    sign = -1 if truth(args[0]) else 1

    def order(one: tuple[Value, Value], two: tuple[Value, Value]) -> int:
        if one[0] is None or two[0] is None:
            return (one[0] is None) - (two[0] is None)
        return sign * (compare(one[0], two[0], zone, offset, "sort") or 0)

    pairs = zip(_picked("sort", items, args[1], offset), items, strict=True)
    return [item for _, item in sorted(pairs, key=cmp_to_key(order))]


def _unique(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    items = _list("unique", value, offset)
    seen: set[object] = set()
    kept: list[Value] = []
    for item, key in zip(items, _picked("unique", items, args[0], offset), strict=True):
        fingerprint = _fingerprint(key, zone, offset, 0)
        if fingerprint not in seen:
            seen.add(fingerprint)
            kept.append(item)
    return kept


def _fingerprint(value: Value, zone: ZoneInfo, offset: int, depth: int) -> object:
    """Something hashable that is equal exactly for values that `==` calls equal."""
    if depth > DEEPEST_DATA:
        raise EvaluationError(f"the data is nested more than {DEEPEST_DATA} deep", offset=offset)
    match value:
        case bool():
            return ("bool", value)
        case datetime() | date():
            return ("moment", as_instant(value, zone, offset))
        case list():
            return ("list", tuple(_fingerprint(item, zone, offset, depth + 1) for item in value))
        case dict():
            return (
                "dict",
                frozenset((key, _fingerprint(item, zone, offset, depth + 1)) for key, item in value.items()),
            )
        case timedelta():
            return ("duration", value)
        case _:
            return value


def _join(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    items = _picked("join", _list("join", value, offset), args[1], offset)
    separator = bounded_text(printed(args[0]), offset)
    pieces: list[str] = []
    length = 0
    for item in items:
        pieces.append(printed(item))
        length += len(pieces[-1]) + len(separator)
        if length - len(separator) > LONGEST_TEXT:
            raise EvaluationError(f"the joined text has more than {LONGEST_TEXT} characters", offset=offset)
    return separator.join(pieces)


def _map(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    return list(_picked("map", _list("map", value, offset), args[0], offset))


def _select(name: str, wanted: bool) -> Callable[[Value, Args, ZoneInfo, int], Value]:
    def select(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
        items = _list(name, value, offset)
        path = _path(name, args[0], offset)
        operator = SELECTORS.get(args[1]) if isinstance(args[1], str) else None
        if args[1] is not None and operator is None:
            raise EvaluationError(
                f"'{name}' compares by {', '.join(_OPERATORS)}; found {describe(args[1])}", offset=offset
            )
        return [
            item for item in items if _holds(operator, at_path(item, path, offset), args[2], zone, offset) is wanted
        ]

    return select


_OPERATORS: Final = ("eq", "ne", "lt", "le", "gt", "ge", "in", "none")


def _holds(operator: str | None, left: Value, right: Value, zone: ZoneInfo, offset: int) -> bool:
    match operator:
        case None:
            return truth(left)
        case "none":
            return left is None
        case "==":
            return same(left, right, zone, offset)
        case "!=":
            return not same(left, right, zone, offset)
        case "in":
            return contains(left, right, zone, offset)
        case "<" | "<=" | ">" | ">=":
            return ordered(operator, left, right, zone, offset)
        case _:
            raise AssertionError(operator)


LIST_FILTERS: Mapping[str, Callable[[Any, Args, ZoneInfo, int], Value]] = {
    "length": _length,
    "first": _first,
    "last": _last,
    "sum": _sum,
    "min": _extreme("min", -1),
    "max": _extreme("max", 1),
    "sort": _sort,
    "unique": _unique,
    "join": _join,
    "map": _map,
    "selectattr": _select("selectattr", True),
    "rejectattr": _select("rejectattr", False),
}
"""By name."""
