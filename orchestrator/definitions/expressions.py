"""From the text of an expression to its tree: Jinja's own parser, then a whitelist of its nodes.

What Jinja can read and the language does not have (methods, `**`, slices, tests but `is none`) is refused here with
the way out, before anything is evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream, describe_token
from jinja2.parser import Parser

from orchestrator.core.expression.evaluate import NO_VARS
from orchestrator.core.expression.expr import Expr, TooMuchWork, compiled
from orchestrator.core.expression.nodes import Node
from orchestrator.core.expression.scope import Evaluator
from orchestrator.core.expression.types import Types
from orchestrator.definitions.expression_tokens import ExpressionSyntax, Token, check_levels, stream_of, tokens_of
from orchestrator.definitions.expression_tree import Translator

MOST_NODES = 400

__all__ = ["ExpressionSyntax", "build_expr", "parse"]


_ENVIRONMENT = Environment()


class _Parser(Parser):
    """Jinja's parser over tokens that are cut and checked already."""

    def __init__(self, stream: TokenStream) -> None:
        # All that Parser.__init__ sets; it would cut the source itself.
        self.environment = _ENVIRONMENT
        self.stream = stream
        self.name = self.filename = None
        self.closed = False
        self.extensions = {}
        self._last_identifier = 0
        self._tag_stack: list[str] = []
        self._end_token_stack: list[tuple[str, ...]] = []


@lru_cache(maxsize=4096)
def parse(source: str) -> Node:
    """The tree of an expression.

    Raises ExpressionSyntax with offset and way out: beyond the bounds (4,000 characters, 400 nodes, 32 levels,
    integers of 64 bits, lists of 1,000), not readable, or not part of the language.
    """
    tokens = tokens_of(source, _ENVIRONMENT)
    check_levels(tokens)
    try:
        parser = _Parser(stream_of(tokens, _ENVIRONMENT))
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise _goes_on(parser.stream.current.lineno, parser.stream.current, tokens)
        if len(tokens) > MOST_NODES:  # every node has a token of its own
            _check_size(tree)
        return Translator(tokens).node(tree)
    except TemplateSyntaxError as error:
        raise _unreadable(error, tokens) from None
    except RecursionError:  # only where the caller's own stack was deep already
        raise ExpressionSyntax("the expression is nested too deeply", 0, code="expression_too_large") from None


def build_expr(
    source: str,
    *,
    types: Types | None = None,
    vars: Mapping[str, Expr | Evaluator] = NO_VARS,
) -> Expr:
    """An expression ready for use. Pass variables as Expr, so that their needs become part of this one's.

    Raises ExpressionSyntax as `parse` does, and where variables written out come to more than 20,000 nodes.
    """
    node = parse(source)
    try:
        return compiled(source, node, types=types, vars=vars)
    except TooMuchWork as error:
        raise ExpressionSyntax(str(error), 0, "simplify the variables", "expression_too_large") from None


def _check_size(tree: nodes.Expr) -> None:
    """Counts without recursion: the tree may be deeper than Python's stack."""
    count = 0
    waiting: list[nodes.Node] = [tree]
    while waiting:
        node = waiting.pop()
        count += isinstance(node, nodes.Expr)
        waiting.extend(node.iter_child_nodes())
    if count > MOST_NODES:
        raise ExpressionSyntax(
            f"the expression has {count} parts, more than {MOST_NODES}",
            0,
            "name its parts under vars:",
            "expression_too_large",
        )


_SWAPPED = {"AND": "and", "OR": "or", "NOT": "not", "IN": "in", "IS": "is", "IF": "if", "ELSE": "else"}


def _goes_on(offset: int, token: Any, tokens: list[Token]) -> ExpressionSyntax:
    """Something stands behind a complete expression."""
    found = describe_token(token)
    hint = "join two conditions by 'and' or 'or'"
    place = next(place for place, known in enumerate(tokens) if known.offset == offset)
    if [known.text.lower() for known in tokens[max(place - 2, 0) : place]] == ["none", "if"]:
        return ExpressionSyntax("'is none' takes nothing behind it", offset, "put it in brackets: (x is none) if ...")
    if place and tokens[place - 1].kind == "name" and tokens[place - 1].text in _SWAPPED.values():
        before = tokens[place - 1]
        return ExpressionSyntax(f"found '{before.text}' where a value is expected", before.offset)
    if token.type == "assign":
        return ExpressionSyntax("'=' compares nothing", offset, "write '=='")
    if token.type == "name" and token.value.upper() in _SWAPPED:
        hint = f"write '{_SWAPPED[token.value.upper()]}' in small letters"
    elif token.type == "comma":
        hint = "a list stands in brackets: [a, b]"
    elif token.type == "colon":
        hint = "an object stands in braces: {'key': value}"
    elif token.type == "string":
        found = "a text"
    elif token.type in ("integer", "float"):
        found = "a number"
    return ExpressionSyntax(f"{_quoted(found)} stands behind a complete expression", offset, hint)


def _quoted(found: str) -> str:
    return found if found.startswith("a ") else f"'{found}'"


def _unreadable(error: TemplateSyntaxError, tokens: list[Token]) -> ExpressionSyntax:
    message = error.message or "not readable"
    if "end of template" in message:
        return _too_early(tokens)
    at = next((place for place, token in enumerate(tokens) if token.offset >= error.lineno), len(tokens) - 1)
    token, previous = tokens[at], tokens[at - 1] if at else None
    if token.kind == "=":
        return ExpressionSyntax("'=' compares nothing", token.offset, "write '=='")
    if token.kind == "|" and previous is not None and previous.kind == "|":
        return ExpressionSyntax("'||' has no meaning", previous.offset, "write 'or'")
    if token.kind in (">", "=") and previous is not None and previous.kind in ("<", "=", "!=", "=="):
        return ExpressionSyntax(f"'{previous.text}{token.text}' has no meaning", previous.offset, "write '==' or '!='")
    if "Invalid character in identifier" in message:
        return ExpressionSyntax(f"'{token.text}' is no name", token.offset)
    if message.startswith("expected token"):
        expected = message.split("'")[1] if message.count("'") >= 2 else "something else"
        return ExpressionSyntax(f"found '{token.text}' where '{expected}' is expected", token.offset)
    if message.startswith("expected name or number"):
        return ExpressionSyntax("the name of a property is missing behind '.'", token.offset)
    if message.startswith(("unexpected", "Expected an expression")):
        return ExpressionSyntax(f"found '{token.text}' where a value is expected", token.offset)
    return ExpressionSyntax(message, token.offset)


def _too_early(tokens: list[Token]) -> ExpressionSyntax:
    opened: list[Token] = []
    for token in tokens:
        if token.kind in ("(", "[", "{"):
            opened.append(token)
        elif token.kind in (")", "]", "}"):
            opened.pop()  # the lexer has seen to it that they fit
    if opened:
        return ExpressionSyntax(f"'{opened[-1].kind}' is never closed", opened[-1].offset)
    last = tokens[-1]
    return ExpressionSyntax("the expression ends too early: a value is missing", last.offset + len(last.text))
