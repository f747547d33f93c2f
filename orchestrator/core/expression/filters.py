"""The filters, as functions of a value and its arguments (the language reference, section 4).

None goes through every filter but `default`; what a filter has no meaning for is an EvaluationError. `INTO` maps each
name to its function: (value, arguments, zone, offset) -> value, arguments in the order of signatures.FILTERS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Final
from zoneinfo import ZoneInfo

from orchestrator.core.expression.date_formats import write_moment
from orchestrator.core.expression.list_filters import LIST_FILTERS
from orchestrator.core.expression.moments import as_day, as_instant
from orchestrator.core.expression.scope import Value
from orchestrator.core.expression.values import (
    LONGEST_TEXT,
    bounded_number,
    bounded_text,
    describe,
    is_number,
    printed,
)
from orchestrator.errors import EvaluationError

Args = tuple[Value, ...]
FilterBody = Callable[[Any, Args, ZoneInfo, int], Value]

_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,40})\s*")
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?\s*")
_ROUNDINGS = {"common": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}
_MOST_PLACES: Final = 15
_PRECISION: Final = 400  # more digits than the longest float has
# ISO 4217: the currencies whose smallest unit is not a hundredth.
_WITHOUT_CENTS: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"} | {"PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_WITH_THOUSANDTHS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def _text(name: str, value: Value, offset: int) -> str:
    if isinstance(value, str):
        return value
    raise EvaluationError(f"'{name}' takes a text, found {describe(value)}; add | string before it", offset=offset)


def _number(name: str, value: Value, offset: int) -> int | float:
    if isinstance(value, (int, float)) and is_number(value):
        return value
    raise EvaluationError(f"'{name}' takes a number, found {describe(value)}", offset=offset)


def _whole(name: str, value: Value, offset: int, least: int, most: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise EvaluationError(f"'{name}' takes an integer from {least} to {most}, found {describe(value)}", offset=offset)


def _lower(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    return bounded_text(bounded_text(_text("lower", value, offset), offset).lower(), offset)


def _upper(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    return bounded_text(bounded_text(_text("upper", value, offset), offset).upper(), offset)


def _trim(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    return bounded_text(_text("trim", value, offset).strip(), offset)


def _string(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    return bounded_text(printed(value), offset)


def _replace(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    text = bounded_text(_text("replace", value, offset), offset)
    old, new = _text("replace", args[0], offset), _text("replace", args[1], offset)
    grown = len(text) + text.count(old) * (len(new) - len(old))
    if grown > LONGEST_TEXT:
        raise EvaluationError(f"the text would have {grown} characters, more than {LONGEST_TEXT}", offset=offset)
    return text.replace(old, new)


def _truncate(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    text = _text("truncate", value, offset)
    end = "..." if args[2] is None else _text("truncate", args[2], offset)
    length = _whole("truncate", args[0], offset, 1, LONGEST_TEXT)
    if len(text) <= length:
        return text
    cut = text[: max(length - len(end), 0)]
    if not args[1] and " " in cut and text[len(cut)] != " ":
        cut = cut.rsplit(" ", 1)[0]
    return (cut.rstrip() + end)[:length]


def _round(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    number = _number("round", value, offset)
    places = 0 if args[0] is None else _whole("round", args[0], offset, -_MOST_PLACES, _MOST_PLACES)
    method = "common" if args[1] is None else args[1]
    rounding = _ROUNDINGS.get(method) if isinstance(method, str) else None
    if rounding is None:
        raise EvaluationError(f"'round' goes by common, ceil or floor, found {describe(method)}", offset=offset)
    rounded = _rounded(number, places, rounding, offset)
    return bounded_number(int(rounded) if places <= 0 else float(rounded), offset)


def _rounded(number: int | float, places: int, rounding: str, offset: int) -> Decimal:
    bounded_number(number, offset)
    with localcontext() as context:
        context.prec = _PRECISION
        return Decimal(repr(number)).quantize(Decimal(1).scaleb(-places), rounding=rounding)


def _int(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    number = _read_number(value)
    if number is None:
        return args[0]
    return bounded_number(int(number), offset)


def _float(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    number = _read_number(value)
    if number is None:
        return args[0]
    try:
        return float(number)
    except OverflowError:
        raise EvaluationError(f"{describe(number)} is beyond a float", offset=offset) from None


def _read_number(value: Value) -> int | float | None:
    """The number that a value means, or None for an unreadable one; never infinite."""
    if isinstance(value, str):
        if whole := _INTEGER.fullmatch(value):
            return int(whole[1])
        value = float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    return value if isinstance(value, float) and value - value == 0 else None


def _abs(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    if isinstance(value, timedelta):
        try:
            return abs(value)
        except OverflowError:
            raise EvaluationError("the duration lies beyond all bounds", offset=offset) from None
    return bounded_number(abs(_number("abs", value, offset)), offset)


def _money(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    currency = _text("money", args[0], offset) if args[0] is not None else ""
    places = 0 if currency in _WITHOUT_CENTS else 3 if currency in _WITH_THOUSANDTHS else 2
    amount = _rounded(_number("money", value, offset), places, ROUND_HALF_UP, offset)
    amount = abs(amount) if amount == 0 else amount
    return bounded_text(f"{amount:f} {currency}".rstrip(), offset)


def _date(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    day = as_day(value, zone, offset)
    return day if args[0] is None else _formatted("date", day, args[0], offset)


def _datetime(value: Value, args: Args, zone: ZoneInfo, offset: int) -> Value:
    instant = as_instant(value, zone, offset)
    if args[0] is None:
        return instant
    try:
        return _formatted("datetime", instant.astimezone(zone), args[0], offset)
    except OverflowError:
        raise EvaluationError(f"{describe(instant)} is beyond the calendar in {zone.key}", offset=offset) from None


def _formatted(name: str, moment: date | datetime, form: Value, offset: int) -> str:
    try:
        return bounded_text(write_moment(moment, _text(name, form, offset)), offset)
    except ValueError as error:
        raise EvaluationError(str(error), offset=offset) from None


INTO: Mapping[str, FilterBody] = {
    **LIST_FILTERS,
    "lower": _lower,
    "upper": _upper,
    "trim": _trim,
    "string": _string,
    "replace": _replace,
    "truncate": _truncate,
    "round": _round,
    "int": _int,
    "float": _float,
    "abs": _abs,
    "money": _money,
    "date": _date,
    "datetime": _datetime,
}
"""Every filter but `default`, which alone looks at none."""
