"""What a check of a value says when it refuses: our own errors, carried through pydantic to `validation.py`.

A message is written as a sentence about ``{it}``, which becomes the key where the value stands:
``{it} takes hold, skip or exit, not 'holdd'``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import PydanticCustomError

MARK = "ours"
"""The context key that tells our errors from the library's."""

_LONGEST_SHOWN = 40


def fault(
    code: str, message: str, hint: str | None = None, *, at: str | None = None, **more: Any
) -> PydanticCustomError:
    """An error to raise. `at` names a key of the mapping that is checked, to point at that key instead of the whole."""
    context = {"message": message, "hint": hint, "at": at, MARK: True, **more}
    return PydanticCustomError(code, "{message}", context)


def wrong_type(value: object, expected: str, hint: str | None = None) -> PydanticCustomError:
    """The value is of another kind than `expected` (a noun with its article)."""
    return fault("wrong_type", f"{{it}} takes {expected}, not {described(value)}", hint)


def quoted(value: object) -> str | None:
    """The hint that a number or a truth value is text when quoted."""
    if isinstance(value, bool):
        return f'if text is meant, quote it: "{str(value).lower()}"'
    if isinstance(value, (int, float)):
        return f'if text is meant, quote it: "{value}"'
    return None


def described(value: object) -> str:
    """What a value is, for a sentence: `the number 3`, `'abc'`, `a list`."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return f"'{shown(value)}'" if value else "empty text"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return "this"


def shown(text: str) -> str:
    """Text of an author, short, on one line and with what is invisible made visible."""
    flat = " ".join(text.split()) if text.strip() else text
    short = flat if len(flat) <= _LONGEST_SHOWN else flat[: _LONGEST_SHOWN - 3] + "..."
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in short)


def listed(words: Sequence[str], most: int = 30) -> str:
    """`a, b or c`."""
    words = [*words[:most], "..."] if len(words) > most else list(words)
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)
