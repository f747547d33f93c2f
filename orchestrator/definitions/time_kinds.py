"""The kinds of values that say when and how long: durations, times of day, windows, days, dates."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any

from orchestrator.core.time.clock_text import DAYS, parse_days, parse_time_of_day, parse_window
from orchestrator.core.time.durations import parse_duration, parse_fixed
from orchestrator.definitions.faults import described, fault, wrong_type
from orchestrator.definitions.field_kinds import PLAIN_SCHEMA, Kind, Schema, plain_text


def _read(parse: Callable[[str], object], value: object, example: str) -> str:
    """The text, if `parse` can read it; its complaint, with the way out as hint, if not."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise wrong_type(value, example)
    text = plain_text(value)
    try:
        parse(text)
    except ValueError as error:
        message, hint = _split_hint(str(error))
        raise fault("bad_value", "{it}: " + message, hint) from None
    return text


def _split_hint(complaint: str) -> tuple[str, str | None]:
    for start in ("; did you mean", "; use ", "; a duration needs", "; write "):
        message, found, rest = complaint.partition(start)
        if found:
            return message, start[2:] + rest
    return complaint, None


def _duration(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise wrong_type(value, "a duration", f"add the unit: {value}m, {value}h or {value}d")
    return _read(lambda text: parse_duration(text, negative=False), value, "a duration such as 3d")


def _signed_duration(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise wrong_type(value, "a duration", f"add the unit: {value}h or {value}d")
    return _read(parse_duration, value, "a duration such as -3d")


def _fixed_duration(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise wrong_type(value, "a duration", f"add the unit: {value}m, {value}h or {value}d")
    return _read(parse_fixed, value, "a duration such as 3d")


def _days(value: object) -> object:
    try:
        parse_days(value)
    except ValueError as error:
        message, hint = _split_hint(str(error))
        raise fault("bad_value", "{it}: " + message, hint) from None
    return value


def _local_datetime(value: object) -> str:
    text = plain_text(value)
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = None
    if read is None or not re.match(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}", text):
        raise fault("bad_value", f"{{it}} takes a local date and time, not {described(text)}", "write 2026-11-27T10:00")
    if read.tzinfo is not None:
        hint = "leave the offset out and name the zone in `timezone`"
        raise fault("bad_value", f"{{it}} takes a local time, and {described(text)} has a zone", hint)
    return text


def _date_or_datetime(value: object) -> str:
    text = plain_text(value)
    try:
        date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        hint = "write 2026-12-31, or 2026-12-31T23:59:00+01:00"
        raise fault("bad_value", f"{{it}} takes a date or an instant, not {described(text)}", hint) from None
    return text


def _duration_schema(what: str, sign: str = "") -> Schema:
    return {"type": "string", "pattern": rf"^{sign}([0-9]+(mo|[smhdwy]))+$", "description": what}


_CLOCK = r"([01]?[0-9]|2[0-4]):[0-5][0-9](:[0-5][0-9])?"

DurationText = Annotated[str, Kind("plain", _duration, _duration_schema("A duration such as 3d or 1h30m."))]
SignedDuration = Annotated[
    str, Kind("plain", _signed_duration, _duration_schema("A duration such as -7d or 2h.", "[-+]?"))
]
FixedDuration = Annotated[
    str, Kind("plain", _fixed_duration, {**_duration_schema("A duration; d is 24 hours, w is 168."),
                                        "pattern": "^([0-9]+[smhdw])+$"})
]  # fmt: skip
TimeOfDay = Annotated[
    str,
    Kind(
        "plain", lambda value: _read(parse_time_of_day, value, 'a time of day such as "09:00"'),
        {"type": "string", "pattern": f"^{_CLOCK}$", "description": "A local time of day such as \"09:00\"."},
    ),
]  # fmt: skip
WindowText = Annotated[
    str,
    Kind(
        "plain", lambda value: _read(parse_window, value, 'a window such as "08:00-20:00"'),
        {"type": "string", "pattern": rf"^{_CLOCK}\s*(-|–|\.\.)\s*{_CLOCK}$",
         "description": "Local times such as \"08:00-20:00\"; the end is exclusive."},
    ),
]  # fmt: skip
_DAY = {"type": "string", "pattern": f"^({'|'.join(DAYS)})(\\.\\.({'|'.join(DAYS)}))?$"}
Days = Annotated[
    Any,
    Kind(
        "plain", _days,
        {"anyOf": [_DAY, {"type": "array", "items": _DAY, "minItems": 1}],
         "description": "Days of the week, such as [mon, wed] or mon..fri."},
    ),
]  # fmt: skip
CronText = Annotated[
    str, Kind("plain", plain_text, {**PLAIN_SCHEMA, "description": "Five fields: minute, hour, day, month, weekday."})
]
LocalDateTime = Annotated[
    str, Kind("plain", _local_datetime, {"type": "string", "description": "A local date and time: 2026-11-27T10:00."})
]
DateOrInstant = Annotated[
    str, Kind("plain", _date_or_datetime, {"type": "string", "description": "A date, or an instant with its zone."})
]
