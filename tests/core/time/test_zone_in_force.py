from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.time.zone_in_force import country_of_phone, zone_in_force, zones_of_country
from orchestrator.core.time.zones import zone_or_none

PROJECT = ZoneInfo("Europe/Lisbon")


@pytest.mark.parametrize(
    ("step", "customer", "phone", "country", "zone", "link"),
    [
        ("Asia/Tokyo", "Asia/Shanghai", "+4930123456", "FR", "Asia/Tokyo", "step"),
        (None, "Asia/Shanghai", "+4930123456", "FR", "Asia/Shanghai", "customer"),
        (None, None, "+4930123456", "FR", "Europe/Berlin", "phone"),
        (None, None, None, "FR", "Europe/Paris", "country"),
        (None, None, None, None, "Europe/Lisbon", "project"),
        ("Mars/Base", "Berlin", "call me", "Atlantis", "Europe/Lisbon", "project"),  # invalid counts as missing
        (7, ["Asia/Tokyo"], 4930123456, {"code": "FR"}, "Europe/Lisbon", "project"),
        ("", "", "", "", "Europe/Lisbon", "project"),
        (None, "../../etc/localtime", None, "fr", "Europe/Paris", "country"),
        (None, None, "+8613800000000", None, "Asia/Shanghai", "phone"),  # one official time in all of China
        (None, None, "+447700900123", None, "Europe/London", "phone"),  # a range that nobody has: the main country
        (None, None, "+441534123456", None, "Europe/Jersey", "phone"),
        (None, None, "+80012345678", "UK", "Europe/London", "country"),  # a number of no country
        (None, None, "030 123456", "DE", "Europe/Berlin", "country"),  # a national number says nothing
        (None, None, "+12125550123", "FR", "Europe/Paris", "country"),  # one zone goes before several
    ],
)
def test_the_chain(step: object, customer: object, phone: object, country: object, zone: str, link: str) -> None:
    found = zone_in_force(step, customer, phone, country, PROJECT)
    assert (found.zone.key, found.link, found.all_zones) == (zone, link, (found.zone,))
    assert zone_in_force(zone_or_none(step) or step, customer, phone, country, PROJECT) == found


def test_a_country_of_several_zones_keeps_the_projects_zone_and_names_them_all() -> None:
    by_phone = zone_in_force(None, None, "+12125550123", None, PROJECT)
    assert (by_phone.zone, by_phone.link) == (PROJECT, "phone")
    assert {"America/New_York", "America/Los_Angeles", "Pacific/Honolulu"} <= {z.key for z in by_phone.all_zones}
    by_country = zone_in_force(None, None, None, "US", PROJECT)
    assert (by_country.zone, by_country.link, by_country.all_zones) == (PROJECT, "country", by_phone.all_zones)


def test_zones_whose_clocks_agree_are_one() -> None:
    assert [zone.key for zone in zones_of_country("DE")] == ["Europe/Berlin"]
    assert [zone.key for zone in zones_of_country("CN")] == ["Asia/Shanghai"]
    assert [zone.key for zone in zones_of_country("PT")] == ["Europe/Lisbon", "Atlantic/Azores"]
    assert zones_of_country("XX") == zones_of_country("") == zones_of_country("PRT" * 1000) == ()


@given(st.one_of(st.text(max_size=30), st.from_regex(r"\+[0-9]{0,20}")))
def test_hostile_numbers_have_no_country_and_no_error(phone: str) -> None:
    country = country_of_phone(phone)
    assert country is None or zones_of_country(country)
    assert zone_in_force(None, phone, phone, phone, PROJECT).all_zones


@pytest.mark.parametrize("phone", ["+" * 300, "+1" * 5000, "tel:+49;phone-context=x" * 50, "\ud800", "+\0", "１２３"])
def test_unusable_numbers_count_as_missing(phone: str) -> None:
    assert zone_in_force(None, None, phone, None, PROJECT).link == "project"
