"""What YAML would cut out of an unquoted expression in silence: at a comma inside { } or [ ], at ` #`, at `: `.

Each cut is the problem `expression_cut` with the way out that fits.
"""

from __future__ import annotations

import re

EXPRESSION_KEYS = frozenset(
    {
        "if",
        "when",
        "where",
        "while",
        "skip_if",
        "key",
        "value",
        "currency",
        "until",
        "for",
        "offset",
        "timezone",
        "vars",
    }
)
"""Keys whose values are expressions (the language reference, section 1); under `vars` every value is one."""

CODE = "expression_cut"
COMMA = "a comma ends a value inside { }; put the expression on its own line"
COMMA_IN_TEXT = "a comma ends a value inside { }; quote the text as a whole"
BRACKET = "a bracket or brace cannot stand in an unquoted value inside { }; put the expression on its own line"
QUOTE_START = "a value that starts with a quote ends at the closing quote; quote it as a whole or write it under >-"
BRACKET_START = "a value that starts with a bracket ends at the closing one; quote it as a whole or write it under >-"
COLON = "': ' ends an unquoted value; quote it as a whole or write it under >-"
HASH = "' #' starts a comment; quote the expression as a whole or write it under >-"

_OPERATOR_CHARACTERS = re.compile(r"[()<>='\"|~+]|\b(?:and|or|not|in|is)\b")
_UNFINISHED = re.compile(r"(?:[=<>+\-*/%~|,(\[{]|\b(?:and|or|not|in|is|if|else))\s*$")


def cut_at_comma(before: str, after: str) -> bool:
    """Whether `before` and `after`, split at a comma of { } or [ ], were one expression."""
    return open_ended(before) or (bool(_OPERATOR_CHARACTERS.search(after)) and _closes_more(after))


def cut_at_comment(value: str) -> bool:
    """Whether an expression that a ` #` follows ends in the middle."""
    return open_ended(value) or bool(_UNFINISHED.search(value))


def open_ended(text: str) -> bool:
    """Has a quote, bracket or brace that is opened and not closed."""
    depth = 0
    quote = ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
    return bool(quote) or depth > 0


def _closes_more(text: str) -> bool:
    return sum(text.count(char) for char in ")]}") > sum(text.count(char) for char in "([{")
