"""The key of a frozen value is an expression of the language that means the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes

from orchestrator.definitions.expressions import parse as parse_language
from orchestrator.templating.binding import Binding
from orchestrator.templating.canonical import canonical
from orchestrator.templating.environment import LEXER, TEXT, parse
from orchestrator.templating.pieces import split

NAMES = st.sampled_from(["customer.first_name", "entry.items", "coupon.code", "weather", "now", "entry['a key'].b[0]"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def quoted(text: str) -> str:
    """A text as an author would write it in the language."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\r", "\\r") + "'"


VALUES = st.one_of(
    NAMES,
    st.integers(0, 10**9).map(str),
    st.floats(0, 1e9, allow_nan=False).map(lambda number: f"{number:.6f}"),
    TEXTS.map(quoted),
    st.sampled_from(["true", "false", "none"]),
)


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Bigger expressions from smaller ones."""
    two = st.tuples(inner, inner)
    operators = st.sampled_from(["+", "-", "*", "/", "//", "%", "==", "!=", "<", ">=", "in", "not in", "and", "or"])
    return st.one_of(
        st.tuples(inner, operators, inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        inner.map(lambda x: f"not ({x})"),
        inner.map(lambda x: f"-({x})"),
        inner.map(lambda x: f"({x}) is none"),
        two.map(lambda t: f"[{t[0]}, {t[1]}]"),
        two.map(lambda t: f"({t[0]}) | default({t[1]}) | string"),
        inner.map(lambda x: f"catalog('hotels', {x}).name"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]}) if ({t[1]}) else ({t[2]})"),
    )


EXPRESSIONS = st.recursive(VALUES, combined, max_leaves=8)


def expression(text: str) -> nodes.Expr:
    """The tree of an expression, as a template holds it."""
    output = parse(split("{{ " + text + " }}", 1, LEXER), TEXT).body[0]
    assert isinstance(output, nodes.Output)
    found = output.nodes[0]
    assert isinstance(found, nodes.Expr)
    return found


def structure(node: object) -> object:
    """A tree without the places of its nodes; a tuple is a list in the language."""
    if isinstance(node, nodes.Node):
        name = "List" if isinstance(node, nodes.Tuple) else type(node).__name__
        return name, tuple((key, structure(value)) for key, value in node.iter_fields() if key != "ctx")
    if isinstance(node, list):
        return tuple(structure(item) for item in node)
    return repr(node)


@given(EXPRESSIONS)
def test_canonical_text_means_the_same_and_is_its_own_canonical_text(text: str) -> None:
    tree = expression(text)
    written = canonical(tree)
    assert structure(expression(written)) == structure(tree)
    assert canonical(expression(written)) == written


@given(EXPRESSIONS)
def test_every_need_is_an_expression_of_the_language(text: str) -> None:
    binding = Binding()
    binding.bind(parse(split("{{ " + text + " }}", 1, LEXER), TEXT))
    for key in binding.slots:
        parse_language(key)


def test_two_spellings_of_one_need_share_a_value() -> None:
    binding = Binding()
    source = """{{ entry [ "a key" ] . b }} {{ entry['a key'].b }}"""
    source += """ {{ catalog( "x",entry.id ) }} {{ catalog('x', entry.id) }}"""
    binding.bind(parse(split(source, 1, LEXER), TEXT))
    assert list(binding.slots) == ["entry['a key'].b", "catalog('x', entry.id)"]
