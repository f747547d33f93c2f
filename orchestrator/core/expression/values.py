"""What the values of the language are: their kinds, how they stand in text, when they are true, their bounds."""

from __future__ import annotations

import math
from collections.abc import Sized
from datetime import date, datetime, timedelta
from typing import Any, Final

from orchestrator.core.expression.scope import Value
from orchestrator.core.time.iso import format_instant
from orchestrator.errors import EvaluationError

LONGEST_TEXT: Final = 10_000
LONGEST_LIST: Final = 1_000
LARGEST_INTEGER: Final = 2**63 - 1
SMALLEST_INTEGER: Final = -(2**63)
DEEPEST_DATA: Final = 64
"""Levels of lists and objects inside one another that printing and comparing go down."""

_SHOWN = 40
_WHOLE_FLOATS_BELOW = 1e15


def truth(value: Value) -> bool:
    """A value as a condition: none, false, 0, and an empty text, list or object are false."""
    return bool(value)


def describe(value: object) -> str:
    """A value with its kind, as an error message names it: `the text 'abc'`, `the number 5`."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case int() | float():
            shown = repr(value) if isinstance(value, float) or abs(value) < 10**_SHOWN else "beyond all bounds"
            return f"the number {shown}"
        case str():
            cut = value if len(value) <= _SHOWN else value[: _SHOWN - 3] + "..."
            return f"the text '{cut}'" if cut.isprintable() else f"the text {cut!a}"
        case datetime():
            return f"the instant {value.isoformat()}"
        case date():
            return f"the date {value.isoformat()}"
        case timedelta():
            return f"the duration {printed(value)}"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"a value of the kind '{type(value).__name__}'"


def printed(value: Value) -> str:
    """How a value stands in text: none as nothing, true and false in small letters, whole numbers without a fraction,
    dates as ISO 8601 (instants in UTC), durations in seconds. Never longer than it has to be: see `bounded_text`."""
    if type(value) is str:
        return value
    out: list[str] = []
    _print(value, out, 0, [0])
    return "".join(out)


def _print(value: object, out: list[str], depth: int, length: list[int]) -> None:
    match value:
        case None:
            return
        case bool():
            piece = "true" if value else "false"
        case str():
            piece = value
        case int():
            piece = str(value) if SMALLEST_INTEGER <= value <= LARGEST_INTEGER else f"{value:#x}"
        case float():
            whole = value.is_integer() and abs(value) < _WHOLE_FLOATS_BELOW
            piece = str(int(value)) if whole else repr(value)
        case datetime():
            piece = format_instant(value) if value.tzinfo is not None else value.isoformat()
        case date():
            piece = value.isoformat()
        case timedelta():
            piece = f"{int(value.total_seconds())}s"
        case list() | dict():
            _print_many(value, out, depth, length)
            return
        case _:
            piece = str(value)
    length[0] += len(piece)
    out.append(piece)


def _print_many(value: list[Any] | dict[str, Any], out: list[str], depth: int, length: list[int]) -> None:
    pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for place, (key, item) in enumerate(pairs):
        if depth >= DEEPEST_DATA or length[0] > 2 * LONGEST_TEXT:  # a bound, not a promise: the caller measures
            out.append("...")
            return
        lead = (", " if place else "") + (f"{key}: " if key is not None else "")
        length[0] += len(lead)
        out.append(lead)
        _print(item, out, depth + 1, length)


def bounded_text(text: str, offset: int) -> str:
    """The text itself, or EvaluationError where it is too long."""
    if len(text) > LONGEST_TEXT:
        raise EvaluationError(
            f"the text has {len(text)} characters, more than {LONGEST_TEXT}; shorten it with truncate", offset=offset
        )
    return text


def bounded_list(items: list[Any], offset: int) -> list[Any]:
    """The list itself, or EvaluationError where it is too long."""
    if len(items) > LONGEST_LIST:
        raise too_long(items, offset)
    return items


def too_long(items: Sized, offset: int) -> EvaluationError:
    """The error for a list beyond the bound."""
    return EvaluationError(
        f"the list has {len(items)} items, more than {LONGEST_LIST}; keep what matters in an attribute", offset=offset
    )


def bounded_number(number: int | float, offset: int) -> int | float:
    """The number itself, or EvaluationError where an integer leaves 64 bits or a float is not finite."""
    if isinstance(number, int):
        if SMALLEST_INTEGER <= number <= LARGEST_INTEGER:
            return number
    elif math.isfinite(number):
        return number
    raise EvaluationError("the result is too large: integers have 64 bits", offset=offset)


def is_number(value: object) -> bool:
    """An integer or float; true and false are no numbers."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
