"""The text of an expression as tokens with their offsets, and the bounds that protect its grammar.

The tokens are Jinja's, so that an expression reads the same in a file and in a template.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, NamedTuple

from orchestrator.errors import OrchestratorError

LONGEST_SOURCE: Final = 4_000
DEEPEST: Final = 32

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


_DIGITS: Final = r"(?:\d+_)*\d+"
_TOKEN: Final = re.compile(
    r"(\s*)(?:"
    rf"((?<!\.){_DIGITS}(?:(?:\.{_DIGITS})?[eE][+\-]?{_DIGITS}|\.{_DIGITS}))"
    r"|(0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\da-fA-F])+|[1-9](?:_?\d)*|0(?:_?0)*)"
    r"|(\w+)"
    r"""|('[^'\\]*(?:\\(?:.|\n)[^'\\]*)*'|"[^"\\]*(?:\\(?:.|\n)[^"\\]*)*")"""
    r"|(//|\*\*|==|!=|>=|<=|[-+/*%~[\](){}<>=.:|,;])"
    r")"
)
"""White space, then a float, integer, name, string or operator: Jinja's patterns in the order in which its lexer tries
them. Its names take a few rare characters more."""
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


def tokens_of(source: str) -> list[Token]:
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
        found = _cut_by_jinja(source, text)
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
    for space, decimal, integer, name, string, operator in _TOKEN.findall(text):
        place += len(space)
        if name:
            found.append(Token(place, "name", name))
            place += len(name)
        elif operator:
            if operator in _CLOSED_BY:
                closing.append(_CLOSED_BY[operator])
            elif operator in _CLOSING and (not closing or closing.pop() != operator):
                return None
            found.append(Token(place, operator, operator))
            place += len(operator)
        else:
            kind = "string" if string else "integer" if integer else "float"
            found.append(Token(place, kind, string or integer or decimal))
            place += len(string or integer or decimal)
    return found if place == len(text.rstrip()) else None


def _cut_by_jinja(source: str, text: str) -> list[Token]:
    """The tokens by Jinja's own lexer, for the sake of its complaints, and of names in rare scripts."""
    from jinja2 import Environment, TemplateSyntaxError  # needed by mistakes alone

    found: list[Token] = []
    place = 0
    try:
        for _, kind, word in Environment().lexer.tokeniter(text, None, state="variable"):
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
    if 2 * len(tokens) <= DEEPEST or 2 * sum(token.text in _DEEPER for token in tokens) <= DEEPEST:
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
