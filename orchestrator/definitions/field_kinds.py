"""The kinds of values that fields take, each with its check, its JSON Schema and its place in the language.

Every field is an expression (no braces), a template (`{{ }}`), or plain (the language reference, section 1); the
published schemas say which under `x-kind`. Checks keep the value as it is written, but for percentages, which become
numbers, and for expressions that YAML read as a number or truth value, which become text again. Kinds of times stand
in `time_kinds.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import field
from typing import Annotated, Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.time.zones import zone_names, zone_or_none
from orchestrator.definitions.faults import described, fault, listed, quoted, shown, wrong_type
from orchestrator.records import dataclass

KIND_KEY = "x-kind"
"""Where a JSON Schema names a field's kind: expression, template, plain or data."""

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
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
        raise fault(
            "braces_in_expression", "{it} is an expression and takes no {{ }}", f"write it without braces: {form}"
        )
    return text


def _template(value: object) -> str:
    return _text(value, "text, in which {{ }} inserts values")


def plain_text(value: object) -> str:
    """Text that is not empty and has no braces; the check of plain fields. Raises a fault."""
    text = _filled(value)
    if _BRACES.search(text):
        hint = "write the text itself; to choose between texts use `if` or `choose`"
        raise fault("braces_in_plain", "{it} is plain text, in which {{ }} inserts nothing", hint)
    return text


def _pattern(what: str, pattern: str, example: str) -> Callable[[object], str]:
    compiled = re.compile(pattern)

    def check(value: object) -> str:
        text = plain_text(value)
        if len(text) > 200:
            raise fault("bad_value", f"{{it}} is longer than 200 characters; it takes {what}")
        if not compiled.fullmatch(text):
            raise fault("bad_value", f"{{it}} takes {what}, not {described(text)}", f"write something like {example}")
        return text

    return check


def _attribute(value: object) -> str:
    text = plain_text(value)
    if not re.fullmatch(r"customer(?:\.[^\W\d]\w*)+", text):
        bare = text.removeprefix("customer.")
        hint = f"write customer.{bare}" if re.fullmatch(r"[^\W\d]\w*", bare) else "write something like customer.plan"
        raise fault("bad_value", f"{{it}} takes a customer attribute, not {described(text)}", hint)
    return text


def _version(value: object) -> str:
    if type(value) is int and 0 <= value < 10**12:  # twelve digits, of which none happens to be a letter
        value = f"{value:012}"
    if isinstance(value, float):
        raise fault("bad_value", "{it} takes a version, and this one reads like a number", "put it into quotes")
    text = plain_text(value)
    if text != "any" and not re.fullmatch("[0-9a-f]{12}", text):
        hint = did_you_mean(text, ["any"]) or "`orchestrator diff` shows which versions somebody is in"
        raise fault(
            "bad_value", f"{{it}} takes a version of 12 hexadecimal digits or `any`, not {described(text)}", hint
        )
    return text


RESERVED = frozenset(
    {"customer", "event", "entry", "it", "now", "today", "loop", "true", "false", "none", "True", "False", "None",
     "and", "or", "not", "in", "is", "if", "else", "row", "vars"}
)  # fmt: skip
"""Words of the expression language that no result or variable may be called."""


def _result(value: object) -> str:
    text = plain_text(value)
    if text in RESERVED:
        raise fault("bad_value", f"'{text}' is a word of the expression language", "choose another name")
    if not re.fullmatch(r"[^\W\d]\w*", text) or len(text) > 200:
        hint = "use letters, digits and _, such as my_result"
        raise fault("bad_value", f"{{it}} takes a name that expressions can use, not {described(text)}", hint)
    return text


def _expression_schema(what: str) -> Schema:
    return {"type": ["string", "number", "boolean"], "pattern": _NO_BRACES, "description": what}


PLAIN_SCHEMA: Schema = {"type": "string", "pattern": r"^(?![\s\S]*\{\{)[\s\S]*\S", "description": "Plain text."}
_NAME_PATTERN = r"\w[\w.-]*"

Expression = Annotated[str, Kind("expression", _expression, _expression_schema("An expression, without braces."))]
DurationOrExpression = Annotated[
    str, Kind("expression", _expression, _expression_schema("A duration such as 3d, or an expression, without braces."))
]
UntilText = Annotated[
    str,
    Kind("expression", _expression, _expression_schema('A time such as "09:00", or an expression that gives a date.')),
]
ZoneOrExpression = Annotated[
    str,
    Kind("expression", _expression, _expression_schema("`customer`, an IANA zone, or an expression that gives one.")),
]
TemplateText = Annotated[
    str, Kind("template", _template, {"type": "string", "description": "A template: {{ }} inserts values."})
]
Plain = Annotated[str, Kind("plain", plain_text, PLAIN_SCHEMA)]
Name = Annotated[
    str,
    Kind(
        "plain",
        _pattern("a name of letters, digits, _, - and .", _NAME_PATTERN, "abandoned_cart"),
        {"type": "string", "pattern": r"^[^\s{}\[\],:/]+$", "description": "A name."},
    ),
]
LocaleName = Annotated[
    str,
    Kind(
        "plain",
        _pattern("a locale", r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", "zh"),
        {"type": "string", "pattern": r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$", "description": "A locale."},
    ),
]
TemplateName = Annotated[
    str,
    Kind(
        "plain",
        _pattern("the name of a template file without its ending", r"\w[\w.-]*(?:/\w[\w.-]*)*", "cart_reminder"),
        {**PLAIN_SCHEMA, "description": "A template's name: its file below templates/, without channel and ending."},
    ),
]
VersionText = Annotated[
    str,
    Kind(
        "plain",
        _version,
        {
            "anyOf": [
                {"type": "string", "pattern": "^(any|[0-9a-f]{12})$"},
                {"type": "integer", "minimum": 0, "maximum": 999_999_999_999},
            ],
            "description": "A version as `orchestrator diff` shows it, or `any`.",
        },
    ),
]
ResultName = Annotated[str, Kind("plain", _result, {**PLAIN_SCHEMA, "description": "A name that expressions can use."})]
AttributePath = Annotated[
    str,
    Kind("plain", _attribute, {"type": "string", "pattern": r"^customer\.", "description": "A customer attribute."}),
]
CountryCode = Annotated[
    str,
    Kind(
        "plain",
        _pattern("a country of two capital letters", "[A-Z]{2}", "CN"),
        {"type": "string", "pattern": "^[A-Z]{2}$", "description": "A country, ISO 3166."},
    ),
]
CountryOrDefault = Annotated[
    str,
    Kind(
        "plain",
        _pattern("a country of two capital letters, or default", "[A-Z]{2}|default", "CN"),
        {"type": "string", "pattern": "^([A-Z]{2}|default)$", "description": "A country, ISO 3166, or `default`."},
    ),
]
CurrencyCode = Annotated[
    str,
    Kind(
        "plain",
        _pattern("a currency of three capital letters", "[A-Z]{3}", "EUR"),
        {"type": "string", "pattern": "^[A-Z]{3}$", "description": "A currency, ISO 4217."},
    ),
]
Data = Annotated[
    Any, Kind("data", lambda value: value, {"description": "Any value, taken as it stands."}, nullable=True)
]
TemplateData = Annotated[
    Any,
    Kind(
        "template", lambda value: value, {"description": "Any value; {{ }} in its texts inserts values."}, nullable=True
    ),
]


# --- zones ------------------------------------------------------------------------------------------------------------


def _zone(value: object) -> str:
    text = plain_text(value)
    if zone_or_none(text) is None:
        same = _zone_of_city(text)
        near = f"did you mean '{same}'?" if same else did_you_mean(text, sorted(zone_names()))
        hint = near or "use a name such as Europe/Lisbon"
        raise fault("bad_value", f"{{it}} takes an IANA time zone, not {described(text)}", hint)
    return text


def _zone_of_city(text: str) -> str | None:
    """The zone of a city: people know the city and forget the continent."""
    city = text.rsplit("/", 1)[-1].replace(" ", "_").casefold()
    return next(
        (name for name in sorted(zone_names()) if "/" in name and name.rsplit("/", 1)[-1].casefold() == city), None
    )


def _customer_or_zone(value: object) -> str:
    return "customer" if value == "customer" else _zone(value)


Zone = Annotated[str, Kind("plain", _zone, {"type": "string", "description": "An IANA zone such as Europe/Lisbon."})]
CustomerOrZone = Annotated[
    str, Kind("plain", _customer_or_zone, {"type": "string", "description": "`customer` or an IANA zone."})
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
        raise fault("bad_value", f"{{it}} takes {expected}, not {number:g}")
    return float(number)


def _flag(value: object) -> bool:
    if type(value) is not bool:
        yes_no = {"yes": "true", "on": "true", "no": "false", "off": "false"}
        meant = (yes_no | {"true": "true", "false": "false"}).get(value.lower()) if isinstance(value, str) else None
        raise wrong_type(value, "true or false", f"write {meant}, without quotes" if meant else None)
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
Number = Annotated[float, Kind("plain", lambda value: _number(value, "a number"), {"type": "number"})]
Flag = Annotated[bool, Kind("plain", _flag, {"type": "boolean"})]
OnlyTrue = Annotated[bool, Kind("plain", _only_true, {"const": True})]


@dataclass(frozen=True, slots=True)
class OneOf:
    """One word out of the Literal that it annotates; `beside` names what else may stand there."""

    beside: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        words = get_args(source)

        def check(value: object) -> object:
            if isinstance(value, str) and value in words:
                return value
            hint = did_you_mean(shown(value), words) if isinstance(value, str) else None
            raise fault(
                "bad_value",
                f"{{it}} takes {listed([*words, *filter(None, [self.beside])])}, not {described(value)}",
                hint,
            )

        return core_schema.no_info_plain_validator_function(check, metadata={"words": words})

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return {"enum": list(schema["metadata"]["words"]), KIND_KEY: "plain"}
