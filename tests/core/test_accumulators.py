"""Computed attributes: kept event by event they are what a recount of the whole history gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.accumulators import MOST_VALUES, Accumulator, Kind, added, recount, united, value_of, values_at
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.state import dumps, loads

START = datetime(2026, 3, 1, tzinfo=UTC)
KINDS: tuple[Kind, ...] = ("count", "sum", "min", "max", "first", "last", "most")
values = st.one_of(st.integers(-1_000, 1_000), st.floats(-1e6, 1e6).map(lambda x: round(x, 2)))
texts = st.sampled_from(["shoes", "hats", "socks", "", "x" * 500])
events = st.lists(st.tuples(st.integers(0, 500), st.one_of(values, texts, st.none(), st.booleans())), max_size=30)


def past(hours: int, value: Any, n: int = 0) -> PastEvent:
    return PastEvent(START + timedelta(hours=hours), "bought", {"v": value}, f"e{n}")


def kept(of: Accumulator, history: list[PastEvent]) -> Any:
    state: Any = None
    for event in history:
        state = added(of, state, event)
        state = None if state is None else loads(dumps(state))  # as a store keeps it
    return value_of(of, state)


@pytest.mark.parametrize("kind", KINDS)
@given(events)
def test_kept_event_by_event_or_counted_at_once(kind: Kind, told: list[tuple[int, Any]]) -> None:
    of = Accumulator("a", kind, "bought", ("v",))
    arrived = [past(hours, value, n) for n, (hours, value) in enumerate(told)]
    in_order = sorted(arrived, key=lambda event: event.at)
    assert kept(of, arrived) == value_of(of, recount(of, in_order, lambda _: True)) or kind in ("min", "max")


@pytest.mark.parametrize("kind", KINDS)
@given(events, st.integers(0, 30))
def test_two_halves_unite(kind: Kind, told: list[tuple[int, Any]], at: int) -> None:
    of = Accumulator("a", kind, "bought", ("v",))
    numbers = [(hours, value) for hours, value in told if kind == "most" or not isinstance(value, str)]
    history = sorted((past(hours, value) for hours, value in numbers), key=lambda event: event.at)
    halves = [recount(of, half, lambda _: True) for half in (history[:at], history[at:])]
    assert value_of(of, united(of, *halves)) == value_of(of, recount(of, history, lambda _: True))


@given(st.lists(st.integers(-100_000, 100_000), max_size=50))
def test_sums_of_money_are_exact(cents: list[int]) -> None:
    of = Accumulator("a", "sum", "bought", ("v",))
    found = kept(of, [past(n, value / 100) for n, value in enumerate(cents)])
    assert (found or 0) == sum(cents) / 100


def test_without_a_property_first_and_last_are_instants() -> None:
    history = [past(5, 1), past(2, 1), past(9, 1)]
    assert kept(Accumulator("a", "first", "bought"), history) == "2026-03-01T02:00:00Z"
    assert kept(Accumulator("a", "last", "bought"), history) == "2026-03-01T09:00:00Z"
    assert kept(Accumulator("a", "count", "bought"), history) == 3


def test_a_path_leads_through_lists() -> None:
    order = {"items": [{"sku": "a", "n": 1}, {"sku": "b"}, None, "x"], "total": 5}
    assert list(values_at(order, ("items", "sku"))) == ["a", "b"]
    assert list(values_at(order, ("items", "n"))) == [1]
    assert list(values_at(order, ("nothing", "at", "all"))) == []


def test_the_most_frequent_value_survives_any_number_of_others() -> None:
    of = Accumulator("a", "most", "bought", ("v",))
    state: Any = None
    for n in range(10 * MOST_VALUES):
        state = added(of, state, past(n, f"rare {n}"))
        state = added(of, state, past(n, "often"))
    assert value_of(of, state) == "often" and len(state) == MOST_VALUES


def test_equally_frequent_ones_have_an_order() -> None:
    of = Accumulator("a", "most", "bought", ("v",))
    assert kept(of, [past(1, "b"), past(2, "a")]) == kept(of, [past(1, "a"), past(2, "b")]) == "a"
