"""From a place inside a scalar's text to the place in the file: through quotes, escapes and folded lines.

A scalar's value is its source with the white space changed (folding, indentation) and, in quotes, escapes resolved;
everything else stands in both in the same order. So the two are walked side by side.
"""

from __future__ import annotations

_BLANK = " \t\n"
_ESCAPE_DIGITS = {"x": 2, "u": 4, "U": 8}


def source_index(source: str, start: int, style: str, value: str, offset: int) -> int:
    """The index in `source` of `value[offset]`, where the scalar of `style` begins at index `start`.

    `style` is plain, single, double, literal or folded. An offset past the end gives the place just behind the text.
    """
    offset = max(0, min(offset, len(value)))
    if style == "plain" and "\n" not in source[start : start + offset + 1]:
        return min(start + offset, len(source))
    at = _content_start(source, start, style)
    for char in value[:offset]:
        at = _step(source, _here(source, at, style, char), style, char)
    return min(_here(source, at, style, value[offset]) if offset < len(value) else at, len(source))


def _content_start(source: str, start: int, style: str) -> int:
    if style in ("single", "double"):
        return start + 1
    if style in ("literal", "folded"):
        end = source.find("\n", start)
        return len(source) if end < 0 else end + 1
    return start


def _here(source: str, at: int, style: str, char: str) -> int:
    """Where `char` stands, at or behind `at`: behind white space that was folded away."""
    while at < len(source):
        if style == "double" and source.startswith("\\\n", at):
            at += 2
            while at < len(source) and source[at] in _BLANK:
                at += 1
            continue
        if source[at] in _BLANK and char not in _BLANK:
            at += 1
            continue
        return at
    return at


def _step(source: str, at: int, style: str, char: str) -> int:
    """Behind the character of the source that stands for `char`."""
    if at >= len(source):
        return at
    if style == "double" and source[at] == "\\":
        return at + 2 + _ESCAPE_DIGITS.get(source[at + 1 : at + 2], 0)
    if style == "single" and char == "'":
        return at + 2
    if char in _BLANK and source[at] not in _BLANK:
        return at
    return at + 1
