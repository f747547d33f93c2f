"""What a store says of segments by their members, and whom it tells of an occurrence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from orchestrator.core.inbox import Event, Identified, Occurred
from orchestrator.core.index import Index
from orchestrator.stores.protocol import Store
from orchestrator.stores.shards import SHARDS
from tests.stores.driving import START, arrive, create, event, index_of, later, turns

SEGMENTS: dict[str, Any] = {
    "buyers": {"where": "count('bought', within='30d') > 0"},
    "rich": {"where": "customer.points > 10 and in_segment('buyers')"},
    "odd": {"where": "customer.plan | lower == 'x'"},
}
ON_MONDAYS: dict[str, Any] = {
    "enter": {"schedule": "0 9 * * MON", "segment": "buyers", "timezone": "UTC"},
    "steps": [{"wait": "1h"}],
}


def segmented() -> Index:
    return index_of({"mondays": ON_MONDAYS}, segments=SEGMENTS)


def members(store: Store, segment: str) -> list[str]:
    """All members, page by page."""
    found: list[str] = []
    after: str | None = None
    while True:
        page, after = store.segment_members(segment, after, 2)
        found += [member.customer for member in page]
        if after is None:
            return sorted(found)


def build(store: Store) -> int:
    """All that is to be worked out."""
    done = 0
    while looked_at := store.build_segments(later(minutes=1), 256):
        done += looked_at
    return done


def nothing_differs(store: Store) -> None:
    checked, found = store.segment_differences(later(minutes=1), range(SHARDS))
    assert checked > 0
    assert found == []


class SegmentContract:
    def test_turns_keep_the_members(self, empty_store: Store) -> None:
        store = empty_store
        store.deploy(segmented(), START)
        create(store, "a", "b", "c", points=20)
        assert store.segment_sizes() == {"buyers": 0, "rich": 0, "odd": 0}
        arrive(store, "a", event("bought"))
        arrive(store, "b", event("bought"))
        arrive(store, "c", Identified({"plan": "X"}))
        turns(store, START)
        assert store.segment_sizes() == {"buyers": 2, "rich": 2, "odd": 1}
        assert members(store, "buyers") == members(store, "rich") == ["a", "b"]
        arrive(store, "b", Identified({"points": 1}), later(1))
        turns(store, later(1))
        assert members(store, "rich") == ["a"]
        turns(store, START + timedelta(days=31))  # time alone
        assert store.segment_sizes() == {"buyers": 0, "rich": 0, "odd": 1}

    def test_a_deploy_is_worked_out_by_shards(self, empty_store: Store) -> None:
        store = empty_store
        store.deploy(index_of(), START)
        create(store, *(f"u{n}" for n in range(9)), points=20)
        for n in (1, 4, 7):
            store.lay_history(f"u{n}", [Event("bought", START, {}, f"b{n}")])
        arrive(store, "u8", Identified({"plan": "X"}))
        turns(store, START)
        store.deploy(segmented(), later(minutes=1))
        counted = build(store)
        if store.segment_builds():  # nobody's turn was taken yet
            assert counted == SHARDS
            assert {(one.phase, one.usable) for one in store.segment_builds()} == {("settling", True)}
            assert store.segment_sizes() == {"buyers": 3, "rich": 3, "odd": 1}
        turns(store, later(minutes=1))
        build(store)
        assert {one.phase for one in store.segment_builds()} <= {"done"}
        assert members(store, "buyers") == members(store, "rich") == ["u1", "u4", "u7"]
        assert members(store, "odd") == ["u8"]
        nothing_differs(store)

    def test_what_is_no_segment_any_more_has_no_members(self, empty_store: Store) -> None:
        store = empty_store
        store.deploy(segmented(), START)
        create(store, "a")
        arrive(store, "a", event("bought"))
        turns(store, START)
        store.deploy(index_of(), later(1))
        turns(store, later(1))
        build(store)
        assert store.segment_builds() == [] or store.segment_builds() == ()
        assert members(store, "buyers") == []

    def test_an_occurrence_reaches_those_in_the_segment(self, empty_store: Store) -> None:
        store = empty_store
        store.deploy(segmented(), START)
        create(store, *(f"u{n}" for n in range(6)))
        for n in (1, 4):
            arrive(store, f"u{n}", event("bought"))
        turns(store, START)
        arrive(store, "u5", event("bought"))  # it waits for its turn, and may be in the segment then
        assert store.fan_out("mondays", 0, "2026-03-09T09:00", None, "buyers", later(1)) == 3
        turns(store, later(1))
        entered = {t.customer for t in store.drain_journal() if t.type == "entered"}
        assert entered == {"u1", "u4", "u5"}

    def test_a_condition_is_counted_before_it_is_deployed(self, empty_store: Store) -> None:
        store = empty_store
        store.deploy(index_of(), START)
        create(store, *(f"u{n}" for n in range(5)), points=20)
        arrive(store, "u2", Occurred(Event("bought", START, {}, "x")))
        turns(store, START)
        index = segmented()
        for name, expected in (("buyers", 1), ("rich", 1), ("odd", 0)):
            counts = store.count_matching(index.segments[name].where, index, START, range(SHARDS), 3)
            assert sum(count.customers for count in counts) == 5
            assert sum(count.members for count in counts) == expected
            assert [id for count in counts for id in count.sample] == ["u2"] * expected
