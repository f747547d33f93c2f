"""Where a customer is, and which rules about hours hold there."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.compliance.packs import load_pack
from orchestrator.compliance.quiet import Kept, placed_rules, places_of
from orchestrator.core.customer import Customer
from orchestrator.core.quiet_plan import MOST_PLACES, PlacedQuiet, PlacedTimes, Places, QuietPlan
from orchestrator.core.time.holiday_dates import Calendar
from orchestrator.core.time.quiet import QuietWindow

KEPT = [Kept(load_pack("us")), Kept(load_pack("cn")), Kept(load_pack("ca"))]
PLAN = QuietPlan(tuple(placed_rules(KEPT)), places_of(KEPT))


def customer(**fields: Any) -> Customer:
    made = Customer("u1", datetime(2026, 1, 1, tzinfo=UTC))
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def texts(plan: QuietPlan = PLAN) -> PlacedTimes:
    found = plan.times("promotional", "sms")
    assert found is not None
    return found


def ends(**fields: Any) -> set[tuple[int, int]]:
    """The windows at a place, as hours."""
    found = texts().at(customer(**fields))
    return set() if found is None else {(w.start.hour, w.end.hour) for w in found.windows}


FEDERAL = {(0, 8), (21, 0)}
FLORIDA = FEDERAL | {(20, 0)}
ALL_STATES = FLORIDA | {(0, 9), (0, 12)}


@pytest.mark.parametrize(
    ("fields", "windows"),
    [
        ({"country": "US", "attributes": {"region": "NY"}}, FEDERAL),
        ({"country": "us", "attributes": {"state": "fl"}}, FLORIDA),
        ({"phone": "+1 (305) 555-0123"}, FLORIDA),
        ({"phone": "3055550123", "country": "US"}, FLORIDA),
        ({"phone": "001 305 555 0123"}, FLORIDA),
        ({"phone": "+12125550123"}, FEDERAL),
        ({"country": "US", "attributes": {"region": "NY"}, "phone": "+13055550123"}, FLORIDA),  # both hold
        ({"country": "US"}, ALL_STATES),  # some state of it
        ({"country": "US", "attributes": {"region": "Atlantis"}}, ALL_STATES),
        ({"country": "US", "phone": "+18005550123"}, ALL_STATES),
        ({"country": "PR"}, FEDERAL),  # a territory, no unknown state
        ({"phone": "+8613800000000"}, FEDERAL),  # the hours of China are the same
        ({"country": "PT", "phone": "+8613800000000"}, FEDERAL),
        ({"country": "PT", "phone": "+351912345678"}, set()),
        ({"country": "CA", "attributes": {"region": "ON"}}, set()),
        ({"country": "CA", "phone": "+14165550123"}, set()),
        ({}, ALL_STATES),  # nobody knows: the strictest
        ({"phone": "no number", "country": ""}, ALL_STATES),
        ({"country": "US", "attributes": {"region": ["a", "list"]}}, ALL_STATES),
    ],
)
def test_hours_by_place(fields: dict[str, Any], windows: set[tuple[int, int]]) -> None:
    assert ends(**fields) == windows


def test_the_same_rules_are_the_same_object() -> None:
    times = texts()
    assert times.at(customer(phone="+13055550123")) is times.at(customer(phone="+17865550123", country="US"))


def test_what_no_rule_binds_has_no_times() -> None:
    assert PLAN.times("promotional", "email") is None
    assert PLAN.times("transactional", "sms") is None


def test_a_pack_may_leave_unknown_countries_alone() -> None:
    kept = [Kept(load_pack("us"), strict=False)]
    assert texts(QuietPlan(tuple(placed_rules(kept)), places_of(kept))).at(customer()) is None


def test_holidays_are_those_of_the_place_and_else_of_home() -> None:
    rule = PlacedQuiet("project", holidays=True, calendar=Calendar("PT"))
    times = texts(QuietPlan((rule,), Places()))
    told = {}
    for fields in ({"country": "FR"}, {"phone": "+33612345678"}, {}, {"country": "FR", "phone": "+4915112345678"}):
        found = times.at(customer(**fields))
        assert found is not None
        told[str(fields)] = [calendar.country for calendar in found.calendars]
    assert list(told.values()) == [["FR"], ["FR"], ["PT"], ["DE", "FR"]]


def test_plans_compare_by_their_rules() -> None:
    window = QuietWindow(time(20), time(8))
    assert QuietPlan((PlacedQuiet("a", (window,)),), Places()) == QuietPlan((PlacedQuiet("a", (window,)),), Places())
    assert QuietPlan((PlacedQuiet("a", (window,)),), Places()) != QuietPlan((PlacedQuiet("a"),), Places())


@given(
    st.none() | st.text(max_size=12) | st.sampled_from(["US", "CN", "PT"]),
    st.none() | st.text(max_size=50) | st.integers() | st.sampled_from(["TX", "FL"]),
    st.none() | st.text(max_size=20) | st.from_regex(r"\+1[2-9][0-9]{9}", fullmatch=True),
)
def test_whatever_a_profile_says_is_a_place(country: str | None, region: object, phone: str | None) -> None:
    found = texts().at(customer(country=country, attributes={"region": region}, phone=phone))
    if country in ("US", "CN"):
        assert found is not None
        assert {(0, 8), (21, 0)} <= {(w.start.hour, w.end.hour) for w in found.windows}


def test_memory_is_bounded() -> None:
    times = PlacedTimes(PLAN.rules, Places())
    for number in range(MOST_PLACES + 10):
        times.at(customer(country=f"X{number}"))
    assert len(times._by_place) <= MOST_PLACES
