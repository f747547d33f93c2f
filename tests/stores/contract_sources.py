"""The contract about sources: what does not fit the tracking plan is counted, bounded, and forgotten with a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from orchestrator.stores import memory_sources, violation_rows
from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_sources import ViolationCount
from tests.stores.driving import START, create, later

COLOUR = ViolationCount("http", "go", "colour", "unknown_property", 2, START, later(1), ("'red'",))


class SourcesContract:
    """Tests of violations."""

    def test_violations_are_added_up(self, store: Store) -> None:
        store.keep_violations([COLOUR, COLOUR._replace(kind="mistyped", times=1)])
        more = COLOUR._replace(times=40, first_at=later(2), last_at=later(3), examples=("'blue'", "7"))
        store.keep_violations([more])
        store.keep_violations([COLOUR._replace(times=1, first_at=later(2), last_at=later(2), examples=())])
        [first, second] = store.violations(10)
        assert first == COLOUR._replace(times=43, last_at=later(3), examples=("'blue'", "7"))
        assert (second.kind, second.times) == ("mistyped", 1)
        assert list(store.violations(1)) == [first]

    def test_violations_are_cleared(self, store: Store) -> None:
        store.keep_violations([COLOUR, COLOUR._replace(event="stop"), COLOUR._replace(event="stop", source="x")])
        assert store.clear_violations("stop") == 2
        assert [one.event for one in store.violations(10)] == ["go"]
        assert store.clear_violations() == 1 and list(store.violations(10)) == []

    def test_violations_are_bounded(self, store: Store, monkeypatch: Any) -> None:
        for module in (violation_rows, memory_sources):
            monkeypatch.setattr(module, "MOST_KEPT", 3)
        for n in range(6):
            store.keep_violations([COLOUR._replace(event=f"e{n}", last_at=START + timedelta(minutes=n))])
        assert sorted(one.event for one in store.violations(10)) == ["e3", "e4", "e5"]

    def test_examples_go_with_the_person(self, store: Store) -> None:
        create(store, "u1", email="u1@example.com")
        mine = COLOUR._replace(event="a", examples=("'U1@example.com'",))
        store.keep_violations([mine, COLOUR])
        certificate = store.erase("u1", later(10), later(10), "operator")
        assert certificate is not None
        assert {one.event: one.examples for one in store.violations(10)} == {"a": (), "go": ("'red'",)}
