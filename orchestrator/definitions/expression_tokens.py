"""The text of an expression as Jinja's tokens with their offsets, and the bounds that protect its parser.

Jinja numbers its nodes by line. Each token here carries its offset where Jinja keeps the line, so that every node of
its tree knows where it begins; hence no line is ever reported by Jinja's own errors either, but an offset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from jinja2 import Environment, TemplateSyntaxError
from jinja2.lexer import Token as JinjaToken
from jinja2.lexer import TokenStream

from orchestrator.core.expression.values import LARGEST_INTEGER, LONGEST_TEXT
from orchestrator.errors import OrchestratorError

LONGEST_SOURCE: Final = 4_000
DEEPEST: Final = 32

_KNOWN_ESCAPES: Final = frozenset("\\'\"abfnrtvxuUN01234567\n")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_OPERAND_ENDS: Final = frozenset({"name", "string", "integer", "float", ")", "]", "}"})
_WAYS_OUT: Final = {
    "&": "write 'and'",
    "!": "write 'not', or '!=' for unequal",
    "?": "write: a if condition else b",
    "#": "a comment of YAML begins with a space and #; a text stands in quotes",
    "$": "names are written without signs",
    "`": "a text stands in 'single' or \"double\" quotes",
    "'": "a quote begins here that never ends",
    '"': "a quote begins here that never ends",
    "“": "use straight quotes",
    "”": "use straight quotes",
    "‘": "use straight quotes",
    "’": "use straight quotes",
    "@": "a text stands in quotes",
    "^": "'^' has no meaning; multiply instead",
    "\\": "a backslash has a meaning inside quotes only",
}


class ExpressionSyntax(OrchestratorError):
    """An expression that cannot be read. `offset` counts from the start of its source, from 0; `hint` is the way out;
    `code` is stable (syntax, expression_too_large, unknown_function, unknown_filter)."""

    exit_code = 1

    def __init__(self, message: str, offset: int = 0, hint: str | None = None, code: str = "syntax") -> None:
        self.message, self.offset, self.hint, self.code = message, offset, hint, code
        super().__init__(f"{message}; {hint}" if hint else message)


@dataclass(frozen=True, slots=True)
class Token:
    """One token as Jinja's lexer cuts it. `kind` is an operator's own characters, else name, string, integer, float."""

    offset: int
    kind: str
    text: str


def tokens_of(source: str, environment: Environment) -> list[Token]:
    """The tokens without white space. Raises ExpressionSyntax: too long, unreadable, braces, unfitting brackets."""
    if len(source) > LONGEST_SOURCE:
        raise ExpressionSyntax(
            f"the expression has {len(source)} characters, more than {LONGEST_SOURCE}",
            LONGEST_SOURCE,
            "name its parts under vars:",
            "expression_too_large",
        )
    found: list[Token] = []
    place = 0
    try:
        for _, kind, text in environment.lexer.tokeniter(_one_kind_of_line_ends(source), None, state="variable"):
            if kind == "variable_end":
                raise ExpressionSyntax("an expression is written without braces here", place, "leave out {{ and }}")
            if kind != "whitespace":
                found.append(Token(place, text if kind == "operator" else kind, text))
            place += len(text)
    except TemplateSyntaxError as error:
        raise _unreadable(source, place, error.message or "") from None
    if not found:
        raise ExpressionSyntax("an expression is missing", 0, "write one such as customer.tier == 'gold'")
    _refuse_braces(found)
    return found


def _one_kind_of_line_ends(source: str) -> str:
    """Jinja makes one character of a carriage return and a line feed; here every offset has to stay."""
    return source.replace("\r\n", " \n").replace("\r", "\n")


def _unreadable(source: str, place: int, message: str) -> ExpressionSyntax:
    char = source[place : place + 1]
    if message.startswith("unexpected char"):
        shown = f"'{char}'" if char.isprintable() and char != "'" else ascii(char)
        if char in ("'", '"'):
            return ExpressionSyntax("a text is not closed", place, _WAYS_OUT[char])
        return ExpressionSyntax(f"{shown} has no meaning here", place, _WAYS_OUT.get(char))
    if "expected" in message and char:
        return ExpressionSyntax(message, place, "every bracket is closed by its own kind")
    return ExpressionSyntax(f"'{char}' closes no bracket", place, "every bracket is closed by its own kind")


def _refuse_braces(tokens: list[Token]) -> None:
    for token, following in pairwise(tokens):
        beside = following.offset == token.offset + 1
        if token.kind == "{" and following.kind == "{" and beside:
            raise ExpressionSyntax("an expression is written without braces here", token.offset, "leave out {{ and }}")
        if token.kind == "{" and following.kind == "%" and beside:
            raise ExpressionSyntax(
                "statements such as {% if %} cannot stand in an expression",
                token.offset,
                "write: a if condition else b",
            )


def check_levels(tokens: list[Token]) -> None:
    """Counts levels before anything recurses: open brackets, and in each of them what nests without one: the links of
    a chain (`a.b | c`) and signs up to the next operator, `not` up to the next `and`, `else` up to the next comma.
    Raises ExpressionSyntax beyond 32."""
    nested = [[0, 0, 0]]  # chain, nots, elses of each open bracket
    level = 0
    after_operand = False
    for token in tokens:
        if token.kind in (")", "]", "}") and len(nested) > 1:
            level -= sum(nested.pop()) + 1
        ends, adds = _nesting(token, after_operand)
        for place in range(ends):
            level -= nested[-1][place]
            nested[-1][place] = 0
        if adds is not None:
            nested[-1][adds] += 1
            level += 1
        if token.kind in ("(", "[", "{"):
            nested.append([0, 0, 0])
            level += 1
        if level > DEEPEST:
            raise ExpressionSyntax(
                f"the expression is nested more than {DEEPEST} levels deep",
                token.offset,
                "name its parts under vars:",
                "expression_too_large",
            )
        after_operand = token.kind in _OPERAND_ENDS and not (token.kind == "name" and token.text in _WORDS)


_CHAIN, _NOTS, _ELSES = range(3)
_WORDS: Final = frozenset({"and", "or", "not", "in", "if", "else", "is"})
_OPERATORS: Final = frozenset({"+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "**"})


def _nesting(token: Token, after_operand: bool) -> tuple[int, int | None]:
    """How many of (chain, nots, elses) a token ends, from the first on, and which of them it makes one deeper."""
    if token.kind in (".", "|") or (token.kind == "[" and after_operand):
        return 0, _CHAIN
    if token.kind in ("+", "-") and not after_operand:
        return 0, _CHAIN
    if token.kind in _OPERATORS:
        return 1, None
    if token.kind == ",":
        return 3, None
    if token.kind == "name" and token.text in _WORDS:
        return {
            "is": (0, _CHAIN),
            "in": (1, None),
            "not": (0, None) if after_operand else (1, _NOTS),
            "else": (2, _ELSES),
        }.get(token.text, (2, None))
    return 0, None


def stream_of(tokens: list[Token], environment: Environment) -> TokenStream:
    """The tokens as Jinja's parser takes them, each with its offset in place of its line."""

    def raw() -> Iterator[tuple[int, str, str]]:
        for token in tokens:
            kind = "operator" if token.kind == token.text and token.kind not in _OPERAND_KINDS else token.kind
            yield token.offset, kind, _escaped(token.text) if kind == "string" else token.text

    return TokenStream(_checked(environment, raw()), None, None)


_OPERAND_KINDS: Final = frozenset({"name", "string", "integer", "float"})


def _checked(environment: Environment, raw: Iterator[tuple[int, str, str]]) -> Iterator[JinjaToken]:
    for token in environment.lexer.wrap(raw, None, None):
        value: object = token.value
        offset = token.lineno
        if isinstance(value, int) and value > LARGEST_INTEGER + 1:
            raise ExpressionSyntax(
                "the number is beyond the 64 bits of an integer", offset, code="expression_too_large"
            )
        if isinstance(value, float) and value - value != 0:
            raise ExpressionSyntax("the number is beyond all bounds", offset, code="expression_too_large")
        if token.type == "string":
            _check_text(token.value, offset)
        yield token


def _escaped(text: str) -> str:
    """Unknown escapes stand for themselves (`'\\d'`), as they do in Jinja, but without a warning of Python's."""
    return _ESCAPE.sub(lambda found: found[0] if found[1] in _KNOWN_ESCAPES else "\\" + found[0], text)


def _check_text(text: str, offset: int) -> None:
    if len(text) > LONGEST_TEXT:
        raise ExpressionSyntax(f"the text has more than {LONGEST_TEXT} characters", offset, code="expression_too_large")
    for char in text:
        if char == "\0" or "\ud800" <= char <= "\udfff":
            raise ExpressionSyntax(f"the text holds {char!a}, which no database can store", offset)
