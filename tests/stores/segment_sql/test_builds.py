"""Builds come to their end whatever the data and the conditions are, and whoever else builds or deploys meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.inbox import Identified
from orchestrator.core.index import Index
from orchestrator.runtime.segments import preview
from orchestrator.stores import segment_rows
from orchestrator.stores.shards import SHARDS
from tests.servers.postgres import clean_database
from tests.stores.contract_segments import build, members, nothing_differs
from tests.stores.driving import START, arrive, create, event, index_of, later, turns

LEAST = -(2**63)
ODD: dict[str, Any] = {
    "numbered": {"where": "customer.n > 5"},
    "spent": {"where": "sum('bought', 'n') > 5"},
    "named": {"where": "customer['gr\u00f6\u00dfe'] == 'x'"},
    "listed": {"where": f"customer.city in {[f'c{n}' for n in range(300)]}"},
    "chained": {"where": " or ".join(f"customer.city == 'c{n}'" for n in range(79))},
}


SCHEMA: dict[str, Any] = {
    "customer": {
        "n": {"type": "integer"},
        **{name: {"type": "string"} for name in ("city", "plan", "gr\u00f6\u00dfe")},
    },
    "events": {"bought": {"n": {"type": "integer"}}, "go": {"order": {"type": "string"}}},
}


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            from orchestrator.stores.sqlite.store import open_store

            made: Any = open_store(tmp_path / "a.db", salt="0", durable=False)
        else:
            from orchestrator.stores.postgres.store import open_store as open_postgres

            made = open_postgres(stack.enter_context(clean_database()), salt="0", durable=False)
        stack.callback(made.close)
        yield made


def golden(where: str = "customer.plan == 'gold'") -> Index:
    return index_of(segments={"golden": {"where": where}})


def test_odd_values_and_long_conditions_are_counted(store: Any) -> None:
    store.deploy(index_of(), START)
    create(store, "least", n=LEAST)
    arrive(store, "named", Identified({"gr\u00f6\u00dfe": "x", "n": 7}, silent=True))
    create(store, "listed", city="c77")
    for n in (LEAST, 7):
        arrive(store, "listed", event("bought", n=n))
    arrive(store, "named", event("bought", n=7))
    turns(store, START)
    store.deploy(index_of(segments=ODD, schema=SCHEMA), later(1))
    build(store)
    expected = {"numbered": 1, "spent": 1, "named": 1, "listed": 1, "chained": 1}
    assert store.segment_sizes() == expected
    turns(store, later(1))
    build(store)
    assert store.segment_sizes() == expected
    assert {one.phase for one in store.segment_builds()} == {"done"}
    with store.db.read() as c:
        shards = [shard for (shard,) in store._run(c)("SELECT DISTINCT shard FROM customers").fetchall()]
    assert store.segment_differences(later(1), shards) == (3, [])


def test_what_the_database_cannot_work_out_is_evaluated(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "1 / 0" if store._dialect.name == "postgresql" else "abs(-9223372036854775808)"
    honest = segment_rows.verdicts

    def failing(wanted: Any, *more: Any) -> Any:
        made = honest(wanted, *more)
        return made if "golden" not in wanted else type(made)(
            made.names, made.compiled, made.sql.replace("AS v0", f"AND {deep} > 0 AS v0")
        )  # fmt: skip

    monkeypatch.setattr(segment_rows, "verdicts", failing)
    store.deploy(index_of(), START)
    create(store, "a", plan="gold")
    create(store, "b", plan="lead")
    store.deploy(golden(), later(1))
    build(store)
    assert members(store, "golden") == ["a"]


def test_a_process_that_has_not_heard_of_a_deploy_counts_nothing(store: Any) -> None:
    store.deploy(index_of(), START)
    create(store, "a", plan="gold")
    store.deploy(golden(), later(1))
    store.adopt(index_of())
    assert store.build_segments(later(1), 256) == 0
    store.adopt(golden("customer.plan == 'lead'"))
    assert store.build_segments(later(1), 256) == 0
    store.adopt(golden())
    build(store)
    assert members(store, "golden") == ["a"]


def test_who_counts_too_late_writes_nothing(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One counts, and stops for a while; meanwhile another one builds all, and a turn changes who is in it."""
    store.deploy(index_of(), START)
    create(store, "a", plan="gold")
    create(store, "b", plan="lead")
    store.deploy(golden(), later(1))
    honest = store._counted_members
    late = []

    def overtaken(*asked: Any) -> Any:
        counted = honest(*asked)
        if not late:
            late.append(True)
            build(store)
            turns(store, later(1))
            build(store)
            arrive(store, "a", event("bought"), later(1))
            arrive(store, "b", event("bought"), later(1))
            create(store, "a", at=later(1), plan="lead")
            create(store, "b", at=later(1), plan="gold")
            assert members(store, "golden") == ["b"]
        return counted

    monkeypatch.setattr(store, "_counted_members", overtaken)
    store.build_segments(later(1), SHARDS)
    assert late
    assert members(store, "golden") == ["b"]
    nothing_differs(store)


def test_a_fan_out_goes_on_where_its_segment_is_built_anew(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The segment goes and comes back while its members are told: nobody is left out, nobody told twice."""
    for name in ("sqlite", "postgres"):
        monkeypatch.setattr(f"orchestrator.stores.{name}.fanout.AT_ONCE", 3)
    store.deploy(golden(), START)
    create(store, *(f"u{n}" for n in range(12)), plan="gold")
    create(store, "other", plan="lead")
    store.fan_out("waits", 0, "o", None, "golden", later(1))
    with store.db.write() as c:
        run = store._run(c)
        run("DELETE FROM segment_members")
        run("UPDATE segment_builds SET phase = 'counting', shard = 0")
    turns(store, later(2), 5)
    with store.db.read() as c:
        assert store._run(c)("SELECT count(*) FROM fanout_shards").fetchone()[0] == 0
        reached = store._run(c)("SELECT reached FROM fanout WHERE segment = 'golden'").fetchone()[0]
    assert store._dialect.name == "postgresql" or reached == 12


def test_where_nobody_was_seen_there_may_be_some(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.deploy(index_of(), START)
    create(store, "a", plan="lead")
    monkeypatch.setattr("orchestrator.runtime.segments.monotonic", iter(range(10_000)).__next__)
    index = golden()
    found = preview(store, index.segments["golden"].where, index, START, seconds=0.5)
    assert not found.exact
    assert (found.members, found.least) == (0, 0)
    assert found.most > 100  # two shards of 1,024 tell next to nothing
