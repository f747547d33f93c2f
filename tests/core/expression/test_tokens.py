"""Tokens are those of Jinja's own lexer, and no tree has more nodes than its text has tokens."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from orchestrator.definitions.expression_tokens import ExpressionSyntax, Token, tokens_of

ENVIRONMENT = Environment()
PARTS = st.sampled_from(
    [
        *"a b1 customer _x é ï x·y 0 7 1_000 0x1f 0b01 1.5 2e3 .5 1.e4 'text' '' none true".split(),  # noqa: SIM905
        *"and or not in is if else ( ) [ ] { } , : . | + - * / // % ~ == != < <= > >= = ** ;".split(),  # noqa: SIM905
        *("}}", "{{", "{%", "$", "#", "!", "'", '"text"', "'it\\'s'", "\n", "\r\n", "\t", " "),
    ]
)
SOURCES = st.lists(PARTS, max_size=25).map("".join) | st.lists(PARTS, max_size=25).map(" ".join)


def by_jinja(source: str) -> list[Token] | None:
    """The tokens as Jinja's lexer cuts them; None where it complains."""
    found, place = [], 0
    try:
        for _, kind, text in ENVIRONMENT.lexer.tokeniter(source, None, state="variable"):
            if kind == "variable_end":
                return None
            if kind != "whitespace":
                found.append(Token(place, text if kind == "operator" else kind, text))
            place += len(text)
    except TemplateSyntaxError:
        return None
    return found


def ours(source: str) -> list[Token] | None:
    try:
        return tokens_of(source)
    except ExpressionSyntax:
        return None


@given(SOURCES)
@example("a.b | c('d', e=[1, 2.5]) >= {'f': g}")
@example("x·y == 'a·b'")
def test_tokens_are_those_of_jinja(source: str) -> None:
    assume("\r" not in source)  # there every offset stays ours
    mine = ours(source)
    if mine is not None:
        assert mine == by_jinja(source)
    elif theirs := by_jinja(source):
        assert any(one.text == "{" and two.text in "{%" for one, two in pairwise(theirs))


@given(SOURCES)
@example("a is not none")
@example("a not in b")
@example("()")
@example("a.0")
@example("[].x[1, 2]")
@example("-a if not b")
def test_every_node_has_a_token_of_its_own(source: str) -> None:
    tokens = ours(source)
    if tokens is None:
        return
    try:
        tree = Parser(ENVIRONMENT, source, state="variable").parse_expression()
    except TemplateSyntaxError:
        return
    waiting: list[nodes.Node] = [tree]
    count = 0
    while waiting:
        node = waiting.pop()
        count += isinstance(node, nodes.Expr)
        waiting.extend(node.iter_child_nodes())
    assert count <= len(tokens)


@pytest.mark.parametrize("source", ["a\r\n== b", "a\r== b", "\r\na"])
def test_line_ends_keep_every_offset(source: str) -> None:
    assert all(source.startswith(token.text, token.offset) for token in tokens_of(source))
