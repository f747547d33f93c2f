"""Classes by quantiles: every class holds its share, equal values stand together, every pair has a segment."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.rfm import SEGMENTS, Bounds, Buyer, Classes, attribute_of, bounds_of, classes_of, segment_of

buyers = st.lists(
    st.builds(Buyer, st.integers(0, 50), st.integers(1, 9), st.integers(-5, 50).map(float)), min_size=1, max_size=60
)


@given(buyers, st.integers(2, 10))
def test_classes_follow_the_order_of_values(found: list[Buyer], classes: int) -> None:
    bounds = bounds_of(found, classes)
    placed = [classes_of(buyer, bounds) for buyer in found]
    for column in range(3):
        pairs = sorted((buyer[column], given[column]) for buyer, given in zip(found, placed))
        assert [place for _, place in pairs] == sorted(place for _, place in pairs)
        assert len(set(pairs)) == len({value for value, _ in pairs})  # equal values, one class
        assert all(1 <= place <= classes for _, place in pairs)


def test_classes_of_different_values_are_of_one_size() -> None:
    found = [Buyer(n, n, float(n)) for n in range(1, 101)]
    bounds = bounds_of(found, 5)
    assert bounds.frequency == (20, 40, 60, 80)
    assert Counter(classes_of(buyer, bounds).monetary for buyer in found) == dict.fromkeys(range(1, 6), 20)


def test_every_pair_of_classes_has_one_segment() -> None:
    pairs = [pair for pairs in SEGMENTS.values() for pair in pairs]
    assert sorted(pairs) == [f"{r}{f}" for r in range(1, 6) for f in range(1, 6)]
    assert segment_of(Classes(5, 5, 1), 5) == "champions"
    assert segment_of(Classes(3, 3, 1), 3) == "champions"
    assert segment_of(Classes(10, 10, 1), 10) == "champions"
    for classes in range(2, 11):
        for r in range(1, classes + 1):
            assert attribute_of(Classes(r, 1, 1), classes)["segment"] in SEGMENTS


def test_nobody_bought() -> None:
    assert bounds_of([], 5) == Bounds()
