"""Cells of CSV files that a spreadsheet would compute: made harmless when they are written, and read as they were.

A cell that begins as a formula does (with = + - @, a tab or a carriage return, or their full-width twins) gets an
apostrophe before it; so does one that looks as if it had got one, so that reading takes back exactly what writing did.
Numbers and phone numbers stay: a sign and digits compute nothing.
"""

from __future__ import annotations

import re
from typing import Final

_STARTS: Final = "=+@\\t\\r\\n\\-\uff1d\uff0b\uff0d\uff20\u2212"
_marked: Final = re.compile(f"'*[{_STARTS}]").match
_number: Final = re.compile(r"[+-]\d[\d .]*\Z").match


def harmless(text: str) -> str:
    """A cell's text as what no spreadsheet takes for a formula."""
    return f"'{text}" if _marked(text) and not _number(text) else text


def as_it_was(text: str) -> str:
    """The text of a cell that `harmless` wrote."""
    return text[1:] if text[:1] == "'" and _marked(text, 1) else text
