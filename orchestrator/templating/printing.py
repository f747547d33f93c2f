"""How values are written into messages. Dates as ISO 8601, whole numbers without `.0`, none never as 'None'."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from jinja2 import Undefined
from markupsafe import Markup

from orchestrator.core.time.iso import format_instant
from orchestrator.templating.failure import ValueRefused

_CONTROL: dict[int, str | None] = {
    **dict.fromkeys(code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}


def clean_text(text: str) -> str:
    """Text without control characters (NUL, ESC, ...) and lone surrogates; line ends become a plain newline."""
    if text.isprintable():
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL)


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise ValueRefused(f"{value} is not a number that can be written")
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = repr(value)
    return text if "e" not in text else f"{value:.15f}".rstrip("0").rstrip(".")


def _list(value: list[Any] | tuple[Any, ...]) -> str:
    for item in value:
        if isinstance(item, (dict, list, tuple)):
            raise ValueRefused("a list of objects cannot be written as text; go through it with {% for %}")
    return ", ".join(as_text(item) for item in value if item is not None)


def _dict(value: dict[str, Any]) -> str:
    keys = ", ".join(clean_text(str(key)) for key in list(value)[:5])
    raise ValueRefused(f"an object cannot be written as text; name one of its properties ({keys})")


_PRINTERS: dict[type, Callable[[Any], str]] = {
    str: clean_text,
    Markup: lambda value: value,
    int: str,
    bool: lambda value: "true" if value else "false",
    float: _float,
    datetime: format_instant,
    date: date.isoformat,
    timedelta: lambda value: f"{int(value.total_seconds())}s",
    list: _list,
    tuple: _list,
    dict: _dict,
}


def as_text(value: Any) -> str:
    """The text of one value. Raises ValueRefused for what has no text, UndefinedError for a missing value."""
    if type(value) is str and value.isprintable():
        return value
    printer = _PRINTERS.get(type(value))
    if printer is not None:
        return printer(value)
    if isinstance(value, Undefined):
        return str(value)  # raises, with the name
    if value is None:
        raise ValueRefused("this has no value here; give it one with | default('...')")
    for kind in (str, datetime, date, bool, int, float, dict, list):  # subclasses, such as enums of text
        if isinstance(value, kind):
            return _PRINTERS[kind](value)
    raise ValueRefused("only plain data can be written into a message")
