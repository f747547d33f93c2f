"""What may come in, what is refused with a reason, and what an event without an id is."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import pytest

from orchestrator.core.inbox import (
    ConsentChanged,
    EnrollmentRequested,
    Identified,
    Occurred,
    Receipt,
    SurveyAnswered,
)
from orchestrator.core.tracking_plan import Violation
from orchestrator.runtime.ingest import Incoming, IngestCounts, Told, content_id, ingest_once
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Store
from tests.stores.driving import START, index_of, later


@pytest.fixture
def store() -> Store:
    store = MemoryStore()
    store.deploy(index_of(), START)
    return store


def take(store: Store, *items: Any, at: Any = START) -> IngestCounts:
    return ingest_once(store, items, at)


def events(store: Store) -> list[Any]:
    found = [item.body for view in store.load(later(days=999), 99).customers for item in view.inbox]
    return [body.event for body in found if isinstance(body, Occurred)]


# --- timestamps ------------------------------------------------------


def test_an_event_without_a_timestamp_happened_at_its_arrival(store: Store) -> None:
    take(store, Incoming("u1", "go", {}))
    assert [event.at for event in events(store)] == [START]


def test_an_events_own_timestamp_is_kept(store: Store) -> None:
    take(store, Incoming("u1", "go", {}, later(-5)))
    assert [event.at for event in events(store)] == [later(-5)]


def test_a_timestamp_in_the_future_is_read_as_the_arrival(store: Store) -> None:
    take(store, Incoming("u1", "go", {}, START + timedelta(microseconds=1)))
    take(store, Incoming("u1", "ping", {}, START.replace(year=9999)))
    assert [event.at for event in events(store)] == [START, START]


# --- ids ------------------------------------------------------


def test_the_same_content_without_an_id_is_one_event(store: Store) -> None:
    counts = take(store, *[Incoming("u1", "go", {"n": 1, "order": "o"}, later(-1))] * 3)
    assert (counts.accepted, counts.duplicates, counts.conflicts) == (1, 2, ())


def test_the_order_of_keys_is_no_content(store: Store) -> None:
    one, other = {"n": 1, "order": "o"}, {"order": "o", "n": 1}
    assert content_id("u1", "go", START, one) == content_id("u1", "go", START, other)
    assert take(store, Incoming("u1", "go", one), Incoming("u1", "go", other)).accepted == 1


@pytest.mark.parametrize(
    "other",
    [
        Incoming("u2", "go", {"n": 1}, START),
        Incoming("u1", "ping", {"n": 1}, START),
        Incoming("u1", "go", {"n": 1}, later(-1)),
        Incoming("u1", "go", {"n": 2}, START),
        Incoming("u1", "go", {"n": "1"}, START),
        Incoming("u1", "go", {"n": True}, START),
        Incoming("u1", "go", {"n": None}, START),
        Incoming("u1", "go", {}, START),
    ],
)
def test_other_content_is_another_event(store: Store, other: Incoming) -> None:
    assert take(store, Incoming("u1", "go", {"n": 1}, START), other).accepted == 2


def test_a_retry_without_a_timestamp_is_no_conflict(store: Store) -> None:
    take(store, Incoming("u1", "go", {"n": 1}, None, "m1"))
    counts = take(store, Incoming("u1", "go", {"n": 1}, None, "m1"), at=later(3))
    assert (counts.duplicates, counts.conflicts) == (1, ())


def test_another_body_under_the_same_id_is_a_conflict(store: Store) -> None:
    counts = take(store, Incoming("u1", "go", {"n": 1}, None, "m1"), Incoming("u1", "go", {"n": 2}, None, "m1"))
    assert (counts.accepted, counts.conflicts) == (1, ("m1",))
    assert [event.properties for event in events(store)] == [{"n": 1}]


# --- what a database cannot hold ------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (Incoming("u\x00", "go", {}), "U+0000"),
        (Incoming("u1", "g\x00o", {}), "U+0000"),
        (Incoming("u1", "go", {"note": "a\x00b"}), "U+0000"),
        (Incoming("u1", "go", {"no\x00te": 1}), "U+0000"),
        (Incoming("u1", "go", {"items": [{"sku": "\x00"}]}), "U+0000"),
        (Incoming("u1", "go", {}, None, "m\x00"), "U+0000"),
        (Incoming("u1", "go", {"note": "\ud83d"}), "lone surrogate"),
        (Incoming("\udc00", "go", {}), "lone surrogate"),
        (Incoming("u1", "go", {}, None, "\ud800"), "lone surrogate"),
        (Incoming("", "go", {}), "1 to 512"),
        (Incoming("u1", "", {}), "1 to 512"),
        (Incoming("u" * 513, "go", {}), "1 to 512"),
        (Incoming("u1", "go", {}, None, "m" * 513), "1 to 512"),
        (Incoming("u" * 513, "go", {}, fit=True), "1 to 512"),
        (Incoming("u1", "go", {}, None, "m" * 513, True), "1 to 512"),
        (Told("u1", Identified({}), "", True), "1 to 512"),
        (Incoming("u1", "go", {"total": math.nan}), "no number"),
        (Incoming("u1", "go", {"total": [math.inf]}), "no number"),
        (("u1", Identified({"plan": "\x00"})), "U+0000"),
        (("u1", Receipt("reply", "sms", None, text="\x00")), "U+0000"),
        (("u1", SurveyAnswered("nps", text="\ud800")), "lone surrogate"),
        (("u1", EnrollmentRequested("waits", {"a": {"b": "\x00"}})), "U+0000"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_the_others_are_taken(store: Store, bad: Any, why: str) -> None:
    counts = take(store, Incoming("a", "go", {}), bad, Incoming("z", "go", {}))
    assert counts.accepted == 2
    [(position, reason)] = counts.refused
    assert position == 1
    assert why in reason


def test_what_looks_odd_and_can_be_stored_is_taken(store: Store) -> None:
    odd = {"emoji": "\U0001f600 \u200d\ufeff", "rtl": "\u202etxt", "big": 2**63, "": [], "deep": {"a": [{"b": None}]}}
    assert take(store, Incoming("用户-1 ü/'\"", "go", odd)).refused == ()


def test_values_nested_too_deeply_are_refused(store: Store) -> None:
    deep: Any = "end"
    for _ in range(40):
        deep = [deep]
    why = "values are nested more than 32 levels deep"
    for fit in (False, True):
        assert take(store, Incoming("u1", "go", {"deep": deep}, fit=fit)).refused == ((0, why),)
        assert take(store, Told("u1", Identified({"deep": deep}), None, fit)).refused == ((0, why),)


# --- traits with a meaning of their own ------------------------------------------------------


@pytest.mark.parametrize(
    ("traits", "why"),
    [
        ({"email": 5}, "'email' is int; expected text"),
        ({"timezone": ["UTC"]}, "'timezone' is list"),
        ({"stage": {}}, "'stage' is dict"),
        ({"tags": "vip"}, "'tags' is no list"),
        ({"tags": ["a", 1]}, "'tags' is no list"),
        ({"created_at": "yesterday"}, "'created_at' is no instant"),
        ({"created_at": START.replace(tzinfo=None)}, "'created_at' is no instant"),
        ({"consents": "in"}, "'consents' is not shaped"),
        ({"consents": {"promotions": "in"}}, "'consents' is not shaped"),
        ({"consents": {"promotions": {"email": "maybe"}}}, "'consents' is not shaped"),
    ],
)
def test_traits_that_cannot_mean_what_they_should_are_refused(store: Store, traits: Any, why: str) -> None:
    counts = take(store, ("u1", Identified(traits)))
    assert counts.accepted == 0
    assert why in counts.refused[0][1]


def test_good_traits_are_taken(store: Store) -> None:
    traits = {
        "email": None, "tags": ["a"], "created_at": START, "stage": "use", "born": date(1990, 1, 1),
        "consents": {"promotions": {"email": "in"}},
    }  # fmt: skip
    assert take(store, ("u1", Identified(traits))).accepted == 1


def test_an_opt_out_among_traits_is_effective_at_once(store: Store) -> None:
    counts = take(store, ("u1", Identified({"consents": {"promotions": {"email": "out", "sms": "in"}}})))
    assert counts.accepted == 2
    [view] = store.load(START, 10).customers
    assert view.customer.consents == {("promotions", "email"): "out"}
    assert [item.body for item in view.inbox][1:] == [ConsentChanged("promotions", "email", "out", "api")]


# --- the tracking plan ------------------------------------------------------


PLAN = {"customer": {}, "events": {"go": {"order": {"type": "string", "required": True}, "n": {"type": "integer"}}}}


@pytest.mark.parametrize(
    ("policy", "kept"),
    [("keep", {"order": "o", "colour": "red"}), ("drop", {"order": "o"}), ("reject", None)],
)
def test_unknown_properties_are_kept_dropped_or_rejected_and_counted(policy: str, kept: Any) -> None:
    store = MemoryStore()
    index = index_of({}, schema=PLAN, project={"settings": {"unknown_properties": policy}})
    store.deploy(index, START)
    counts = take(store, Incoming("u1", "go", {"order": "o", "colour": "red"}))
    assert counts.violations == (Violation("go", "colour", "unknown_property", "red"),)
    if kept is None:
        assert counts.refused == ((0, "the property 'colour' of go is not declared in schema.yaml"),)
        assert store.card("u1") is None
    else:
        assert counts.accepted == 1
        assert [event.properties for event in events(store)] == [kept]


def test_missing_required_properties_are_counted_and_refuse_nothing() -> None:
    store = MemoryStore()
    store.deploy(index_of({}, schema=PLAN), START)
    counts = take(store, Incoming("u1", "go", {"n": 1}), Incoming("u1", "go", {"order": None}))
    assert counts.accepted == 2
    assert counts.violations == (Violation("go", "order", "missing_property"),) * 2


def test_events_that_nobody_declared_are_taken() -> None:
    store = MemoryStore()
    store.deploy(index_of({}, schema=PLAN, project={"settings": {"unknown_properties": "reject"}}), START)
    assert take(store, Incoming("u1", "anything", {"colour": "red"})).accepted == 1


# --- what is not an event, sent again ------------------------------------------------------


def test_traits_sent_again_under_their_id_are_taken_once(store: Store) -> None:
    first, second = Identified({"plan": "a"}), Identified({"plan": "b"})
    counts = take(store, Told("u1", first, "m1"), Told("u1", second, "m2"), Told("u1", first, "m1"))
    assert (counts.accepted, counts.duplicates, counts.conflicts) == (2, 1, ())
    assert take(store, Told("u1", second, "m1")).conflicts == ("m1",)


def test_an_opt_out_sent_again_does_not_undo_a_later_opt_in(store: Store) -> None:
    out = Told("u1", Identified({"consents": {"promotions": {"email": "out"}}}), "m1")
    take(store, out)
    take(store, ("u1", ConsentChanged("promotions", "email", "in")))
    assert take(store, out).duplicates == 2
    [view] = store.load(START, 10).customers
    assert [item.body for item in view.inbox][-1] == ConsentChanged("promotions", "email", "in")


def test_an_id_that_cannot_be_stored_refuses_what_it_stands_for(store: Store) -> None:
    counts = take(store, Told("u1", Identified({}), "m\x00"), Told("u1", Identified({}), "m" * 513))
    assert [position for position, _ in counts.refused] == [0, 1]


@pytest.mark.parametrize("name", ["segment_changed", "stage_changed"])
def test_events_that_only_the_engine_makes_are_refused(store: Store, name: str) -> None:
    [(_, why)] = take(store, Incoming("u1", name, {})).refused
    assert "the engine's own" in why


@pytest.mark.parametrize("bad", [math.nan, math.inf, "\x00", "\ud800", {"\x00": 1}])
@pytest.mark.parametrize("levels", range(6))
def test_what_cannot_be_stored_is_found_however_deep_it_lies(store: Store, bad: Any, levels: int) -> None:
    for level in range(levels):
        bad = {"fine": "text", "a": bad} if level % 2 else [1.5, "text", bad]
    assert len(take(store, Incoming("u1", "go", {"list": [{"sku": "A", "n": 1}], "deep": bad})).refused) == 1
