"""Whatever an author writes or data hold: refused with a position, or bounded; nothing but the known errors."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.core.expression.check import check
from orchestrator.core.expression.needs import needs
from orchestrator.core.expression.nodes import walk
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.expression.text import text_of
from orchestrator.core.expression.types import DATE, DATETIME, NUMBER, OBJECT, STRING, Enum, ListOf, Record, Types
from orchestrator.definitions.expressions import ExpressionSyntax, build_expr, parse
from orchestrator.errors import EvaluationError

NOW = datetime(2026, 3, 11, 10, 0, tzinfo=UTC)

REFUSED = [
    "''.__class__",
    "''['__class__']",
    "customer.__class__.__mro__",
    "customer._private",
    "_",
    "__import__('os')",
    "x | attr('__class__')",
    "x|attr",
    "'{}'.format(x)",
    "'%0100000000d'.format(1)",
    "x.items()",
    "x.y.z()",
    "x[0]()",
    "(x)()",
    "'a'()",
    "lipsum(5)",
    "range(10)",
    "cycler(1)",
    "namespace()",
    "dict(a=1)",
    "self.x()",
    "super()",
    "9**9**9",
    "'a'*10**10",
    "x ** 2",
    "[x for x in y]",
    "{{ x }}",
    "x }}",
    "{% for x in y %}",
    "{%",
    "{# comment #}",
    "# line",
    "x = 3",
    "x := 3",
    "lambda: 1",
    "x; y",
    "x, y",
    "x[1:2]",
    "x[:]",
    "x[1, 2]",
    "x is defined",
    "x is sameas y",
    "x is divisibleby 3",
    "count(*x)",
    "count(**x)",
    "count('e', **x)",
    "count('e', within=customer.x)",
    "count('e', within='0s')",
    "count('e', within='-1d')",
    "count('e', within='1mo')",
    "count('e', within='1y')",
    "count('e', since_entry=x)",
    "count(customer.x)",
    "count('')",
    "count('e', where=count('f') > 1)",
    "in_segment(x)",
    "catalog(x, y)",
    "{1: 2}",
    "{x: 2}",
    "{'a': 1, 'a': 2}",
    "9223372036854775808",
    "-9223372036854775809",
    "1" * 3_999,
    "1e400",
    "'\\x00'",
    "'\\ud83d'",
    "'\\N{nothing of the kind}'",
    "'unclosed",
    '"',
    "(",
    "(]",
    ")",
    "",
    "   ",
    "\n",
    "&&",
    "a && b",
    "a || b",
    "!a",
    "a ? b : c",
    "a === b",
    "a <> b",
    "a =< b",
    "and",
    "a and",
    "a in",
    "in a",
    "not",
    "a.",
    ".a",
    "a..b",
    "a|",
    "|a",
    "a||b",
    "a is",
    "a is not",
    "x is none if y else z",
    "1 2",
    "a b",
    "a AND b",
    "'a' 1",
    "“a”",
    "a\0b",
    "\ufeffa b",
    "(" * 33 + "1" + ")" * 33,
    "[" * 3_999,
    "(" * 100_000,
    "{'a':" * 50 + "1" + "}" * 50,
    "not " * 33 + "a",
    "-" * 33 + "a",
    "- " * 1_000 + "a",
    "a" + ".b" * 33,
    "a" + "|abs" * 33,
    "a" + "[0]" * 33,
    "f(" * 33 + ")" * 33,
    "(not " * 17 + "a" + ")" * 17,
    "a if b else " * 33 + "c",
    "+".join(["1"] * 201),
    "[" + ",".join("1" * 1001) + "]",
    "x" * 4_001,
]


@pytest.mark.parametrize("source", REFUSED, ids=lambda source: ascii(source[:24]))
def test_refused_at_once_with_a_position(source: str) -> None:
    began = time.perf_counter()
    with pytest.raises(ExpressionSyntax) as caught:
        parse(source)
    assert time.perf_counter() - began < 1
    assert 0 <= caught.value.offset <= len(source)
    assert caught.value.message
    assert "template" not in caught.value.message  # Jinja's words for itself
    assert caught.value.code in {"syntax", "expression_too_large", "unknown_function", "unknown_filter"}


ACCEPTED = [
    "(" * 32 + "1" + ")" * 32,
    "not " * 32 + "a",
    "a" + ".b" * 32,
    "+".join(["1"] * 200),
    " or ".join(["a.b == 1"] * 80),
    " + ".join(["customer.a.b.c"] * 50),
    "'" + "x" * 3_998 + "'",
    "a if b else " * 32 + "c",
]


@pytest.mark.parametrize("source", ACCEPTED, ids=lambda source: ascii(source[:24]))
def test_up_to_the_bounds_everything_works(source: str, scope_of: Any) -> None:
    expr = build_expr(source, types=Types())
    assert parse(text_of(expr.node)) == expr.node
    check(expr.node, Types())
    expr.explain(scope_of())
    try:
        expr.evaluate(scope_of())
    except EvaluationError:
        assert source.startswith(("not", "a.b"))


@pytest.mark.parametrize(
    ("source", "offset", "hint"),
    [
        ("customer.tier = 'gold'", 14, "write '=='"),
        ("cnt('e')", 0, "did you mean 'count'?"),
        ("1 + cuont('e')", 4, "did you mean 'count'?"),
        ("x | lenght > 1", 4, "did you mean 'length'?"),
        ("x | upper | lenght", 12, "did you mean 'length'?"),
        ("count('e', wihtin='1d')", 11, "did you mean 'within'?"),
        ("count('e', within='1mo')", 18, None),
        ("days(1, 2)", 8, "write days(3)"),
        ("a and {{ b }}", 6, "leave out {{ and }}"),
        ("customer.email is defined", 18, "write: is not none"),
        ("entry.items()", 6, "'items' is read without brackets, or is a filter: x | items"),
        ("a AND b", 2, "write 'and' in small letters"),
        ("(a or b", 0, None),
        ("a or (b and [c)", 14, "every bracket is closed by its own kind"),
        ("next_weekday(today, 'monday')", 20, "one of mon, tue, wed, thu, fri, sat, sun"),
        ("x | selectattr('a', 'like', 'b')", 20, None),
    ],
)
def test_the_caret_and_the_way_out(source: str, offset: int, hint: str | None) -> None:
    with pytest.raises(ExpressionSyntax) as caught:
        parse(source)
    assert caught.value.offset == offset
    if hint is not None:
        assert caught.value.hint == hint


PIECES = [
    *"()[]{}.,|~+-*/%<>=!'\"\\ \n:;&#?_0123456789abx",
    *(" and ", " or ", "not ", " in ", " is ", "none", " if ", " else ", "customer", ".tier", "count(", "'e'"),
    *("where=", "within='1d'", "| default(", "**", "{{", "}}", "{%", "天", "\0", "__"),
]
ALPHABET = st.sampled_from(PIECES)


@settings(max_examples=200)
@given(st.lists(ALPHABET, max_size=40).map("".join) | st.text(max_size=60))
@example("'\\")
@example("1.e5")
@example("a.1.b")
def test_any_text_is_read_or_refused(source: str) -> None:
    refused: ExpressionSyntax | None = None
    try:
        tree = parse(source)
    except ExpressionSyntax as error:
        refused = error
    if refused is not None:
        assert 0 <= refused.offset <= len(source)
        return
    assert parse(text_of(tree)) == tree
    needs(tree)
    for finding in check(tree, Types())[1]:
        assert 0 <= finding.offset < len(source)
        assert finding.length >= 1


# Any data ------------------------------------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 3),
    st.just(10**400),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["2026-03-01", "2026-03-01T10:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00+14:00", "7d", "gold", "x" * 9_999]
    ),
    st.dates(),
    st.datetimes(timezones=st.just(UTC)),
    st.timedeltas(),
)
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "at", "name"]), inner, max_size=3)
    ),
    max_leaves=12,
)
OPERANDS = [
    *(
        "customer.a",
        "customer.b",
        "customer.tier",
        "customer.day",
        "customer.time",
        "customer",
        "event.a",
        "entry",
        "entry.at",
    ),
    *(
        "now",
        "today",
        "loop.index",
        "w",
        "w.a",
        "v",
        "none",
        "true",
        "0",
        "-1.5",
        "9223372036854775807",
        "'gold'",
        "''",
    ),
    *("'2026-03-01'", "'9999-12-31'", "[]", "[1, 'a']", "{'a': 1}", "days(1)", "days(99999999)", "duration('1h')"),
    *("first('e')", "last('e').a", "catalog('c', customer.a)", "catalog('c', 'k').a"),
]
FORMS = [
    *("{} + {}", "{} - {}", "{} * {}", "{} / {}", "{} // {}", "{} % {}", "{} ~ {}", "-({})", "+({})"),
    *("{} == {}", "{} != {}", "{} < {}", "{} <= {}", "{} > {}", "{} >= {}", "{} in {}", "{} not in {}", "{} < {} < {}"),
    *(
        "not ({})",
        "({}) is none",
        "({}) and ({})",
        "({}) or ({})",
        "({}) if ({}) else ({})",
        "({}).a",
        "({})[{}]",
        "[{}, {}]",
    ),
    *("count('e', within='1d')", "count('e', where=it.a > ({}))", "sum('e', 'a')", "avg('e', 'a')", "min('e', 'a')"),
    *("max('e', 'a', within='400d')", "did('e', where=it.at > ({}))", "rank(customer.tier)", "days({})", "hours({})"),
    *(
        "duration({})",
        "date({})",
        "date({}, '%Y-%m-%d')",
        "date({}, {})",
        "next_weekday({}, 'mon')",
        "next_weekday(today, {})",
    ),
    *(
        "days_since({})",
        "days_until({})",
        "({}) | default({})",
        "({}) | length",
        "({}) | lower",
        "({}) | upper",
        "({}) | trim",
    ),
    *(
        "({}) | round",
        "({}) | round({})",
        "({}) | round(2, 'ceil')",
        "({}) | int",
        "({}) | int({})",
        "({}) | float",
        "({}) | string",
    ),
    *(
        "({}) | abs",
        "({}) | first",
        "({}) | last",
        "({}) | min",
        "({}) | max",
        "({}) | sum",
        "({}) | sum('a')",
        "({}) | sort",
    ),
    *("({}) | sort(attribute='a', reverse=true)", "({}) | unique", "({}) | unique(attribute='a')", "({}) | join({})"),
    *(
        "({}) | map(attribute='a.b')",
        "({}) | selectattr('a')",
        "({}) | selectattr('a', 'lt', {})",
        "({}) | rejectattr('a', {})",
    ),
    *(
        "({}) | selectattr('a', 'in', {})",
        "({}) | replace({}, {})",
        "({}) | replace('', 'xyz')",
        "({}) | date",
        "({}) | date('%d %B')",
    ),
    *(
        "({}) | datetime",
        "({}) | datetime('%c')",
        "({}) | datetime('%I %p %z %Z')",
        "({}) | money('EUR')",
        "({}) | money({})",
    ),
    *("({}) | truncate(5)", "({}) | truncate({})", "({}) | truncate(3, true, {})", "({}) | max(attribute='a')"),
]
TYPES = Types(
    customer={"tier": Enum(("basic", "gold")), "day": DATE, "time": DATETIME, "a": OBJECT},
    event=OBJECT,
    entry=OBJECT,
    results={"w": OBJECT},
    vars={"v": NUMBER},
    events={"e": {"a": DATE, "b": ListOf(Record({"c": STRING}))}},
    catalogs={"c": {"a": DATETIME}},
)


@st.composite
def sources(draw: st.DrawFn, depth: int = 2) -> str:
    if depth == 0:
        return draw(st.sampled_from(OPERANDS))
    form = draw(st.sampled_from(FORMS))
    parts = [draw(sources(depth=draw(st.integers(0, depth - 1)))) for _ in range(form.count("{}"))]
    return form.format(*(f"({part})" for part in parts))


@settings(max_examples=200)
@given(
    sources(),
    st.dictionaries(st.sampled_from(["a", "b", "tier", "day", "time"]), DATA),
    DATA,
    DATA,
    st.booleans(),
    st.booleans(),
)
def test_the_evaluator_is_total(
    facts_of: Any, scope_of: Any, source: str, customer: dict[str, Any], one: Any, two: Any, typed: bool, at_end: bool
) -> None:
    try:
        tree = parse(source)
    except ExpressionSyntax:  # a history function inside where=, a format that does not exist
        return
    now = datetime(9999, 12, 31, 23, 59, tzinfo=UTC) if at_end else NOW
    past = [PastEvent(now - timedelta(hours=3), "e", {"a": one}, "1"), PastEvent(now, "e", {"a": two, "b": one}, "2")]
    facts = facts_of(past={"e": past}, rows={("c", "k"): {"a": one}})
    data = {"event": {"a": one}, "entry": {"at": one, "a": two}, "results": {"w": two}, "loop": {"index": 1}}
    expr = build_expr(source, types=TYPES if typed else None, vars={"v": build_expr("customer.b - now")})
    outcomes: list[Any] = []
    for tracking in (False, True):
        scope = scope_of(customer, facts=facts, at=now, zone="Asia/Kathmandu", tracking=tracking, **data)
        try:
            outcomes.append(expr.evaluate(scope))
            expr.truth(scope)
        except EvaluationError as error:
            outcomes.append(("error", str(error), 0 <= error.offset <= len(error.source)))
        assert scope.it is None and scope.hoisted is None and scope.tracking is tracking and scope.now == now
        expr.explain(scope)
    assert repr(outcomes[0]) == repr(outcomes[1])
    assert not isinstance(outcomes[0], tuple) or outcomes[0][2] is True  # the offset lies in the source
    assert all(len(str(leaf)) < 50_000 for leaf in outcomes)
    check(tree, TYPES)
    assert list(walk(tree))


def test_data_nested_without_end_is_an_error(scope_of: Any) -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    for source in (
        "customer.a == customer.b",
        "customer.a in [customer.b]",
        "customer.a | unique",
        "[customer.a] | unique",
    ):
        with pytest.raises(EvaluationError):
            build_expr(source).evaluate(scope_of({"a": deep, "b": [deep]}))
    printed = build_expr("customer.a ~ ''").evaluate(scope_of({"a": deep}))
    assert isinstance(printed, str)
    assert len(printed) < 100


def test_growing_texts_stop_at_the_bound(scope_of: Any) -> None:
    scope = scope_of({"a": "x" * 10_000})
    for source in (
        "customer.a | replace('x', customer.a)",
        "customer.a ~ 'y'",
        "[customer.a, 1] | join",
        "customer.a | replace('', 'y')",
    ):
        with pytest.raises(EvaluationError):
            build_expr(source).evaluate(scope)


def test_variables_that_double_are_refused() -> None:
    variables: dict[str, Any] = {"v0": build_expr("1 + 1")}
    with pytest.raises(ExpressionSyntax, match="written out") as caught:  # noqa: PT012
        for level in range(40):
            variables[f"v{level + 1}"] = build_expr(f"v{level} + v{level}", vars=variables)
    assert caught.value.code == "expression_too_large"


@given(
    st.text(max_size=12) | st.sampled_from(["%Y" * 90, "%", "%q", "%-", "%-B", "%Y" * 200, " " * 150 + "%Y"]),
    st.text(max_size=20),
)
def test_no_format_hangs_or_escapes(run: Callable[..., Any], form: str, text: str) -> None:
    for source in ("date(entry.t, entry.f)", "today | date(entry.f)", "now | datetime(entry.f)"):
        try:
            run(source, entry={"t": text, "f": form})
        except EvaluationError:
            continue
