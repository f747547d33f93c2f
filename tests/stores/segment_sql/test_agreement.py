"""Conditions in SQL and the evaluator agree on every customer, whatever the condition and whatever is known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import lru_cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.expression.expr import Expr
from orchestrator.core.inbox import Event, Identified
from orchestrator.core.index import Index
from orchestrator.core.membership import matches
from orchestrator.definitions.expressions import ExpressionSyntax, build_expr
from orchestrator.stores.protocol import Arrival
from tests.in_full import IN_FULL
from tests.servers.postgres import clean_database
from tests.small_projects import project_of
from tests.stores.driving import WAITS_AN_HOUR, turns
from tests.stores.segment_sql.conditions import NOW, SCHEMA, conditions, pasts, profiles

SEGMENTS = {
    "buyers": {"where": "count('bought', within='30d') > 1"},
    "lovers": {"where": "in_segment('buyers') and customer.plan != 'a'"},
}
_NUMBERS = count()


@lru_cache(maxsize=1)
def index() -> Index:
    with TemporaryDirectory() as folder:
        return Index(project_of(Path(folder), {"waits": WAITS_AN_HOUR}, schema=SCHEMA, segments=SEGMENTS).project)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            from orchestrator.stores.sqlite.store import open_store

            made: Any = open_store(tmp_path_factory.mktemp("agreement") / "a.db", salt="0", durable=False)
        else:
            from orchestrator.stores.postgres.store import open_store as open_postgres

            made = open_postgres(stack.enter_context(clean_database()), salt="0", durable=False)
        stack.callback(made.close)
        made.deploy(index(), NOW - timedelta(days=1_000))
        yield made


def expression(source: str) -> Expr | None:
    """The condition, with the types that a project's are compiled with; None: it is refused."""
    types = index().project.segments[0].where.types
    assert types is not None
    try:
        return build_expr(source, types=types)
    except ExpressionSyntax:
        return None


def decided(store: Any, expr: Expr, named: str) -> tuple[dict[str, bool | None], dict[str, bool | None]]:
    """What SQL says and what the evaluator says, by customer."""
    with store.db.read() as c:
        query = store._verdicts(c, {"": expr}, index(), NOW, f"c.external_id LIKE '{named}-%'")
        rows = store._ask(c, query.sql)
        run = store._run(c)
        who = {
            (shard, id): external
            for shard, id, external in run("SELECT shard, id, external_id FROM customers WHERE external_id LIKE ?",
                                           f"{named}-%").fetchall()
        }  # fmt: skip
    with store._view(list(who), index(), NOW) as (view, _):
        evaluated = matches(view, expr, NOW)
    return {who[shard, id]: None if said is None else bool(said) for shard, id, said in rows}, evaluated


@settings(
    max_examples=3_000 if IN_FULL else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    people=st.lists(st.tuples(profiles(), pasts()), min_size=1, max_size=5),
    sources=st.lists(conditions(), min_size=1, max_size=6),
)
def test_sql_and_the_evaluator_agree(store: Any, people: list[Any], sources: list[str]) -> None:
    named = f"p{next(_NUMBERS)}"
    for n, (traits, past) in enumerate(people):
        store.ingest([Arrival(f"{named}-{n}", NOW - timedelta(days=35 + n), Identified(traits, silent=True), None)])
        store.lay_history(
            f"{named}-{n}", [Event(name, NOW - ago, properties, f"{named}-{n}-{m}")
                             for m, (name, ago, properties) in enumerate(past)]
        )  # fmt: skip
    turns(store, NOW)
    for source in sources:
        expr = expression(source)
        if expr is None:
            continue
        said, evaluated = decided(store, expr, named)
        assert said.keys() == evaluated.keys()
        wrong = {
            who: (said[who], evaluated[who]) for who in said if said[who] is not None and said[who] != evaluated[who]
        }
        assert not wrong, (source, wrong)
