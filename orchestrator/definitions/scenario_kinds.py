"""The kinds of values that scenarios and journey tests take beside those of all files."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Annotated, Literal

from orchestrator.core.time.durations import parse_fixed
from orchestrator.core.time.iso import parse_instant, parse_offset
from orchestrator.definitions.faults import fault, quoted, wrong_type
from orchestrator.definitions.field_kinds import Kind, OneOf, Schema

LONGEST_IDENT = 500
_SIGNS = ("+", "-")


def is_offset(text: str) -> bool:
    """Meant as an offset from the start: begins with a sign, or is a duration that lost it."""
    return text.startswith(_SIGNS) or (text[:1].isdigit() and text[-1:] in set("smhdw") and "-" not in text)


def _text(value: object) -> str:
    if type(value) is not str:
        raise wrong_type(value, "text", quoted(value))
    return value


def _ident(value: object) -> str:
    text = _text(value)
    if not text.strip():
        raise fault("no_value", "{it} is empty")
    if len(text) > LONGEST_IDENT:
        raise fault("bad_value", f"{{it}} is longer than {LONGEST_IDENT} characters")
    return text


def _when(value: object) -> str:
    text = _moment(value, "an instant with a zone, or an offset from the start such as +1h")
    _parsed(parse_offset if is_offset(text) else parse_instant, text)
    return text


def _instant(value: object) -> str:
    text = _moment(value, "an instant with a zone, such as 2026-03-01T10:00:00Z")
    _parsed(parse_instant, text)
    return text


def _moment(value: object, expected: str) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise wrong_type(value, expected, f"add a sign and the unit: +{value}m, +{value}h or +{value}d")
    if type(value) is not str:
        raise wrong_type(value, expected)
    return value


def _stall(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise wrong_type(value, "a duration", f"add the unit: {value}m, {value}h or {value}d")
    text = _text(value)
    if _parsed(parse_fixed, text) == timedelta(0):
        raise fault("bad_value", "{it} takes some time", "write how long, such as 3d")
    return text


def _parsed(parse: object, text: str) -> object:
    try:
        return parse(text)  # type: ignore[operator]  # one of the three readers above
    except ValueError as error:
        message, _, hint = str(error).partition("; ")
        raise fault("bad_value", "{it}: " + message, hint or None) from None


def _number(value: object) -> int | float:
    if type(value) is not int and type(value) is not float:
        raise wrong_type(value, "a number")
    if not math.isfinite(value):
        raise fault("bad_value", "{it} takes a finite number")
    return value


def _forced(value: object) -> str | bool:
    return value if isinstance(value, bool) else _ident(value)


def _given(value: object) -> object:
    return value


_TEXT: Schema = {"type": "string"}
_NAMED: Schema = {"type": ["string", "number"], "description": "A name or an id, read as it stands."}
_OFFSET = r"[+-]([0-9]+[smhdw])+"
_INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"

Ident = Annotated[str, Kind("plain", _ident, _NAMED)]
FreeText = Annotated[str, Kind("plain", _text, {"type": ["string", "number"], "description": "Text."})]
Instant = Annotated[
    str, Kind("plain", _instant, {**_TEXT, "pattern": f"^{_INSTANT}$", "description": "An instant with a zone."})
]
When = Annotated[
    str,
    Kind(
        "plain",
        _when,
        {
            **_TEXT,
            "pattern": f"^({_OFFSET}|{_INSTANT})$",
            "description": "An instant with a zone, or an offset from the start (d is 24 hours).",
        },
    ),
]
StallFor = Annotated[
    str, Kind("plain", _stall, {**_TEXT, "pattern": "^([0-9]+[smhdw])+$", "description": "A duration; d is 24 hours."})
]
State = Annotated[Literal["in", "out"], OneOf()]
Source = Annotated[Literal["api", "page", "import", "sms", "form", "journey", "operator", "confirm"], OneOf()]
Number = Annotated[int | float, Kind("plain", _number, {"type": "number"})]
Forced = Annotated[
    str | bool,
    Kind("plain", _forced, {"type": ["string", "number", "boolean"], "description": "A variant, or a switch."}),
]
Given = Annotated[object, Kind("plain", _given, {"description": "The value; true: whatever it is."})]
