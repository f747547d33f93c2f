"""How wide text is when nobody can be asked: from above, so that it never leaves its box whatever font is there."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

MONO_EM = 0.62
"""Width of a character of a monospaced font, in ems; the usual ones have 0.55 to 0.61."""

_NARROW = frozenset("iIjl.,:;'|!()[]{}`/\\ftr -")
_WIDE = frozenset("mwMWGOQ@%&—…")


class Font(NamedTuple):
    """Size in pixels; monospaced or proportional; bold is a little wider."""

    size: float
    mono: bool = False
    bold: bool = False


def text_width(text: str, font: Font) -> float:
    """Pixels that `text` takes at most."""
    ems = sum(_ems(char, font.mono) for char in text)
    return ems * font.size * (1.1 if font.bold else 1.0)


def _ems(char: str, mono: bool) -> float:
    if char.isascii():
        if mono:
            return MONO_EM
        if char in _NARROW:
            return 0.42
        if char in _WIDE:
            return 1.0
        return 0.72 if char.isupper() else 0.64
    if unicodedata.combining(char):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return 2 * MONO_EM if mono else 1.05
    # Emoji of one column, arrows, letters of other scripts: wider than Latin ones in most fonts.
    return 1.0


def wrapped(text: str, font: Font, widest: float, most_lines: int) -> list[str]:
    """The text in lines of at most `widest` pixels, broken at spaces where there are some; the last ends in `…` if more
    would have followed."""
    lines: list[str] = []
    rest = visible(text)
    while rest and len(lines) < most_lines:
        line, rest = _first_line(rest, font, widest)
        lines.append(line)
    if rest and lines:
        last = lines[-1]
        while last and text_width(last + "…", font) > widest:
            last = last[:-1]
        lines[-1] = last.rstrip() + "…"
    return lines or [""]


def visible(text: str) -> str:
    """One line; without what XML cannot hold, or what would turn the text's direction or hide."""
    shown = (char if char.isprintable() or char == " " else " " for char in text)
    return " ".join("".join(shown).split())


def _first_line(text: str, font: Font, widest: float) -> tuple[str, str]:
    if text_width(text, font) <= widest:
        return text, ""
    width, fits = 0.0, 0
    scale = font.size * (1.1 if font.bold else 1.0)
    for char in text:
        width += _ems(char, font.mono) * scale
        if width > widest:
            break
        fits += 1
    fits = max(fits, 1)
    at = _last_break(text, fits)
    return text[:at].rstrip(), text[at:].lstrip()


def _last_break(text: str, fits: int) -> int:
    """Where to break a text of which `fits` characters fit: after a space, after a CJK character, else anywhere."""
    for at in range(fits, max(fits // 2, 1), -1):
        if text[at : at + 1] == " " or text[at - 1] == " " or unicodedata.east_asian_width(text[at - 1]) in "WF":
            return at
    for at in range(fits, max(fits // 2, 1), -1):
        if text[at - 1] in ".,_-/=(|":
            return at
    return fits
