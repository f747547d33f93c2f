"""JSON as RFC 8259 has it and nothing beyond: no NaN, no number that is infinite, no key twice, no endless nesting."""

from __future__ import annotations

import json
from math import isinf
from typing import Any, Final, NoReturn

from orchestrator.http.problems import HttpRefusal


def text_of(data: bytes) -> str:
    """A body's text. Raises HttpRefusal (400) where it is no UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"byte {error.start} of the body is no UTF-8; send JSON in UTF-8"
        raise HttpRefusal(400, "not_utf8", detail) from None


def read_json(text: str) -> Any:
    """The value. Raises HttpRefusal (400) with a code for each way in which a text is no JSON."""
    try:
        return DECODER.decode(text)
    except RecursionError:
        raise HttpRefusal(400, "nested_too_deeply", "the JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise HttpRefusal(400, "bad_json", f"the body is no JSON: {error.msg} at {where}") from None
    except ValueError:  # an integer of more digits than Python reads
        raise HttpRefusal(400, "bad_number", "a number in the JSON has too many digits") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise HttpRefusal(400, "duplicate_key", f"the key {twice[:60]!a} stands twice in one object")
    return made


def _float(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise HttpRefusal(400, "bad_number", f"the number {text[:40]} is too large")
    return number


def _no_number(text: str) -> NoReturn:
    raise HttpRefusal(400, "bad_number", f"{text} is no JSON; leave out what has no value")


DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_no_number)
