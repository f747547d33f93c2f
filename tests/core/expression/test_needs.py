"""What an expression asks for, told by its text; and what `explain` shows of it."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core.expression.needs import ALL, NOTHING, Needs, needs
from orchestrator.core.expression.scope import NoFacts
from orchestrator.definitions.expressions import build_expr, parse
from orchestrator.errors import FactUnavailable, NotLoaded

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("source", "kind", "expected"),
    [
        ("did('a') and count('b', within='3d', where=it.x == customer.y) > 1", "events", {"a", "b"}),
        ("did('a') and count('b', within='3d')", "windows", {("a", None), ("b", 3 * DAY)}),
        ("count('a', where=it.x)", "windows", {("a", timedelta.max)}),
        ("sum('a', 'x')", "windows", {("a", timedelta.max)}),
        ("first('a').x", "windows", {("a", None)}),
        ("customer.tier == 'x' and customer.attributes.age", "customer", {"tier", "age"}),
        ("customer['tier']", "customer", {"tier"}),
        ("count('b', where=it.x == customer.y)", "customer", {"y"}),
        ("customer[event.key]", "customer", {ALL}),
        ("customer.attributes", "customer", {ALL}),
        ("customer", "customer", {ALL}),
        ("entry.items | map(attribute='x')", "entry", {"items"}),
        ("entry.properties.name", "entry", {"name"}),
        ("event.a.b.c", "event", {"a"}),
        ("event.properties", "event", {ALL}),
        ("weather.kind and basket > 3", "results", {"weather", "basket"}),
        ("now > today and loop.index", "results", set()),
        ("in_segment('s')", "segments", {"s"}),
        ("entered('j') or in_journey('k')", "journeys", {"j", "k"}),
        ("received('m', within='1d')", "received", {"m"}),
        ("opened('a') or clicked('b') or visits('c')", "steps", {"a", "b", "c"}),
        ("redeemed('o')", "offers", {"o"}),
        ("catalog('hotels', entry.x).y", "catalogs", {"hotels"}),
        ("consented('t', 'c')", "topics", {"t"}),
        ("consented('t', 'c') or reachable('d')", "channels", {"c", "d"}),
    ],
)
def test_needs(source: str, kind: str, expected: set[object]) -> None:
    assert getattr(needs(parse(source)), kind) == expected


@pytest.mark.parametrize(
    ("source", "timed"),
    [
        ("now > entry.at", True),
        ("today == entry.x", True),
        ("days_since(entry.x)", True),
        ("days_until(entry.x)", True),
        ("count('a', within='1d')", True),
        ("count('a', where=it.x)", True),
        ("sum('a', 'x')", True),
        ("received('a', within='1d')", True),
        ("count('a')", False),
        ("last('a').x", False),
        ("received('a')", False),
        ("in_segment('a')", False),
        ("customer.x == date('2026-03-01')", False),
        ("next_weekday(entry.x, 'mon')", False),
    ],
)
def test_timed(source: str, timed: bool) -> None:
    assert needs(parse(source)).timed is timed


def test_a_constant_needs_nothing() -> None:
    assert needs(parse("1 + days(3) * 2")) == NOTHING


def test_needs_unite() -> None:
    one, two = needs(parse("did('a') and customer.x")), needs(parse("count('b', within='1d') > customer.y"))
    both = one | two
    assert both.events == {"a", "b"}
    assert both.customer == {"x", "y"}
    assert both.timed is True
    assert one | NOTHING == one
    assert all(getattr(both, item.name) for item in fields(Needs) if getattr(one, item.name))


def test_variables_bring_their_needs() -> None:
    inner = build_expr("count('a', within='1d')")
    outer = build_expr("inner + customer.x", vars={"inner": inner})
    last = build_expr("outer > 1", vars={"inner": inner, "outer": outer})
    assert last.needs.events == {"a"}
    assert last.needs.customer == {"x"}
    assert last.needs.timed is True


# explain -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "customer.tier in ['gold'] and count('e',within='30d') >= 2",
            {"customer.tier": "gold", "count('e', within='30d')": 0},
        ),
        ("(customer.tier == 'x') or customer.tier == 'y'", {"customer.tier": "gold"}),
        ("entry.items|length > 0", {"entry.items | length": 2}),
        ("weather.kind == 'rain' and not weather", {"weather.kind": "rain", "weather": {"kind": "rain"}}),
        ("'a' ~ 1 == 'b'", {}),
        ("days(3) > duration('1d')", {}),
        ("customer.missing < 3", {"customer.missing": None}),
        (
            "customer.tier.city == 'x'",
            {"customer.tier.city": "error: the text 'gold' has no property 'city'; only objects have"},
        ),
        ("in_segment('s') or catalog('c', 'k').x", {"in_segment('s')": False, "catalog('c', 'k').x": None}),
        ("1 if customer.tier else entry.items[0]", {"customer.tier": "gold", "entry.items[0]": 1}),
        ("{'a': customer.tier}.a", {"{'a': customer.tier}.a": "gold"}),
    ],
)
def test_explain(scope_of: Any, source: str, expected: dict[str, Any]) -> None:
    scope = scope_of({"tier": "gold"}, entry={"items": [1, 2]}, results={"weather": {"kind": "rain"}}, tracking=True)
    assert build_expr(source).explain(scope) == expected
    assert scope.changes_at is None
    assert scope.tracking is True


def test_explain_shows_variables_by_name(scope_of: Any) -> None:
    twice = build_expr("customer.n * 2")
    assert build_expr("twice > 3", vars={"twice": twice}).explain(scope_of({"n": 2})) == {"twice": 4}


def test_explain_shows_facts_that_cannot_be_read(scope_of: Any, facts_of: Any) -> None:
    class Failing(facts_of):  # type: ignore[misc]
        def in_segment(self, name: str) -> bool:
            raise FactUnavailable("the store does not answer")

    expr = build_expr("customer.a or in_segment('s')")
    assert expr.explain(scope_of({"a": 1}, facts=Failing()))["in_segment('s')"] == "error: the store does not answer"


def test_without_facts_every_question_is_not_loaded(scope_of: Any) -> None:
    scope = scope_of({}, facts=NoFacts())
    for source in (
        *(
            "did('a')",
            "entered('a')",
            "in_journey('a')",
            "received('a')",
            "opened('a')",
            "clicked('a')",
            "redeemed('a')",
        ),
        *("visits('a')", "in_segment('a')", "reachable('a')", "consented('a', 'b')", "catalog('a', 'b')"),
    ):
        with pytest.raises(NotLoaded):
            build_expr(source).evaluate(scope)


def test_expressions_are_equal_by_their_trees() -> None:
    assert build_expr("customer.a") == build_expr("customer.a")
    assert hash(build_expr("customer.a > 1")) == hash(build_expr("customer.a > 1"))
    assert build_expr("customer.a") != build_expr("customer.b")
