"""The filters and operators that run while a template is rendered.

Those of the expression language are the language's own, so that a filter means the same in a condition and in a
template; a handful exist for writing only. Each is called with the render context first, which holds the budget, the
zone in force and the locale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jinja2 import Undefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from orchestrator.core.expression.date_formats import Piece, format_pieces, write_moment
from orchestrator.core.expression.filters import INTO
from orchestrator.core.expression.operators import calculate, contains, joined, ordered, same, signed
from orchestrator.core.expression.signatures import FILTERS, Param, Signature
from orchestrator.core.expression.values import LONGEST_TEXT
from orchestrator.templating.budget import Budget
from orchestrator.templating.failure import ValueRefused
from orchestrator.templating.guards import GUARDS
from orchestrator.templating.locales import is_chinese
from orchestrator.templating.missing import missing
from orchestrator.templating.printing import as_text

_UTC = ZoneInfo("UTC")

WRITING_FILTERS: Mapping[str, Signature] = {
    "escape": Signature((), "entry.note | escape"),
    "capitalize": Signature((), "customer.first_name | capitalize"),
    "title": Signature((), "customer.city | title"),
    "nl2br": Signature((), "entry.note | nl2br"),
    "urlencode": Signature((), "customer.id | urlencode"),
    "batch": Signature((Param("size"),), "entry.items | batch(3)"),
    "slice": Signature((Param("parts"),), "entry.items | slice(2)"),
}
"""Filters for writing only; the expression language does not have them."""

SIGNATURES: Mapping[str, Signature] = {**FILTERS, **WRITING_FILTERS}
"""Every filter that a template may use."""

_CHINESE: Mapping[str, tuple[str, ...]] = {
    "B": ("一月", "二月", "三月", "四月", "五月", "六月", "七月", "八月", "九月", "十月", "十一月", "十二月"),
    "b": tuple(f"{month}月" for month in range(1, 13)),
    "A": tuple(f"星期{day}" for day in "一二三四五六日"),
    "a": tuple(f"周{day}" for day in "一二三四五六日"),
    "p": ("上午", "下午"),
}


def budget_of(context: Context) -> Budget:
    """The budget of the rendering under way."""
    found: Budget = context.parent["_budget"]
    return found


def _zone_of(context: Context) -> ZoneInfo:
    zone: ZoneInfo = context.parent["_zone"]
    return zone


def plain(value: Any) -> Any:
    """A value as the expression language knows it: none for what is missing."""
    return None if isinstance(value, Undefined) else str(value) if isinstance(value, Markup) else value


def _language_filter(name: str, context: Context, value: Any, *args: Any) -> Any:
    if value is None or isinstance(value, Undefined):
        return value
    value = plain(value)
    budget_of(context).handle(value)
    result = INTO[name](value, tuple(plain(arg) for arg in args), _zone_of(context), 0)
    return missing(f"the result of | {name}") if result is None else result


def _default(context: Context, value: Any, fallback: Any) -> Any:
    """`default` in a template also stands in for blank text: a person never gets "Hi ,"."""
    if value is None or isinstance(value, Undefined) or (isinstance(value, str) and not value.strip()):
        return fallback
    return value


@lru_cache(maxsize=4096)
def written_day(day: date, form: str) -> Any:
    """A day by a format: no zone has a part in it, and customers share their days."""
    return INTO["date"](day, (form,), _UTC, 0)


def _date(name: str, context: Context, value: Any, form: Any) -> Any:
    chinese = is_chinese(context.parent["_locale"])
    if not chinese and name == "date" and type(value) is date and type(form) is str:
        return written_day(value, form)
    if not (isinstance(form, str) and chinese) or value is None or isinstance(value, Undefined):
        return _language_filter(name, context, value, form)
    zone = _zone_of(context)
    moment = INTO[name](plain(value), (None,), zone, 0)
    local = moment.astimezone(zone) if isinstance(moment, datetime) else moment
    assert isinstance(local, date)  # both filters give one, or raise
    try:
        return "".join(_chinese(local, piece) for piece in format_pieces(form))
    except ValueError as error:
        raise ValueRefused(str(error)) from None


def _chinese(moment: date, piece: str) -> str:
    if isinstance(piece, Piece):
        return piece
    if piece not in _CHINESE:
        return write_moment(moment, f"%{piece}")
    if piece in "Aa":
        number = moment.weekday()
    elif piece == "p":
        number = int(getattr(moment, "hour", 0) >= 12)
    else:
        number = moment.month - 1
    return _CHINESE[piece][number]


def _writing(body: Callable[[str], Any], context: Context, value: Any) -> Any:
    if value is None or isinstance(value, Undefined):
        return value
    text = as_text(plain(value))
    budget_of(context).handle(text)
    if len(text) > LONGEST_TEXT:
        raise ValueRefused(f"the text has {len(text)} characters, more than {LONGEST_TEXT}; shorten it with truncate")
    return body(text)


def _title(text: str) -> str:
    """Each word with a capital; a word in capitals keeps them, and what follows an apostrophe stays small."""
    return " ".join(word if word.isupper() else word[:1].upper() + word[1:].lower() for word in text.split(" "))


def _groups(cut: Callable[[list[Any], int], list[list[Any]]], context: Context, value: Any, size: Any) -> Any:
    if value is None or isinstance(value, Undefined):
        return value
    if not isinstance(value, list):
        raise ValueRefused("only a list can be divided into groups")
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= 100:
        raise ValueRefused("groups are counted by a whole number from 1 to 100")
    budget_of(context).handle(value)
    return cut(value, size)


def _batch(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _slice(items: list[Any], parts: int) -> list[list[Any]]:
    least, longer = divmod(len(items), parts)
    starts = [place * least + min(place, longer) for place in range(parts + 1)]
    return [items[start:stop] for start, stop in pairwise(starts)]


def _each(context: Context, value: Any) -> Any:
    return budget_of(context).loop(value)


def _flat(context: Context, value: list[Any]) -> list[Any]:
    """A list written in the template holds single values: lists of lists could double at every step."""
    if any(isinstance(item, (list, dict, tuple)) for item in value):
        raise ValueRefused("a list written in a template holds texts and numbers only")
    return [plain(item) for item in value]


def _compare(context: Context, left: Any, operator: Any, right: Any) -> bool:
    one, two, zone = plain(left), plain(right), _zone_of(context)
    budget_of(context).handle(two)
    match operator:
        case "==":
            return same(one, two, zone, 0)
        case "!=":
            return not same(one, two, zone, 0)
        case "in":
            return contains(one, two, zone, 0)
        case "not in":
            return not contains(one, two, zone, 0)
    return ordered(operator, one, two, zone, 0)


def _calculate(context: Context, left: Any, operator: Any, right: Any) -> Any:
    for side in (left, right):
        if isinstance(side, Undefined):
            return side
    result = calculate(operator, plain(left), plain(right), _zone_of(context), 0)
    return missing("the result of this calculation") if result is None else result


def _sign(context: Context, value: Any, sign: Any) -> Any:
    if isinstance(value, Undefined):
        return value
    result = signed(sign, plain(value), 0)
    return missing("this number") if result is None else result


def _concat(context: Context, value: Any, *others: Any) -> str:
    text = as_text(value)
    for other in others:
        text = joined(text, as_text(other), 0)
    return str(text)


def filters_for(html: bool) -> dict[str, Callable[..., Any]]:
    """The filters by name; in HTML `escape` and `nl2br` give markup, in plain text they leave the text as it is."""
    writing: dict[str, Callable[[str], Any]] = {
        "escape": escape if html else str,
        "nl2br": (lambda text: Markup("<br>\n").join(text.split("\n"))) if html else str,
        "capitalize": lambda text: text[:1].upper() + text[1:].lower(),
        "title": _title,
        "urlencode": lambda text: quote(text, safe=""),
    }
    bodies: dict[str, Callable[..., Any]] = {
        **{name: partial(_language_filter, name) for name in INTO},
        **{name: partial(_writing, body) for name, body in writing.items()},
        **{name: partial(_date, name) for name in ("date", "datetime")},
        "default": _default,
        "batch": partial(_groups, _batch),
        "slice": partial(_groups, _slice),
        "_each": _each,
        "_flat": _flat,
        "_compare": _compare,
        "_calculate": _calculate,
        "_sign": _sign,
        "_concat": _concat,
        **GUARDS,
    }
    return {name: pass_context(body) for name, body in bodies.items()}


def _divides(number: int, value: int) -> bool:
    return number != 0 and value % number == 0


def is_none(value: Any) -> bool:
    """The test `is none`: missing or none."""
    return value is None or isinstance(value, Undefined)


TESTS: Mapping[str, Callable[..., bool]] = {
    "none": is_none,
    "undefined": is_none,
    "defined": lambda value: not is_none(value),
    "odd": lambda value: isinstance(value, int) and value % 2 == 1,
    "even": lambda value: isinstance(value, int) and value % 2 == 0,
    "divisibleby": lambda value, number: isinstance(value, int) and isinstance(number, int) and _divides(number, value),
}
"""The tests that a template may use after `is`."""
