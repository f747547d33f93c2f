"""The text of an expression as Jinja's tokens with their offsets, and the bounds that protect its parser.

Jinja numbers its nodes by line. Each token here carries its offset where Jinja keeps the line, so that every node of
its tree knows where it begins; hence no line is ever reported by Jinja's own errors either, but an offset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jinja2 import Environment, TemplateSyntaxError
from jinja2.lexer import TokenStream

from orchestrator.core.expression.values import LARGEST_INTEGER, LONGEST_TEXT
from orchestrator.errors import OrchestratorError

LONGEST_SOURCE: Final = 4_000
DEEPEST: Final = 32

_KNOWN_ESCAPES: Final = frozenset("\\'\"abfnrtvxuUN01234567\n")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_OPERAND_ENDS: Final = frozenset({"name", "string", "integer", "float", ")", "]", "}"})
_WORDS_BEFORE_OPERANDS: Final = frozenset({"and", "or", "not", "in", "if", "else", "is"})
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
    """The tokens without white space. Raises ExpressionSyntax: too long, unreadable, braces, brackets that do not fit."""
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
    for token, following in zip(tokens, tokens[1:], strict=False):
        beside = following.offset == token.offset + 1
        if token.kind == "{" and following.kind == "{" and beside:
            raise ExpressionSyntax("an expression is written without braces here", token.offset, "leave out {{ and }}")
        if token.kind == "{" and following.kind == "%" and beside:
            raise ExpressionSyntax(
                "statements such as {% if %} cannot stand in an expression", token.offset, "write: a if condition else b"
            )


def check_levels(tokens: list[Token]) -> None:
    """Counts levels before anything recurses: open brackets, and within each the signs, `not`, `else`, and the links
    of a chain such as `a.b | c`. Raises ExpressionSyntax beyond 32."""
    links = [0]  # of the operand at hand, one count for each open bracket
    level = 0
    previous: Token | None = None
    for token in tokens:
        after_operand = previous is not None and _ends_operand(previous)
        if token.kind in (")", "]", "}"):
            if len(links) > 1:
                level -= links.pop() + 1
        elif _is_link(token, after_operand):
            links[-1] += 1
            level += 1
        elif _ends_links(token):
            level -= links[-1]
            links[-1] = 0
        if token.kind in ("(", "[", "{"):
            links.append(0)
            level += 1
        if level > DEEPEST:
            raise ExpressionSyntax(
                f"the expression is nested more than {DEEPEST} levels deep",
                token.offset,
                "name its parts under vars:",
                "expression_too_large",
            )
        previous = token


def _ends_operand(token: Token) -> bool:
    return token.kind in _OPERAND_ENDS and not (token.kind == "name" and token.text in _WORDS_BEFORE_OPERANDS)


def _is_link(token: Token, after_operand: bool) -> bool:
    """Goes one level deeper in the parser or in its tree without a bracket of its own."""
    if token.kind in (".", "|"):
        return True
    if token.kind in ("+", "-"):
        return not after_operand
    return token.kind == "name" and token.text in ("not", "else", "is")


def _ends_links(token: Token) -> bool:
    """A new operand begins: the chain before it is over. `else` and `not` go on to the right, so these count on."""
    if token.kind == "name":
        return token.text in ("and", "or")
    return token.kind == ","


def stream_of(tokens: list[Token], environment: Environment) -> TokenStream:
    """The tokens as Jinja's parser takes them, each with its offset in place of its line."""

    def raw() -> Iterator[tuple[int, str, str]]:
        for token in tokens:
            kind = "operator" if token.kind == token.text and token.kind not in _OPERAND_KINDS else token.kind
            yield token.offset, kind, _escaped(token.text) if kind == "string" else token.text

    return TokenStream(_checked(environment, raw()), None, None)


_OPERAND_KINDS: Final = frozenset({"name", "string", "integer", "float"})


def _checked(environment: Environment, raw: Iterator[tuple[int, str, str]]) -> Iterator[Token]:
    for token in environment.lexer.wrap(raw, None, None):
        value: object = token.value
        offset = token.lineno
        if isinstance(value, int) and value > LARGEST_INTEGER + 1:
            raise ExpressionSyntax("the number is beyond the 64 bits of an integer", offset, code="expression_too_large")
        if isinstance(value, float) and value - value != 0:
            raise ExpressionSyntax("the number is beyond all bounds", offset, code="expression_too_large")
        if token.type == "string":
            _check_text(token.value, offset)
        yield token  # type: ignore[misc]  # Jinja's token, not ours


def _escaped(text: str) -> str:
    """Unknown escapes stand for themselves (`'\\d'`), as they do in Jinja, but without a warning of Python's."""
    return _ESCAPE.sub(lambda found: found[0] if found[1] in _KNOWN_ESCAPES else "\\" + found[0], text)


def _check_text(text: str, offset: int) -> None:
    if len(text) > LONGEST_TEXT:
        raise ExpressionSyntax(f"the text has more than {LONGEST_TEXT} characters", offset, code="expression_too_large")
    for char in text:
        if char == "\0" or "\ud800" <= char <= "\udfff":
            raise ExpressionSyntax(f"the text holds {ascii(char)}, which no database can store", offset)
