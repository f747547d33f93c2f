"""What the texts and numbers of an expression stand for, as Jinja has it."""

from __future__ import annotations

import re
from typing import Any, Final

from orchestrator.core.expression.values import LARGEST_INTEGER, LONGEST_TEXT
from orchestrator.definitions.expression_tokens import ExpressionSyntax, Token

_KNOWN_ESCAPES: Final = frozenset("\\'\"abfnrtvxuUN01234567\n")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def value_of(token: Token) -> Any:
    """The value of a text or number, or the word that a name is. Raises ExpressionSyntax."""
    offset, kind, text = token
    match kind:
        case "string":
            value = text[1:-1] if "\\" not in text else _unescaped(text, offset)
            _check_text(value, offset)
            return value
        case "integer":
            integer = int(text.replace("_", ""), 0)
            if integer > LARGEST_INTEGER + 1:  # one more: a sign may stand before it
                message = "the number is beyond the 64 bits of an integer"
                raise ExpressionSyntax(message, offset, code="expression_too_large")
            return integer
        case "float":
            number = float(text.replace("_", ""))
            if number - number != 0:
                raise ExpressionSyntax("the number is beyond all bounds", offset, code="expression_too_large")
            return number
        case _:
            if not text.isidentifier():
                raise ExpressionSyntax(f"'{text}' is no name", offset)
            return text


def _unescaped(text: str, offset: int) -> str:
    """Unknown escapes stand for themselves (`'\\d'`), as they do in Jinja, but without a warning of Python's."""
    known = _ESCAPE.sub(lambda found: found[0] if found[1] in _KNOWN_ESCAPES else "\\" + found[0], text)
    try:
        return known[1:-1].encode("ascii", "backslashreplace").decode("unicode-escape")
    except UnicodeDecodeError as error:
        raise ExpressionSyntax(str(error).rpartition(":")[2].strip(), offset) from None


def _check_text(text: str, offset: int) -> None:
    if len(text) > LONGEST_TEXT:
        raise ExpressionSyntax(f"the text has more than {LONGEST_TEXT} characters", offset, code="expression_too_large")
    if bad := _UNSTORABLE.search(text):
        raise ExpressionSyntax(f"the text holds {bad[0]!a}, which no database can store", offset)
