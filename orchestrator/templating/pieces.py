"""A template as a list of pieces: plain text, and the tags that stand in it.

Splitting first and parsing later lets MJML and the CSS inliner work on the text while each tag is held as one unit,
already cut into tokens that know their place in the file. Nothing that passes through those tools is ever read for
tags again, so text that looks like a tag afterwards stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from jinja2 import TemplateSyntaxError
from jinja2.lexer import Lexer

RawToken: TypeAlias = tuple[int, str, str]
"""(mark, token type, source text), as Jinja's lexer yields them, with a mark in place of the line."""

DEEPEST_BRACKETS = 32
MOST_TOKENS = 2_000
"""In one tag. Counted before anything is parsed."""


class Data(NamedTuple):
    """Text that is written as it stands. `mark` is where it begins in its file."""

    text: str
    mark: int


class Atom(NamedTuple):
    """One tag. `kind` output is ``{{ }}``, block is ``{% %}``; `word` is a block's first word (`if`, `endfor`, ...)."""

    kind: Literal["output", "block"]
    word: str
    tokens: tuple[RawToken, ...]
    mark: int

    def guarded(self, filter_name: str) -> Atom:
        """The same output tag with a filter of ours around its whole expression."""
        first, last, mark = self.tokens[0], self.tokens[-1], self.mark
        opening: RawToken = (mark, "operator", "(")
        closing: tuple[RawToken, ...] = ((mark, "operator", ")"), (mark, "operator", "|"), (mark, "name", filter_name))
        return self._replace(tokens=(first, opening, *self.tokens[1:-1], *closing, last))

    @property
    def last_filter(self) -> str | None:
        """The name after the last top-level ``|`` without anything behind it but arguments, else None."""
        depth = 0
        name: str | None = None
        await_name = False
        for _, kind, text in self.tokens[1:-1]:
            if kind == "whitespace":
                continue
            if await_name and kind == "name":
                name, await_name = text, False
                continue
            if text in "([{" and kind == "operator":
                depth += 1
            elif text in ")]}" and kind == "operator":
                depth -= 1
            elif depth == 0:
                name, await_name = None, text == "|" and kind == "operator"
        return name


Piece: TypeAlias = Data | Atom


class PieceError(Exception):
    """The text cannot be cut into pieces; `mark` is where."""

    def __init__(self, message: str, mark: int, hint: str | None = None) -> None:
        self.message = message
        self.mark = mark
        self.hint = hint
        super().__init__(message)


def split(text: str, mark: int, lexer: Lexer, exact: bool = True) -> list[Piece]:
    """Cut `text`, whose first character is at `mark`, into pieces; comments disappear.

    With `exact` False (a front-matter value written with escapes) every token points at `mark` itself.
    Raises PieceError.
    """
    try:
        tokens = _located(text, mark, lexer, exact)
    except TemplateSyntaxError as error:
        message = (error.message or "unreadable tag").replace(
            "Missing end of comment tag", "this comment is never closed"
        )
        raise PieceError(message, _line_mark(text, mark, error, exact), _hint(error)) from None
    return _grouped(tokens)


def _located(text: str, mark: int, lexer: Lexer, exact: bool) -> list[RawToken]:
    """Jinja's tokens with their offset; they appear in order, and what lies between them is white space or comments."""
    found: list[RawToken] = []
    at = 0
    for _, kind, value in lexer.tokeniter(text, None):
        if kind != "whitespace":
            place = text.find(value, at)
            if place >= 0:
                at = place
        found.append((mark + at if exact else mark, kind, value))
        at += len(value) if kind != "whitespace" else 0
    return found


def _grouped(tokens: Iterable[RawToken]) -> list[Piece]:
    pieces: list[Piece] = []
    tag: list[RawToken] = []
    comment: int | None = None
    for token in tokens:
        at, kind, value = token
        if kind == "comment_begin":
            comment = at
        elif kind == "comment_end":
            comment = None
        elif comment is not None or kind in ("raw_begin", "raw_end"):
            continue
        elif kind == "data":
            if value:
                pieces.append(Data(value, at))
        elif kind in ("variable_begin", "block_begin"):
            tag = [token]
        else:
            tag.append(token)
            if kind in ("variable_end", "block_end"):
                pieces.append(_atom(tag))
                tag = []
    if tag:
        raise PieceError("this tag is never closed", tag[0][0], "close it with }} or %}")
    if comment is not None:
        raise PieceError("this comment is never closed", comment, "close it with #}")
    return pieces


def _atom(tag: list[RawToken]) -> Atom:
    mark = tag[0][0]
    depth = 0
    for at, kind, value in tag:
        if kind == "operator":
            depth += (value in "([{") - (value in ")]}")
            if depth > DEEPEST_BRACKETS:
                raise PieceError(
                    f"brackets are nested more than {DEEPEST_BRACKETS} deep", at, "simplify the expression"
                )
    if len(tag) > MOST_TOKENS:
        raise PieceError(f"this tag has more than {MOST_TOKENS} words", mark, "simplify the expression")
    if tag[0][1] == "variable_begin":
        return Atom("output", "", tuple(tag), mark)
    word = next((value for _, kind, value in tag[1:] if kind == "name"), "")
    return Atom("block", word, tuple(tag), mark)


def _line_mark(text: str, mark: int, error: TemplateSyntaxError, exact: bool) -> int:
    if not exact:
        return mark
    named = re.search(r" at (\d+)$", error.message or "")
    if named:
        return mark + int(named.group(1))
    start = 0
    for _ in range(error.lineno - 1):
        start = text.find("\n", start) + 1
    stop = text.find("\n", start)
    line = text[start : stop if stop >= 0 else len(text)]
    tag = re.search(r"\{[{%#]", line)
    return mark + start + (tag.start() if tag else 0)


def _hint(error: TemplateSyntaxError) -> str | None:
    if "unexpected char '&'" in (error.message or ""):
        return "inside {{ }} and {% %} write <, > and & as they are, not as &lt;"
    return None
