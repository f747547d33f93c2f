"""The kinds of values that fields of the files take, each with its check, its JSON Schema and its place in the language.

Every field is an expression (no braces), a template (`{{ }}`), or plain (the language reference, section 1); the
published schemas say which under `x-kind`. Checks keep the value as it is written, but for percentages, which become
numbers, and for expressions that YAML read as a number or truth value, which become text again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from orchestrator.core.time.clock_text import DAYS, parse_days, parse_time_of_day, parse_window
from orchestrator.core.time.durations import parse_duration, parse_fixed
from orchestrator.core.time.zones import zone_names, zone_or_none
from orchestrator.definitions.faults import described, fault, listed, quoted, shown, wrong_type
from orchestrator.definitions.nearest import did_you_mean

KIND_KEY = "x-kind"
"""Where a JSON Schema names a field's kind: expression, template, plain or data."""

Schema = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """How a value is checked (`check` returns it or raises a fault), described, and what it is called."""

    name: str
    check: Callable[[Any], Any]
    schema: Schema = field(hash=False)
    nullable: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return {**self.schema, KIND_KEY: self.name}


# --- text -----------------------------------------------------------------------------------------------------------

_BRACES = re.compile(r"\{\{|\{%|\{#")
_WHOLLY_BRACED = re.compile(r"\s*\{\{-?(?P<inner>(?:(?!\}\}).)*?)-?\}\}\s*", re.DOTALL)
_NO_BRACES = r"^(?![\s\S]*\{\{)"


def _text(value: object, expected: str = "text") -> str:
    if type(value) is not str:
        raise wrong_type(value, expected, quoted(value))
    return value


def _filled(value: object, expected: str = "text") -> str:
    text = _text(value, expected)
    if not text.strip():
        raise fault("no_value", f"{{it}} is empty; it takes {expected}")
    return text


def _expression(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, dict)):
        hint = "quote the whole expression, or write it under >-"
        raise wrong_type(value, "an expression", hint)
    text = _filled(value, "an expression")
    if "{{" in text or "{%" in text:
        whole = _WHOLLY_BRACED.fullmatch(text)
        form = whole["inner"].strip() if whole else "customer.first_name, not {{ customer.first_name }}"
        raise fault("braces_in_expression", "{it} is an expression and takes no {{ }}", f"write it without braces: {form}")
    return text


def _template(value: object) -> str:
    return _text(value, "text, in which {{ }} inserts values")


def _plain(value: object) -> str:
    text = _filled(value)
    if _BRACES.search(text):
        hint = "write the text itself; to choose between texts use `if` or `choose`"
        raise fault("braces_in_plain", "{it} is plain text, in which {{ }} inserts nothing", hint)
    return text


def _pattern(what: str, pattern: str, example: str) -> Callable[[object], str]:
    compiled = re.compile(pattern)

    def check(value: object) -> str:
        text = _plain(value)
        if len(text) > 200:
            raise fault("bad_value", f"{{it}} is longer than 200 characters; it takes {what}")
        if not compiled.fullmatch(text):
            raise fault("bad_value", f"{{it}} takes {what}, not {described(text)}", f"write something like {example}")
        return text

    return check


def _attribute(value: object) -> str:
    text = _plain(value)
    if not re.fullmatch(r"customer(?:\.[^\W\d]\w*)+", text):
        bare = text.removeprefix("customer.")
        hint = f"write customer.{bare}" if re.fullmatch(r"[^\W\d]\w*", bare) else "write something like customer.plan"
        raise fault("bad_value", f"{{it}} takes a customer attribute, not {described(text)}", hint)
    return text


RESERVED = frozenset(
    {"customer", "event", "entry", "it", "now", "today", "loop", "true", "false", "none", "True", "False", "None",
     "and", "or", "not", "in", "is", "if", "else", "row", "vars"}
)  # fmt: skip
"""Words of the expression language that no result or variable may be called."""


def _result(value: object) -> str:
    text = _plain(value)
    if text in RESERVED:
        raise fault("bad_value", f"'{text}' is a word of the expression language", "choose another name")
    if not re.fullmatch(r"[^\W\d]\w*", text) or len(text) > 200:
        hint = "use letters, digits and _, such as my_result"
        raise fault("bad_value", f"{{it}} takes a name that expressions can use, not {described(text)}", hint)
    return text


def _expression_schema(what: str) -> Schema:
    return {"type": ["string", "number", "boolean"], "pattern": _NO_BRACES, "description": what}


_PLAIN: Schema = {"type": "string", "pattern": r"^(?![\s\S]*\{\{)[\s\S]*\S", "description": "Plain text."}
_NAME_PATTERN = r"\w[\w.-]*"

Expression = Annotated[str, Kind("expression", _expression, _expression_schema("An expression, without braces."))]
DurationOrExpression = Annotated[
    str, Kind("expression", _expression, _expression_schema("A duration such as 3d, or an expression, without braces."))
]
UntilText = Annotated[
    str,
    Kind("expression", _expression, _expression_schema("A time such as \"09:00\", or an expression that gives a date.")),
]
ZoneOrExpression = Annotated[
    str, Kind("expression", _expression, _expression_schema("`customer`, an IANA zone, or an expression that gives one."))
]
TemplateText = Annotated[
    str, Kind("template", _template, {"type": "string", "description": "A template: {{ }} inserts values."})
]
Plain = Annotated[str, Kind("plain", _plain, _PLAIN)]
Name = Annotated[
    str,
    Kind(
        "plain",
        _pattern("a name of letters, digits, _, - and .", _NAME_PATTERN, "abandoned_cart"),
        {"type": "string", "pattern": r"^[^\s{}\[\],:/]+$", "description": "A name."},
    ),
]
TemplateName = Annotated[
    str,
    Kind(
        "plain",
        _pattern("the name of a template file without its ending", r"\w[\w.-]*(?:/\w[\w.-]*)*", "cart_reminder"),
        {**_PLAIN, "description": "A template's name: its file below templates/, without channel and ending."},
    ),
]
ResultName = Annotated[str, Kind("plain", _result, {**_PLAIN, "description": "A name that expressions can use."})]
AttributePath = Annotated[
    str, Kind("plain", _attribute, {"type": "string", "pattern": r"^customer\.", "description": "A customer attribute."})
]
CurrencyCode = Annotated[
    str,
    Kind(
        "plain",
        _pattern("a currency of three capital letters", "[A-Z]{3}", "EUR"),
        {"type": "string", "pattern": "^[A-Z]{3}$", "description": "A currency, ISO 4217."},
    ),
]
Data = Annotated[Any, Kind("data", lambda value: value, {"description": "Any value, taken as it stands."}, nullable=True)]
TemplateData = Annotated[
    Any,
    Kind("template", lambda value: value, {"description": "Any value; {{ }} in its texts inserts values."}, nullable=True),
]


# --- times ----------------------------------------------------------------------------------------------------------


def _read(parse: Callable[[str], object], value: object, example: str) -> str:
    """The text, if `parse` can read it; its complaint, with the way out as hint, if not."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise wrong_type(value, example)
    text = _plain(value)
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


def _zone(value: object) -> str:
    text = _plain(value)
    if zone_or_none(text) is None:
        same = _zone_of_city(text)
        near = f"did you mean '{same}'?" if same else did_you_mean(text, sorted(zone_names()))
        hint = near or "use a name such as Europe/Lisbon"
        raise fault("bad_value", f"{{it}} takes an IANA time zone, not {described(text)}", hint)
    return text


def _zone_of_city(text: str) -> str | None:
    """The zone of a city: people know the city and forget the continent."""
    city = text.rsplit("/", 1)[-1].replace(" ", "_").casefold()
    return next((name for name in sorted(zone_names()) if "/" in name and name.rsplit("/", 1)[-1].casefold() == city), None)


def _customer_or_zone(value: object) -> str:
    return "customer" if value == "customer" else _zone(value)


def _local_datetime(value: object) -> str:
    text = _plain(value)
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
    text = _plain(value)
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
Zone = Annotated[str, Kind("plain", _zone, {"type": "string", "description": "An IANA zone such as Europe/Lisbon."})]
CustomerOrZone = Annotated[
    str, Kind("plain", _customer_or_zone, {"type": "string", "description": "`customer` or an IANA zone."})
]
CronText = Annotated[
    str, Kind("plain", _plain, {**_PLAIN, "description": "Five fields: minute, hour, day, month, weekday."})
]
LocalDateTime = Annotated[
    str, Kind("plain", _local_datetime, {"type": "string", "description": "A local date and time: 2026-11-27T10:00."})
]
DateOrInstant = Annotated[
    str, Kind("plain", _date_or_datetime, {"type": "string", "description": "A date, or an instant with its zone."})
]


# --- numbers, truth values, choices ---------------------------------------------------------------------------------


def _number(value: object, expected: str) -> int | float:
    if type(value) is not int and type(value) is not float:
        hint = None
        if isinstance(value, str) and re.fullmatch(r"[-+]?[\d_, ]+(?:\.\d+)?\s*%?", value.strip()):
            hint = f"write {re.sub(r'[_, %]', '', value)} without quotes, signs and spaces"
        raise wrong_type(value, expected, hint)
    return value


def _whole(low: int, high: int | None) -> Callable[[object], int]:
    expected = f"a whole number from {low} to {high}" if high is not None else f"a whole number from {low} upwards"

    def check(value: object) -> int:
        number = _number(value, expected)
        if isinstance(number, float) or number < low or (high is not None and number > high):
            raise fault("bad_value", f"{{it}} takes {expected}, not {number}")
        return number

    return check


def _amount(positive: bool) -> Callable[[object], float]:
    expected = "a number above 0" if positive else "a number from 0 upwards"

    def check(value: object) -> float:
        number = _number(value, expected)
        if not math.isfinite(number) or number < 0 or (positive and number == 0):
            raise fault("bad_value", f"{{it}} takes {expected}, not {number}")
        return number

    return check


def _percent(value: object) -> float:
    expected = "a percentage from 0 to 100, such as 10%"
    if isinstance(value, str) and (match := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*%?", value.strip(), re.ASCII)):
        value = float(match[1][:20])
    number = _number(value, expected)
    if not 0 <= number <= 100:
        raise fault("bad_value", f"{{it}} takes {expected}, not {number}")
    return float(number)


def _flag(value: object) -> bool:
    if type(value) is not bool:
        yes_no = {"yes": "true", "on": "true", "no": "false", "off": "false"}
        meant = yes_no.get(value.lower()) if isinstance(value, str) else None
        raise wrong_type(value, "true or false", f"write {meant}" if meant else None)
    return value


def _only_true(value: object) -> bool:
    if value is not True:
        raise fault("bad_value", f"{{it}} takes true, not {described(value)}", "write true, or remove the line")
    return True


def whole(low: int = 1, high: int | None = None) -> Kind:
    """The kind of a whole number within bounds."""
    schema: Schema = {"type": "integer", "minimum": low} | ({"maximum": high} if high is not None else {})
    return Kind("plain", _whole(low, high), schema)


Positive = Annotated[int, whole(1)]
Amount = Annotated[float, Kind("plain", _amount(False), {"type": "number", "minimum": 0})]
PositiveAmount = Annotated[float, Kind("plain", _amount(True), {"type": "number", "exclusiveMinimum": 0})]
Percent = Annotated[
    float,
    Kind(
        "plain", _percent,
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 100},
                   {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*%?\s*$"}],
         "description": "A percentage of all, such as 10%."},
    ),
]  # fmt: skip
Flag = Annotated[bool, Kind("plain", _flag, {"type": "boolean"})]
OnlyTrue = Annotated[bool, Kind("plain", _only_true, {"const": True})]


@dataclass(frozen=True)
class OneOf:
    """One word out of the Literal that it annotates; `beside` names what else may stand there."""

    beside: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        words = get_args(source)

        def check(value: object) -> object:
            if isinstance(value, str) and value in words:
                return value
            text = str(value).lower() if isinstance(value, (str, bool)) else ""
            hint = did_you_mean(shown(text), words)
            raise fault("bad_value", f"{{it}} takes {listed([*words, *filter(None, [self.beside])])}, not {described(value)}", hint)

        return core_schema.no_info_plain_validator_function(check, metadata={"words": words})

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return {"enum": list(schema["metadata"]["words"]), KIND_KEY: "plain"}  # type: ignore[typeddict-item]
