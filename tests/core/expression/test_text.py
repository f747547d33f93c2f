"""Canonical text: parsing it gives the same tree, and the same value."""

from __future__ import annotations

from typing import Literal as OneOf

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from orchestrator.core.expression import nodes as n
from orchestrator.core.expression.nodes import Node, start_of, walk
from orchestrator.core.expression.text import text_of
from orchestrator.definitions.expressions import ExpressionSyntax, parse

NAMES = st.sampled_from(["customer", "event", "a", "wetter", "天气", "now", "today", "it", "is_", "none_"])
PROPS = st.sampled_from(["tier", "items", "not", "in", "if", "none", "名", "count"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
WITHINS = st.sampled_from(["30d", "1h30m", "2w", "90s"]).map(lambda text: parse_within(text))


def parse_within(text: str) -> n.Within:
    tree = parse(f"did('e', within='{text}')")
    assert isinstance(tree, n.History)
    assert tree.within is not None
    return tree.within


def literals() -> st.SearchStrategy[Node]:
    numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    return st.builds(n.Literal, st.none() | st.booleans() | numbers | TEXTS)


def chain(first: Node, rest: list[tuple[n.Operator, Node]]) -> Node:
    """One node for operators of one precedence, as the parser makes it."""
    level = next(level for level in ({"+", "-"}, {"*", "/", "//", "%"}, {"~"}) if rest[0][0] in level)
    same_level = [(operator, term) for operator, term in rest if operator in level]
    if isinstance(first, n.Arithmetic) and first.rest[0][0] in level and rest[0][0] != "~":
        return n.Arithmetic(first.first, (*first.rest, *same_level))
    return n.Arithmetic(first, tuple(same_level))


def logical(kind: type[n.And] | type[n.Or], operands: list[Node]) -> Node:
    first, *rest = operands
    return kind((*first.operands, *rest)) if isinstance(first, kind) else kind(tuple(operands))


def signed(sign: OneOf["+", "-"], operand: Node) -> Node:
    if isinstance(operand, n.Literal):  # the sign of a number is part of it
        assume(isinstance(operand.value, (bool, str, type(None))))
    return n.Sign(sign, operand)


def history(name: n.HistoryName, event: n.Word, within: n.Within | None, since: bool, where: Node | None) -> Node:
    assume(where is None or not any(isinstance(part, n.History) for part in walk(where)))
    return n.History(name, event, None, within, since, where)


def item(target: Node, key: Node) -> Node:
    assume(not (isinstance(key, n.Literal) and isinstance(key.value, str)))  # that is an attribute
    return n.Item(target, key)


def extend(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    some = st.lists(inner, min_size=2, max_size=3)
    operators = st.sampled_from(["+", "-", "*", "/", "//", "%", "~"])
    comparisons = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
    words = st.builds(n.Word, st.sampled_from(["e", "it's", "x y"]))
    pairs = st.lists(st.tuples(TEXTS, inner), max_size=2, unique_by=lambda pair: pair[0]).map(tuple)
    return st.one_of(
        st.builds(n.ListNode, st.lists(inner, max_size=3).map(tuple)),
        st.builds(n.DictNode, pairs),
        st.builds(n.Attribute, inner, PROPS),
        st.builds(item, inner, inner),
        st.builds(signed, st.sampled_from("+-"), inner),
        st.builds(chain, inner, st.lists(st.tuples(operators, inner), min_size=1, max_size=3)),
        st.builds(n.Compare, inner, st.lists(st.tuples(comparisons, inner), min_size=1, max_size=2).map(tuple)),
        st.builds(n.Not, inner),
        st.builds(n.IsNone, inner),
        some.map(lambda operands: logical(n.And, operands)),
        some.map(lambda operands: logical(n.Or, operands)),
        st.builds(n.Conditional, inner, inner, inner),
        st.builds(
            history,
            st.sampled_from(["did", "count", "first", "last"]),
            words,
            st.none() | WITHINS,
            st.booleans(),
            st.none() | inner,
        ),
        st.builds(
            n.History, st.sampled_from(["sum", "min"]), words, words, st.none() | WITHINS, st.booleans(), st.none()
        ),
        st.builds(n.Fact, st.just("in_segment"), st.tuples(words)),
        st.builds(n.Fact, st.just("entered"), st.tuples(words), st.none() | WITHINS),
        st.builds(n.CatalogRow, words, inner),
        st.builds(n.Call, st.just("days"), st.tuples(inner)),
        st.builds(n.Call, st.just("date"), st.tuples(inner, st.none() | inner)),
        st.builds(n.Filter, inner, st.sampled_from(["abs", "length", "first"])),
        st.builds(n.Filter, inner, st.just("default"), st.tuples(inner)),
        st.builds(n.Filter, inner, st.just("sort"), st.tuples(st.none() | inner, st.none() | inner)),
        st.builds(n.Filter, inner, st.just("round"), st.tuples(st.none() | inner, st.none())),
    )


TREES = st.recursive(literals() | st.builds(n.Name, NAMES), extend, max_leaves=10)


def same_kinds(one: Node, two: Node) -> bool:
    """Equality that tells 1 from 1.0 and true."""
    pairs = zip(walk(one), walk(two), strict=True)
    return all(
        type(left) is type(right)
        and not (
            isinstance(left, n.Literal) and isinstance(right, n.Literal) and type(left.value) is not type(right.value)
        )
        for left, right in pairs
    )


@settings(max_examples=200)
@given(TREES)
@example(n.Conditional(n.Literal(True), n.IsNone(n.Name("a")), n.Literal(None)))
@example(n.Not(n.Not(n.IsNone(n.Name("a")))))
@example(n.Sign("-", n.Filter(n.Name("a"), "abs")))
@example(n.Filter(n.Sign("-", n.Name("a")), "abs"))
@example(n.Attribute(n.Literal(5), "tier"))
@example(n.Sign("-", n.Literal(-5)))
def test_round_trip(tree: Node) -> None:
    text = text_of(tree)
    try:
        again = parse(text)
    except ExpressionSyntax as error:
        assume(error.code != "expression_too_large")
        raise
    assert again == tree
    assert same_kinds(again, tree)
    assert text_of(again) == text


@given(TREES)
def test_offsets_lie_where_the_words_stand(tree: Node) -> None:
    text = text_of(tree)
    try:
        again = parse(text)
    except ExpressionSyntax:
        assume(False)
    for node in walk(again):
        assert 0 <= start_of(node) <= node.offset < len(text) or isinstance(node, n.Conditional)
        match node:
            case n.Name(name=name):
                assert text.startswith(name, node.offset)
            case n.Attribute(name=name):
                assert text.startswith(name, node.offset)
            case n.Filter(name=name):
                assert text.startswith(name, node.offset)
            case n.History(function=name) | n.Fact(function=name) | n.Call(function=name):
                assert text.startswith(name, node.offset)
            case n.Literal(value=str()):
                assert text[node.offset] == "'"


@pytest.mark.parametrize(
    ("source", "canonical"),
    [
        ('customer["tier"]=="gold"', "customer.tier == 'gold'"),
        ("( ( a ) )", "a"),
        ("not a is none", "a is not none"),
        ("a if b", "a if b else none"),
        ("(a and b) and c", "a and b and c"),
        ("a and (b and c)", "a and (b and c)"),
        ("(a + b) - c", "a + b - c"),
        ("a - (b + c)", "a - (b + c)"),
        ("(1, 2,)", "[1, 2]"),
        ("-(5)", "-5"),
        ("- -0", "--0"),
        ("x|default( 'a' )|upper", "x | default('a') | upper"),
        ("count('e',where=it.x>1,within='1d')", "count('e', within='1d', where=it.x > 1)"),
        ("date(format='%Y', x=y)", "date(y, '%Y')"),
        ("x | sort(attribute='a')", "x | sort(attribute='a')"),
        ("x | round(method='ceil')", "x | round(method='ceil')"),
        ("'a' 'b'", "'ab'"),
        (r"'\n\x41'", r"'\x0aA'"),
        ("0x10 + 0b1", "16 + 1"),
    ],
)
def test_canonical(source: str, canonical: str) -> None:
    assert text_of(parse(source)) == canonical


def test_offsets_count_every_character() -> None:
    source = "a\r\n and  名前.b\n or\tnot x"
    places = {node.name: node.offset for node in walk(parse(source)) if isinstance(node, (n.Name, n.Attribute))}
    assert places == {name: source.index(name) for name in ("a", "名前", "b", "x")}
