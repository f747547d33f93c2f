"""The hard stop behind `deploy --expect`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.changes import Changes
from orchestrator.core.index import Index
from orchestrator.core.view import Switches
from orchestrator.runtime.alarms import find_troubles, safety_troubles
from orchestrator.runtime.expected_entries import READ_EVERY, WATCHED_FOR, EntryWatch, Expectation, expect, expectations
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.migrate import upgrade
from orchestrator.stores.postgres.store import open_store as open_server
from orchestrator.stores.protocol import Store, StoreBusy
from orchestrator.stores.sqlite.store import open_store
from tests.servers.postgres import clean_database
from tests.small_projects import project_of
from tests.stores.driving import START, arrive, event

JOURNEY = {"topic": "orders", "enter": {"event": "go", "reentry": "always"}, "steps": [{"wait": "1h"}]}


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def stores(request: Any, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """One database as two processes see it."""
    index = Index(project_of(tmp_path / "p", {"j": JOURNEY, "k": JOURNEY}).project)
    if request.param == "memory":
        store = MemoryStore()
        store.deploy(index, START)
        yield store, store
        return

    def opened(make: Callable[[], Store]) -> tuple[Store, Store]:
        first, second = make(), make()
        first.deploy(index, START)
        second.adopt(index)
        return first, second

    if request.param == "sqlite":
        upgrade(tmp_path / "a.db")
        both = opened(lambda: open_store(tmp_path / "a.db", durable=False))
        yield both
        for store in both:
            store.close()
        return
    with clean_database() as url:
        both = opened(lambda: open_server(url))
        yield both
        for store in both:
            store.close()


def come(store: Store, watch: EntryWatch, count: int, prefix: str, at: Any = START) -> None:
    """So many customers come, each in a turn of their own."""
    for number in range(count):
        arrive(store, f"{prefix}{number}", event(id=f"{prefix}{number}", at=at), at)
    while turn_once(store, at, 1, saved=watch.decided).customers:
        pass


def paused(store: Store) -> frozenset[str]:
    return store.switches().paused


def test_a_fifth_more_than_expected_may_come_and_nobody_after(stores: tuple[Store, Store]) -> None:
    one, two = stores
    first, second = EntryWatch(one), EntryWatch(two)
    expect(one, "j", 10, START)
    come(one, first, 6, "a")
    come(two, second, 6, "b")
    assert not paused(one) and not list(safety_troubles(one, START))
    come(two, second, 1, "c")
    assert paused(one) == {"j"}, "and not the other journey"
    [trouble] = safety_troubles(one, START)
    assert trouble.name == "overrun:j" and "more than 12 customers came in, and 10 were expected" in trouble.what
    come(one, first, 3, "d")
    assert {name for name, _ in one.overview().enrollments} == {"j", "k"}
    assert one.overview().enrollments["j", "running"] == 13


def test_who_resumes_it_has_seen_how_many_they_are(stores: tuple[Store, Store]) -> None:
    one, _ = stores
    watch = EntryWatch(one)
    expect(one, "j", 1, START)
    come(one, watch, 2, "a")
    assert "j" in paused(one) and not expectations(one)
    one.set_switches(Switches())
    assert not list(safety_troubles(one, START)), "the trouble is over"
    find_troubles(one, {}, START, START)
    one.set_switches(Switches(paused=frozenset({"j"})))
    assert not list(safety_troubles(one, START)), "this pause is somebody's own"
    one.set_switches(Switches())
    come(one, watch, 5, "b")
    assert not paused(one)


def test_after_a_day_nobody_counts(stores: tuple[Store, Store]) -> None:
    one, _ = stores
    watch = EntryWatch(one)
    expect(one, "j", 2, START)
    come(one, watch, 2, "a")
    come(one, watch, 9, "b", START + WATCHED_FOR)
    assert not paused(one)


def test_the_next_deploy_expects_anew(stores: tuple[Store, Store]) -> None:
    one, _ = stores
    watch = EntryWatch(one)
    expect(one, "j", 5, START)
    come(one, watch, 5, "a")
    later = START + timedelta(hours=1)
    expect(one, "j", 5, later)
    assert expectations(one) == [Expectation("j", 5, later)]
    watch._read_at = None
    come(one, watch, 6, "b", later)
    assert not paused(one)
    come(one, watch, 1, "c", later)
    assert "j" in paused(one)


def test_what_could_not_be_counted_is_counted_next(tmp_path: Path) -> None:
    store = MemoryStore()
    store.deploy(Index(project_of(tmp_path, {"j": JOURNEY, "k": JOURNEY}).project), START)
    expect(store, "j", 4, START)
    watch = EntryWatch(store)
    take = store.take_quota

    def away(*_: Any) -> Any:
        raise StoreBusy("away")

    store.take_quota = away  # type: ignore[method-assign]
    come(store, watch, 4, "a")
    store.take_quota = take  # type: ignore[method-assign]
    come(store, watch, 1, "b")
    assert "j" in paused(store), "five, and four and a half were allowed"


def test_where_nothing_is_expected_nothing_is_counted_and_the_database_is_asked_now_and_then(tmp_path: Path) -> None:
    store = MemoryStore()
    store.deploy(Index(project_of(tmp_path, {"j": JOURNEY}).project), START)
    clock = [0.0]
    asked: list[str] = []
    marks = store.marks

    def counted(prefix: str) -> Any:
        asked.append(prefix)
        return marks(prefix)

    store.marks = counted  # type: ignore[method-assign]
    watch = EntryWatch(store, lambda: clock[0])
    for _ in range(1_000):
        watch.decided(Changes(1))
        clock[0] += 0.01
    assert len(asked) == 1 + int(9.99 / READ_EVERY)
