"""A body's JSON, and what is seen while it is read, so that it need not be looked for again in each of a batch's items:
how long they were as sent, and whether a text can hold what databases do not take."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from orchestrator.http.strict_json import DECODER, read_json, text_of

ITEMS: Final = "batch"
"""The key of a batch's items."""


class Reading(NamedTuple):
    """What a body says. `longest`: in how many characters the longest of a batch's items was sent; None: not known.
    `fit`: every text and number in it can be stored by any database."""

    document: Any
    longest: int | None
    fit: bool


def read_document(data: bytes, measured: bool = True) -> Reading:
    """Raises HttpRefusal (400) with a code for each way in which bytes are no JSON. `measured` False: nobody asks how
    long the items are, as where the whole body is shorter than one may be; this takes a third less time."""
    text = text_of(data)
    fit = _is_fit(text)
    if not measured:
        return Reading(read_json(text), None, fit)
    try:
        return Reading(*_top(text), fit)
    except (RecursionError, ValueError, IndexError):
        return Reading(read_json(text), None, fit)  # no object, or no JSON: it says what is wrong


def _is_fit(text: str) -> bool:
    """Whether no text in a JSON holds U+0000 or half of a character: these can only be there as escapes.

    Numbers that are none were refused by the decoder.
    """
    return "\\" not in text or not any(escape in text for escape in _UNFIT)


_UNFIT: Final = ("\\u0000", "\\ud", "\\uD")


# --- the outermost object, of which each item's length is wanted -----------------------------------------------------

_blanks = re.compile(r"[ \t\n\r]*").match


def _after(text: str, place: int) -> int:
    """The next place that holds no blank."""
    if text[place] > " ":
        return place
    found = _blanks(text, place)
    assert found is not None
    return found.end()


def _top(text: str) -> tuple[dict[str, Any], int | None]:
    """An object, and the length of the longest of its items. Raises ValueError or IndexError for anything else."""
    made: dict[str, Any] = {}
    longest: int | None = None
    read = DECODER.raw_decode
    place = _after(text, 0)
    _expect(text, place, "{")
    while True:
        place = _after(text, place + 1)
        _expect(text, place, '"')
        key, place = read(text, place)
        if key in made:
            raise ValueError("a key twice")
        place = _after(text, place)
        _expect(text, place, ":")
        place = _after(text, place + 1)
        if key == ITEMS and text[place] == "[":
            made[key], place, longest = _items(text, place)
        else:
            made[key], place = read(text, place)
        place = _after(text, place)
        if text[place] == "}":
            break
        _expect(text, place, ",")
    if text[place + 1 :].strip(" \t\n\r"):
        raise ValueError("something follows the object")
    return made, longest


def _items(text: str, place: int) -> tuple[list[Any], int, int]:
    """The list that begins at a place, where it ends, and the length of its longest item."""
    items: list[Any] = []
    longest = 0
    read = DECODER.raw_decode
    start = _after(text, place + 1)
    if text[start] == "]":
        return items, start + 1, longest
    while True:
        item, end = read(text, start)
        items.append(item)
        if end - start > longest:
            longest = end - start
        place = _after(text, end)
        if text[place] == "]":
            return items, place + 1, longest
        _expect(text, place, ",")
        start = _after(text, place + 1)


def _expect(text: str, place: int, character: str) -> None:
    if text[place] != character:
        raise ValueError(f"expected {character}")
