"""Functions of the past: windows, their edges, `where=`, `since_entry`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.core.expression.scope import PastEvent
from orchestrator.definitions.expressions import build_expr
from orchestrator.errors import EvaluationError

NOW = datetime(2026, 3, 11, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def shop(facts_of: Any, past: Callable[..., PastEvent]) -> Any:
    orders = [
        past("order_placed", 500 * DAY, total=10, sku="a"),
        past("order_placed", 40 * DAY, total=20, sku="b"),
        past("order_placed", 30 * DAY, total=30, sku="b"),
        past("order_placed", 30 * DAY - SECOND, total=40.5, sku="a"),
        past("order_placed", DAY, sku="c"),
        past("order_placed", 0 * DAY, total=60, sku="c", name="own", at="never"),
    ]
    return facts_of(
        past={"order_placed": orders, "odd": [past("odd", DAY, total="many")]},
        entries={"welcome": [NOW - 60 * DAY, NOW - 30 * DAY]},
        messages={"hello": [NOW - 10 * DAY]},
        entry_at=NOW - 30 * DAY,
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # without within and where, did, count, first and last see everything
        ("count('order_placed')", 6),
        ("did('order_placed')", True),
        ("first('order_placed').total", 10),
        ("last('order_placed').total", 60),
        # the window is (t - within, t]
        ("count('order_placed', within='30d')", 3),
        ("count('order_placed', within='720h')", 3),
        ("count('order_placed', within='2592001s')", 4),
        ("count('order_placed', within='1d')", 1),
        ("did('order_placed', within='1s')", True),
        ("first('order_placed', within='30d').total", 40.5),
        ("last('order_placed', within='30d').total", 60),
        # up to settings.history
        ("count('order_placed', within='1000d')", 5),
        ("count('order_placed', where=true)", 5),
        ("first('order_placed', where=true).total", 20),
        ("sum('order_placed', 'total')", 150.5),
        # where: the past event is `it`, other names keep their meaning
        ("count('order_placed', where=it.total > 25)", 3),
        ("count('order_placed', where=it.sku == event.sku)", 2),
        ("count('order_placed', within='2d', where=it.sku == event.sku)", 0),
        ("count('order_placed', where=it.total is none)", 1),
        ("did('order_placed', where=it.total > 1000)", False),
        ("first('order_placed', where=it.sku == 'c').id", "order_placed@1 day, 0:00:00"),
        ("last('order_placed', where=it.sku == 'b').total", 30),
        ("count('order_placed', where=it.at > now - days(2))", 2),
        ("count('order_placed', where=it.name == 'order_placed')", 5),
        ("count('order_placed', where=it.properties.name == 'own')", 1),
        # sum of nothing is 0, the others none; events without the property do not count
        ("sum('order_placed', 'total', within='30d')", 100.5),
        ("avg('order_placed', 'total', within='30d')", 50.25),
        ("min('order_placed', 'total', within='30d')", 40.5),
        ("max('order_placed', 'total')", 60),
        ("max('order_placed', 'sku')", "c"),
        ("sum('order_placed', 'total', where=it.sku == 'b')", 50),
        ("sum('never', 'total')", 0),
        ("count('never')", 0),
        ("did('never')", False),
        ("avg('never', 'total')", None),
        ("min('never', 'total')", None),
        ("max('never', 'total')", None),
        ("first('never')", None),
        ("last('never').total", None),
        # since_entry
        ("count('order_placed', since_entry=true)", 4),
        ("count('order_placed', since_entry=false)", 6),
        ("count('order_placed', since_entry=true, within='2d')", 2),
        ("first('order_placed', since_entry=true).total", 30),
        ("count('order_placed', since_entry=true, where=it.sku == 'b')", 1),
        # entered, received
        ("entered('welcome')", True),
        ("entered('welcome', within='30d')", False),
        ("entered('welcome', within='2592001s')", True),
        ("entered('other')", False),
        ("received('hello')", True),
        ("received('hello', within='10d')", False),
        ("received('hello', within='11d')", True),
    ],
)
def test_value(run: Run, shop: Any, source: str, expected: object) -> None:
    assert run(source, facts=shop, event={"sku": "b"}) == expected


def test_an_event_is_its_properties_overlaid_by_the_reserved_names(run: Run, shop: Any) -> None:
    found = run("last('order_placed')", facts=shop)
    assert found["name"] == "order_placed"
    assert found["at"] == NOW
    assert found["total"] == 60
    assert found["properties"]["name"] == "own"
    assert found["properties"]["at"] == "never"


def test_the_event_that_let_in_is_not_after_the_entry(run: Run, shop: Any) -> None:
    entry = {"name": "order_placed", "at": NOW - 30 * DAY}
    assert run("count('order_placed', since_entry=true)", facts=shop, entry=entry) == 3
    other = {"name": "cart_updated", "at": NOW - 30 * DAY}
    assert run("count('order_placed', since_entry=true)", facts=shop, entry=other) == 4


def test_without_an_entry_nothing_is_after_it(run: Run, facts_of: Any, shop: Any) -> None:
    facts = facts_of(past=shop.past)
    assert run("count('order_placed', since_entry=true)", facts=facts) == 0
    assert run("did('order_placed', since_entry=true, where=true)", facts=facts) is False


def test_windows_end_now(run: Run, facts_of: Any, past: Callable[..., PastEvent]) -> None:
    facts = facts_of(past={"e": [past("e", DAY), past("e", -DAY)]}, entries={"j": [NOW + DAY]})
    assert run("count('e', within='30d')", facts=facts) == 1
    assert run("entered('j', within='30d')", facts=facts) is False


def test_a_figure_of_something_else_than_numbers_is_an_error(run: Run, shop: Any) -> None:
    with pytest.raises(EvaluationError, match="'many'"):
        run("sum('odd', 'total')", facts=shop)


def test_an_error_inside_where_leaves_the_scope_as_it_was(shop: Any, scope_of: Any) -> None:
    scope = scope_of(facts=shop)
    with pytest.raises(EvaluationError):
        build_expr("count('order_placed', where=it.sku > 5)").evaluate(scope)
    assert scope.it is None
    assert scope.hoisted is None


def test_variables_inside_where_are_evaluated_once(shop: Any, scope_of: Any) -> None:
    asked: list[str] = []

    class Counting(type(shop)):  # type: ignore[misc]
        def events(self, name: str) -> Any:
            asked.append(name)
            return shop.events(name)

    total = build_expr("sum('order_placed', 'total', within='2d')")
    above = build_expr("count('order_placed', where=it.total < total)", vars={"total": total})
    assert above.evaluate(scope_of(facts=Counting())) == 3
    assert asked == ["order_placed", "order_placed"]


def test_variables_with_their_own_where_work_inside_where(shop: Any, scope_of: Any) -> None:
    large = build_expr("count('order_placed', where=it.total > 35)")
    found = build_expr("count('order_placed', where=it.total > large * 10)", vars={"large": large})
    assert found.evaluate(scope_of(facts=shop)) == 3
