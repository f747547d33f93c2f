"""What was answered in a form: every value checked and bounded, whatever was sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import isfinite
from typing import Any, Final, NamedTuple

from orchestrator.core.addresses import stored_address
from orchestrator.core.forms import LONGEST, LONGEST_TEXT, ConsentBox, Form, FormField

TRAP: Final = "leave_empty"
"""A field that people do not see: whoever fills it is a machine."""
_YES: Final = frozenset({"on", "true", "1", "yes"})
_INT64: Final = 2**63


class Reading(NamedTuple):
    """The answers by the fields' names (what was not answered is left out), the boxes that were ticked, and what is
    wrong with which field: the key of a text in form_words."""

    values: Mapping[str, Any]
    ticked: tuple[ConsentBox, ...]
    wrong: Mapping[str, str]


def read_answers(form: Form, given: Mapping[str, Any], country: str | None) -> Reading:
    """The answers among what was posted. `country`: how phone numbers without a prefix are read."""
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for one in form.fields:
        raw = one.value if one.type == "hidden" and one.value is not None else given.get(one.name)
        value, why = _answer(one, raw, country)
        if why is None and one.required and value in (None, "", False):
            why = "required"
        if why is not None:
            wrong[one.name] = why
        elif value not in (None, ""):
            values[one.name] = value
    listed = given.get("consents")
    named = {one for one in listed if isinstance(one, str)} if isinstance(listed, list) else set()
    ticked = tuple(box for box in form.consents if box.topic in named or _is_yes(given.get(box.name)))
    wrong.update({box.name: "required_box" for box in form.consents if box.required and box not in ticked})
    return Reading(values, ticked, wrong)


def _answer(one: FormField, raw: object, country: str | None) -> tuple[Any, str | None]:
    """The value, or why it is none."""
    if one.type == "checkbox":
        return _is_yes(raw), None
    if one.type == "hidden" and one.value is not None:
        return raw, None
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float, type(None))):
        return None, "unreadable"
    if isinstance(raw, float) and not isfinite(raw):
        return None, "number"
    lines = one.type == "long_text"
    text = kept_text("" if raw is None else str(raw), lines)
    if len(text) > (LONGEST_TEXT if lines else LONGEST):
        return None, "long"
    if not text:
        return None, None
    match one.type:
        case "email":
            address = stored_address("email", text, country)
            return (address.text, None) if address is not None else (None, "email")
        case "phone":
            address = stored_address("sms", text, country)
            return (address.text, None) if address is not None else (None, "phone")
        case "number" | "integer":
            return _number(text, one.type == "integer")
        case "date":
            return _date(text)
        case "choice":
            return (text, None) if text in one.options else (None, "choice")
        case _:
            return text, None


def kept_text(given: str, lines: bool = False) -> str:
    """A text without what no database keeps and no page shows."""
    found = []
    for character in given[: 4 * LONGEST_TEXT].replace("\r\n", "\n"):
        if character == "\n" and lines:
            found.append(character)
        elif "\ud800" <= character <= "\udfff" or not (character.isprintable() or character in "\u200c\u200d"):
            found.append("" if character in "\0" or "\ud800" <= character <= "\udfff" else " ")
        else:
            found.append(character)
    return "".join(found).strip()


def _number(text: str, whole: bool) -> tuple[Any, str | None]:
    try:
        value: int | float = int(text) if len(text) < 40 else float(text)
    except ValueError:
        try:
            value = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
        except ValueError:
            return None, "number"
    if not isfinite(value) or abs(value) >= _INT64 or (whole and value != int(value)):
        return None, "number"
    return (int(value) if whole else value), None


def _date(text: str) -> tuple[Any, str | None]:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None, "date"
    return (found.isoformat(), None) if 1000 <= found.year <= 9998 else (None, "date")


def _is_yes(raw: object) -> bool:
    return raw is True or (isinstance(raw, str) and raw.strip().lower() in _YES)
