"""The text of an expression as Jinja's tokens with their offsets, and the bounds that protect its parser.

Jinja numbers its nodes by line. Each token here carries its offset where Jinja keeps the line, so that every node of
its tree knows where it begins; hence no line is ever reported by Jinja's own errors either, but an offset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

from jinja2 import Environment, TemplateSyntaxError
from jinja2.lexer import Token as JinjaToken
from jinja2.lexer import TokenStream, float_re, integer_re, operator_re, operators, string_re

from orchestrator.core.expression.values import LARGEST_INTEGER, LONGEST_TEXT
from orchestrator.errors import OrchestratorError

LONGEST_SOURCE: Final = 4_000
DEEPEST: Final = 32

_KNOWN_ESCAPES: Final = frozenset("\\'\"abfnrtvxuUN01234567\n")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
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


_TOKEN: Final = re.compile(
    r"(?P<whitespace>\s+)"
    rf"|(?P<float>(?ix:{float_re.pattern}))"
    rf"|(?P<integer>(?ix:{integer_re.pattern}))"
    r"|(?P<name>\w+)"
    rf"|(?P<string>(?s:{string_re.pattern}))"
    rf"|(?P<operator>{operator_re.pattern})"
)
"""Jinja's own patterns in the order in which its lexer tries them; its names take a few rare characters more."""
_CLOSED_BY: Final = {"(": ")", "[": "]", "{": "}"}
_CLOSING: Final = frozenset(_CLOSED_BY.values())


class ExpressionSyntax(OrchestratorError):
    """An expression that cannot be read. `offset` counts from the start of its source, from 0; `hint` is the way out;
    `code` is stable (syntax, expression_too_large, unknown_function, unknown_filter)."""

    exit_code = 1

    def __init__(self, message: str, offset: int = 0, hint: str | None = None, code: str = "syntax") -> None:
        self.message, self.offset, self.hint, self.code = message, offset, hint, code
        super().__init__(f"{message}; {hint}" if hint else message)


class Token(NamedTuple):
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
    text = _one_kind_of_line_ends(source)
    found = _cut(text)
    if found is None:
        found = _cut_by_jinja(source, text, environment)
    if not found:
        raise ExpressionSyntax("an expression is missing", 0, "write one such as customer.tier == 'gold'")
    if "{" in text:
        _refuse_braces(found)
    return found


def _cut(text: str) -> list[Token] | None:
    """The tokens; None where there is a character that none of them takes, or a bracket that does not fit."""
    found: list[Token] = []
    place = 0
    closing: list[str] = []
    for match in _TOKEN.finditer(text):
        if match.start() != place:
            return None
        kind, word, start, place = match.lastgroup or "", match[0], place, match.end()
        if kind == "whitespace":
            continue
        if kind == "operator":
            kind = word
            if word in _CLOSED_BY:
                closing.append(_CLOSED_BY[word])
            elif word in _CLOSING and (not closing or closing.pop() != word):
                return None
        found.append(Token(start, kind, word))
    return found if place == len(text) else None


def _cut_by_jinja(source: str, text: str, environment: Environment) -> list[Token]:
    """The tokens by Jinja's own lexer, for the sake of its complaints, and of names in rare scripts."""
    found: list[Token] = []
    place = 0
    try:
        for _, kind, word in environment.lexer.tokeniter(text, None, state="variable"):
            if kind == "variable_end":
                raise ExpressionSyntax("an expression is written without braces here", place, "leave out {{ and }}")
            if kind != "whitespace":
                found.append(Token(place, word if kind == "operator" else kind, word))
            place += len(word)
    except TemplateSyntaxError as error:
        raise _unreadable(source, place, error.message or "") from None
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
    if 2 * sum(token.text in _DEEPER for token in tokens) <= DEEPEST:
        return
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
        after_operand = token.kind in _OPERAND_ENDS and not (token.kind == "name" and token.text in WORDS)


_DEEPER: Final = frozenset({"(", "[", "{", ".", "|", "+", "-", "is", "not", "else"})
"""What can make a level; none makes more than two."""
_CHAIN, _NOTS, _ELSES = range(3)
WORDS: Final = frozenset({"and", "or", "not", "in", "if", "else", "is"})
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
    if token.kind == "name" and token.text in WORDS:
        return {
            "is": (0, _CHAIN),
            "in": (1, None),
            "not": (0, None) if after_operand else (1, _NOTS),
            "else": (2, _ELSES),
        }.get(token.text, (2, None))
    return 0, None


def stream_of(tokens: list[Token], environment: Environment) -> TokenStream:
    """The tokens as Jinja's parser takes them, each with its offset in place of its line."""
    return TokenStream(_for_jinja(tokens, environment), None, None)


def _for_jinja(tokens: list[Token], environment: Environment) -> Iterator[JinjaToken]:
    for offset, kind, text in tokens:
        if kind == "name" and text.isidentifier():
            yield JinjaToken(offset, kind, text)
        elif kind in operators:
            yield JinjaToken(offset, operators[kind], text)
        else:
            yield JinjaToken(offset, kind, _value(offset, kind, text, environment))


def _value(offset: int, kind: str, text: str, environment: Environment) -> Any:
    """What a text or number stands for, as Jinja's lexer has it. Raises ExpressionSyntax."""
    if kind == "string" and "\\" not in text:
        value: Any = text[1:-1]
    else:
        raw = iter([(offset, kind, _escaped(text) if kind == "string" else text)])
        value = next(environment.lexer.wrap(raw)).value
    if kind == "string":
        _check_text(value, offset)
    elif isinstance(value, int) and value > LARGEST_INTEGER + 1:
        raise ExpressionSyntax("the number is beyond the 64 bits of an integer", offset, code="expression_too_large")
    elif isinstance(value, float) and value - value != 0:
        raise ExpressionSyntax("the number is beyond all bounds", offset, code="expression_too_large")
    return value


def _escaped(text: str) -> str:
    """Unknown escapes stand for themselves (`'\\d'`), as they do in Jinja, but without a warning of Python's."""
    return _ESCAPE.sub(lambda found: found[0] if found[1] in _KNOWN_ESCAPES else "\\" + found[0], text)


def _check_text(text: str, offset: int) -> None:
    if len(text) > LONGEST_TEXT:
        raise ExpressionSyntax(f"the text has more than {LONGEST_TEXT} characters", offset, code="expression_too_large")
    if bad := _UNSTORABLE.search(text):
        raise ExpressionSyntax(f"the text holds {bad[0]!a}, which no database can store", offset)
