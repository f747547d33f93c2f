"""Where a customer is, and which rules about hours hold there."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.compliance.packs import area_codes, load_pack
from orchestrator.compliance.quiet import Kept, placed_rules, places_of
from orchestrator.core.customer import Customer
from orchestrator.core.quiet_plan import MOST_PLACES, Placed, PlacedQuiet, PlacedTimes, Places, QuietPlan
from orchestrator.core.time.country_names import country_code
from orchestrator.core.time.holiday_dates import Calendar, holiday_year
from orchestrator.core.time.quiet import QuietWindow, quiet_and_next, quiet_until
from orchestrator.core.time.zone_in_force import country_of_phone, zone_in_force, zones_of_country
from orchestrator.core.time.zones import zone_or_none
from orchestrator.insights.wall_clock import was_quiet

LISBON = ZoneInfo("Europe/Lisbon")

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


# --- whatever a profile says ------------------------------------------------------------------------------------------

HOLIDAYS = PlacedQuiet("project", (QuietWindow(time(22), time(8)),), holidays=True, calendar=Calendar("PT"))
WITH_HOLIDAYS = QuietPlan((HOLIDAYS, *placed_rules(KEPT)), places_of(KEPT))
COUNTRIES = (
    st.none() | st.text(max_size=12) | st.sampled_from(["US", "CN", "PT", "us ", "USA", "Germany", "德国", "XX", "ZZ"])
    | st.sampled_from(["Bank", "May", "Mar", "Sun", "Public", "Roma", "Islamic", "NYSE", "HolidayBase"])
)  # fmt: skip
REGIONS = st.none() | st.text(max_size=50) | st.integers() | st.sampled_from(["TX", "FL", "NY", "Texas", ["a"]])
PHONES = (
    st.none() | st.text(max_size=20) | st.from_regex(r"\+1[2-9][0-9]{9}", fullmatch=True)
    | st.sampled_from(["+18005550123", "+12035550123", "+33612345678", "+447911123456", "+39066981", "3055550123"])
)  # fmt: skip
AWAY_AND_OWN = st.sampled_from([("project", None), ("customer", "Asia/Tokyo"), ("step", "Asia/Tokyo")])


@settings(max_examples=200, deadline=None)
@given(COUNTRIES, REGIONS, PHONES, PHONES, AWAY_AND_OWN)
def test_whatever_a_profile_says_somebody_is_somewhere(
    country: str | None, region: object, phone: str | None, to: str | None, zone: tuple[str, str | None]
) -> None:
    """Never an error, and never fewer rules than for whom nobody knows anything, unless a place is truly known."""
    link, name = zone
    own = zone_in_force(None, name if link == "customer" else None, phone, country, LISBON)
    in_force = zone_in_force(name, None, None, None, LISBON) if link == "step" else own
    who = customer(country=country, attributes={"region": region}, phone=phone)
    times = texts(WITH_HOLIDAYS)
    placed = times.placed(who, in_force, own, to)
    assert placed.quiet is not None
    assert placed == times.placed(who, in_force, own, to), "asking twice changes nothing"
    # An area code tells the country of a number that was never given out, too.
    told = {country_code(country or "")} | {
        area_codes()[each[2:5]][0] if each[:2] == "+1" and each[2:5] in area_codes() else country_of_phone(each)
        for each in (phone, to)
        if each
    }
    hours = {(w.start.hour, w.end.hour) for w in placed.quiet.windows}
    if told & {"US", "CN"} or (told == {None} and not (phone or to)):
        assert hours >= FEDERAL
    for each in (phone, to):
        if each and each.startswith("+1") and area_codes().get(each[2:5], ("", ""))[1] == "FL":
            assert hours >= FLORIDA
    at = datetime(2026, 12, 24, 12, tzinfo=UTC)
    free_at, _ = quiet_and_next(at, placed.zones, placed.quiet)
    assert free_at is None or at < free_at < at + timedelta(days=40)
    for each in placed.quiet.calendars:
        assert each.country in told | {"PT"}


@pytest.mark.parametrize("country", ["XX", "Narnia", "?", "Bank", "NYSE"])
def test_a_country_that_is_none_is_not_told(country: str) -> None:
    assert texts().at(customer(country=country)) is texts().at(customer())
    own = texts(WITH_HOLIDAYS).at(customer(country=country))
    assert own is not None
    assert own.calendars == (Calendar("PT"),), "the project's own, as for whom nobody knows anything"


@pytest.mark.parametrize(("country", "code"), [("Germany", "DE"), ("USA", "US"), ("DEU", "DE"), ("中国", "CN")])
def test_a_country_by_its_name_is_the_country(country: str, code: str) -> None:
    assert texts(WITH_HOLIDAYS).at(customer(country=country)) is texts(WITH_HOLIDAYS).at(customer(country=code))


NUMBERS = st.sampled_from([
    "+447911123456", "+447781123456", "+447911712345", "+39066982", "+390669812345", "+39066984", "+77011234567",
    "+79161234567", "+358181234567", "+35818123", "+4779123456", "+4721234567", "+16715550123", "+12125550123",
    "+8613800000000", "447781123456", "+12035550123", "+19055550123",
])  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(NUMBERS, min_size=2, max_size=8))
def test_what_was_asked_before_changes_nothing(phones: list[str]) -> None:
    """Numbers that begin alike may belong to two countries."""
    rules = (PlacedQuiet("x", holidays=True, calendar=Calendar("PT")),)
    times = PlacedTimes(rules, places_of(KEPT))
    for phone in phones:
        assert times.at(customer(phone=phone)) == PlacedTimes(rules, places_of(KEPT)).at(customer(phone=phone))


@pytest.mark.parametrize(
    ("fields", "windows"),
    [
        ({"country": "US", "attributes": {"region": "NY"}, "phone": "+18005550123"}, FEDERAL),  # it tells no place
        ({"country": "US", "attributes": {"region": "NY"}, "phone": "+12355550123"}, FEDERAL),  # Missouri
        ({"country": "US", "attributes": {"region": "NY"}, "phone": "+12035550123"}, FEDERAL | {(0, 9), (20, 0)}),
        ({"country": "US", "attributes": {"region": "NY"}, "phone": "7135550123"}, FEDERAL | {(0, 9), (0, 12)}),
    ],
)
def test_area_codes_that_are_split_by_town(fields: dict[str, Any], windows: set[tuple[int, int]]) -> None:
    assert ends(**fields) == windows


def test_a_number_of_a_state_that_nobody_knows_keeps_the_hours_of_all() -> None:
    known = Places({}, places_of(KEPT).regions)
    known = Places({code: place for code, place in area_codes().items() if code != "203"}, known.regions)
    times = PlacedTimes(PLAN.rules, known)
    new_york = {"country": "US", "attributes": {"region": "NY"}}
    for phone in ("+12035550123", "2035550123"):
        found = times.at(customer(**new_york, phone=phone))
        assert found is not None
        assert {(w.start.hour, w.end.hour) for w in found.windows} == ALL_STATES


# --- the law's hours by the clocks of its own places ------------------------------------------------------------------


def placed_for(fields: dict[str, Any], to: str | None = None, step: str | None = None) -> Placed:
    who = customer(**fields)
    own = zone_in_force(None, who.timezone, who.phone, who.country, LISBON)
    in_force = zone_in_force(step, None, None, None, LISBON) if step else own
    return texts(WITH_HOLIDAYS).placed(who, in_force, own, to)


def is_free(placed: Placed, at: datetime) -> bool:
    return placed.quiet is None or quiet_until(at, placed.zones, placed.quiet) is None


MIAMI_AT_4 = datetime(2026, 6, 2, 8, tzinfo=UTC)
MIAMI_AT_15 = datetime(2026, 6, 2, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "to"),
    [
        ({"country": "FR", "phone": "+13055550123"}, None),
        ({"country": "FR"}, "+13055550123"),
        ({"country": "FR", "timezone": "Europe/Paris"}, "+13055550123"),  # the number is somebody else's
        ({"country": "FR", "phone": "+33612345678", "timezone": "Europe/Paris"}, "+13055550123"),
    ],
)
def test_nobody_is_woken_in_miami_because_it_is_morning_in_paris(fields: dict[str, Any], to: str | None) -> None:
    placed = placed_for(fields, to)
    assert not is_free(placed, MIAMI_AT_4)
    assert is_free(placed, MIAMI_AT_15)  # 21:00 in Paris, before the project's own 22:00; noon in Los Angeles
    assert not is_free(placed, datetime(2026, 6, 2, 20, 30, tzinfo=UTC)), "22:30 in Paris: the project's own hours"
    assert not is_free(placed_for(fields, to, "Asia/Tokyo"), MIAMI_AT_4)


def test_a_customer_who_tells_a_zone_is_in_it() -> None:
    placed = placed_for({"country": "FR", "phone": "+13055550123", "timezone": "Europe/Paris"}, "+13055550123")
    assert is_free(placed, MIAMI_AT_4)
    assert placed.zones == (zone_or_none("Europe/Paris"),)


def test_a_project_without_packs_keeps_the_chain() -> None:
    times = PlacedTimes((HOLIDAYS,), Places())
    who = customer(country="FR", phone="+13055550123")
    own = zone_in_force(None, None, who.phone, who.country, LISBON)
    placed = times.placed(who, own, own)
    assert placed.zones == own.all_zones == (zone_or_none("Europe/Paris"),)
    assert is_free(placed, MIAMI_AT_4)


def test_where_both_leave_no_time_the_law_is_kept() -> None:
    """India by the profile, Florida by the number: whatever is sent leaves in no night of the United States."""
    rule = PlacedQuiet("project", (QuietWindow(time(20), time(9)),))
    times = PlacedTimes((rule, *PLAN.rules), places_of(KEPT))
    who = customer(country="IN", phone="+13055550123")
    own = zone_in_force(None, None, who.phone, who.country, LISBON)
    placed = times.placed(who, own, own)
    assert placed.quiet is not None
    free_at = quiet_until(MIAMI_AT_4, placed.zones, placed.quiet)
    assert free_at is not None
    assert free_at - MIAMI_AT_4 < timedelta(days=1)
    for zone in zones_of_country("US"):
        assert 8 <= free_at.astimezone(zone).hour < 20


def test_a_made_up_working_day_of_one_country_is_a_sunday_elsewhere() -> None:
    """On Sunday 4 January 2026 China worked; in Texas it is a Sunday all the same, quiet until noon."""
    times = texts(WITH_HOLIDAYS)
    assert date(2026, 1, 4) in holiday_year(Calendar("CN"), 2026).working
    placed = times.at(customer(country="CN", phone="+12145550123"))
    alone = times.at(customer(country="US", attributes={"region": "TX"}))
    chicago = ZoneInfo("America/Chicago")
    for found in (placed, alone):
        assert found is not None
        assert quiet_until(datetime(2026, 1, 4, 17, tzinfo=UTC), (chicago,), found) is not None
        assert was_quiet(datetime(2026, 1, 4, 17, tzinfo=UTC), chicago, found)


def test_memory_is_bounded() -> None:
    times = PlacedTimes(PLAN.rules, Places())
    for number in range(MOST_PLACES + 10):
        times.at(customer(country="DE", attributes={"region": f"X{number}"}))
    assert len(times._by_place) <= MOST_PLACES
