"""Cuts the text of a template field into plain text and the expressions between `{{` and `}}`."""

from __future__ import annotations

from typing import NamedTuple

_QUOTES = "'\""
_OPENING, _CLOSING = "([{", ")]}"


class Hole(NamedTuple):
    """One `{{ }}`: the expression without the white space around it, and where it begins in the text."""

    source: str
    offset: int


class Miswritten(Exception):
    """The text is no template; `offset` and `length` say what to point at."""

    def __init__(self, code: str, message: str, hint: str, offset: int, length: int = 2) -> None:
        self.code, self.message, self.hint, self.offset, self.length = code, message, hint, offset, length
        super().__init__(message)


def cut(text: str) -> list[str | Hole]:
    """The pieces in order, without empty ones. Braces inside quotes and inside `{ }` of an expression end nothing;
    a `}}` that closes nothing is plain text, such as JSON ends with.

    Raises Miswritten for `{% %}`, `{# #}`, `{{-`, an empty `{{ }}` and a `{{` that is never closed.
    """
    if "{" not in text:
        return [text] if text else []
    pieces: list[str | Hole] = []
    at = 0
    while True:
        opening = _next_opening(text, at)
        plain = text[at:opening]
        if plain:
            pieces.append(plain)
        if opening == len(text):
            return pieces
        closing = _closing(text, opening)
        pieces.append(_hole(text, opening, closing))
        at = closing + 2


def _next_opening(text: str, at: int) -> int:
    """Where the next `{{` stands, or the end of the text."""
    while at < len(text):
        pair = text[at : at + 2]
        if pair == "{{":
            return at
        if pair in ("{%", "{#"):
            what = "blocks ({% %})" if pair == "{%" else "comments ({# #})"
            raise Miswritten(
                "template_block",
                f"{what} belong in template files; a field holds text and {{{{ }}}} only",
                "write {{ a if condition else b }}, or use an `if` step",
                at,
            )
        at += 1
    return at


def _closing(text: str, opening: int) -> int:
    """Where the `}}` of the `{{` at `opening` stands."""
    depth, quote, at = 0, "", opening + 2
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char in _QUOTES:
            quote = char
        elif char == "}" and depth == 0:
            if text.startswith("}}", at):
                return at
        elif char in _OPENING:
            depth += 1
        elif char in _CLOSING:
            depth = max(0, depth - 1)
        at += 1
    hint = f"close the text that begins with {quote}" if quote else "put }} after the expression"
    raise Miswritten("template_braces", "this {{ is never closed", hint, opening)


def _hole(text: str, opening: int, closing: int) -> Hole:
    inside = text[opening + 2 : closing]
    if inside[:1] in ("-", "+") or inside[-1:] in ("-", "+"):
        raise Miswritten(
            "template_braces",
            "signs at the braces, as in {{- x -}}, mean nothing here",
            "write {{ x }} with spaces inside the braces",
            opening,
            3,
        )
    source = inside.strip()
    if not source:
        raise Miswritten(
            "template_braces", "there is nothing between {{ and }}", "name a value or leave the braces out", opening
        )
    return Hole(source, opening + 2 + len(inside) - len(inside.lstrip()))
