"""The demonstration's traffic: seeded, in order, consistent, and distributed like real hotel bookings."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.demo import bookings, calibration
from orchestrator.demo.bookings import COLUMNS, MONTHS, generate, profiles, write_bookings_csv
from orchestrator.demo.people import HOMES
from orchestrator.demo.shopping import PRODUCTS
from orchestrator.demo.stays import HOTELS

START = date(2026, 1, 1)
ROOT = Path(bookings.__file__).parents[2]


@pytest.fixture(scope="module")
def year() -> list[dict[str, Any]]:
    return list(generate(7, 1500, START, 365))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    path = tmp_path_factory.mktemp("table") / "bookings.csv"
    write_bookings_csv(path, 7, 20_000)
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def events_of(items: list[dict[str, Any]], key: str) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """{id of the booking or basket: {event name: items}}"""
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        if key in item.get("properties", {}):
            found[item["properties"][key]][item["event"]].append(item)
    return found


@given(st.integers(0, 10_000), st.integers(0, 12), st.dates(date(2000, 1, 1), date(2060, 1, 1)), st.integers(0, 90))
@settings(max_examples=40, deadline=None)
def test_any_seed_gives_ordered_items_inside_the_time(seed: int, customers: int, start: date, days: int) -> None:
    items = list(generate(seed, customers, start, days))
    assert items == list(generate(seed, customers, start, days))
    instants = [item["at"] for item in items]
    assert instants == sorted(instants)
    end = (start + timedelta(days=days)).isoformat()
    assert all(f"{start}T00:00:00Z" <= at < f"{end}T00:00:00Z" for at in instants)
    for item in items:
        kinds = item.keys() & {"event", "identify", "consent", "survey"}
        assert len(kinds) == 1
        others = {"at", "customer", "id", "properties"} if "event" in item else {"at", "customer"}
        assert item.keys() - kinds == others


def test_another_seed_gives_other_traffic(year: list[dict[str, Any]]) -> None:
    assert year != list(generate(8, 1500, START, 365))


def test_a_guest_lives_the_same_life_however_many_others_there_are() -> None:
    few = list(generate(7, 20, START, 120))
    assert few
    assert few == [item for item in generate(7, 60, START, 120) if item["customer"] < "g000020"]


def test_message_ids_are_unique(year: list[dict[str, Any]]) -> None:
    ids = [item["id"] for item in year if "event" in item]
    assert len(ids) == len(set(ids)) > 5000


def test_everything_happens_to_somebody_known(year: list[dict[str, Any]]) -> None:
    known = {profile["id"] for profile in profiles(7, 1500, START)}
    assert 0.75 < len(known) / 1500 < 0.9
    for item in year:
        if "identify" in item:
            known.add(item["customer"])
        assert item["customer"] in known


def test_sign_ups_bring_profile_then_consents_then_the_event(year: list[dict[str, Any]]) -> None:
    items = defaultdict(list)
    for item in year:
        items[item["customer"]].append(item)
    signed_up = [life for life in items.values() if any(item.get("event") == "signed_up" for item in life)]
    assert len(signed_up) > 150
    for life in signed_up:
        assert "identify" in life[0]
        place = next(index for index, item in enumerate(life) if item.get("event") == "signed_up")
        assert all("consent" in item for item in life[1:place])
        assert life[place]["at"] == life[0]["at"]


def test_profiles_are_shaped_like_customers_of_a_scenario() -> None:
    guests = profiles(7, 1500, START)
    keys = {"id", "email", "phone", "timezone", "locale", "country", "attributes", "consents", "stage"}
    assert all(guest.keys() <= keys for guest in guests)
    assert {guest["locale"].partition("-")[0] for guest in guests} == {"en", "zh", "pt"}
    states = {guest.get("consents", {}).get("promotions", {}).get("email") for guest in guests}
    assert states == {"in", "out", None}
    for guest in guests:
        attributes = guest["attributes"]
        if "birthday" in attributes:
            assert 17 <= (START - date.fromisoformat(attributes["birthday"])).days // 365 <= 83
        if "lunar_birthday" in attributes:
            assert guest["country"] == "CN" and attributes["lunar_birthday"] == attributes["birthday"]
    assert any("lunar_birthday" in guest["attributes"] for guest in guests)


def test_a_booking_tells_one_consistent_story(year: list[dict[str, Any]]) -> None:
    stories = events_of([item for item in year if item.get("event") != "order_placed"], "booking_id")
    assert len(stories) > 1000
    for story in stories.values():
        assert all(len(items) == 1 for items in story.values())
        at = {name: items[0]["at"] for name, items in story.items()}
        assert all(at["booking_confirmed"] <= moment for moment in at.values() if "booking_confirmed" in at)
        assert len(at.keys() & {"booking_cancelled", "no_show", "checked_in"}) <= 1
        if "checked_in" in at and "checked_out" in at:
            assert at["checked_in"] < at["checked_out"]
        if "booking_changed" in at and "booking_cancelled" in at:
            assert at["booking_changed"] < at["booking_cancelled"]
        if "checked_in" in at and "booking_confirmed" in at:
            check_in_happens_on_the_last_date_agreed(story)


def check_in_happens_on_the_last_date_agreed(story: dict[str, list[dict[str, Any]]]) -> None:
    properties = (story.get("booking_changed") or story["booking_confirmed"])[0]["properties"]
    hotel = next(hotel for hotel in HOTELS if hotel.id == story["checked_in"][0]["properties"]["hotel_id"])
    day = datetime.fromisoformat(story["checked_in"][0]["at"]).astimezone(ZoneInfo(hotel.timezone)).date()
    assert day >= date.fromisoformat(properties["check_in"])
    assert day <= date.fromisoformat(properties["check_in"]) + timedelta(days=1)


def test_shares_of_the_traffic_are_those_of_real_bookings() -> None:
    stories = events_of(list(generate(3, 2500, START, 900)), "booking_id")
    first = [story for story in stories.values() if "booking_confirmed" in story]
    settled = [story for story in first if story["booking_confirmed"][0]["at"] < "2026-07-01"]
    assert len(settled) > 1500
    cancelled = sum("booking_cancelled" in story for story in settled) / len(settled)
    moved = sum("booking_changed" in story for story in settled) / len(settled)
    assert 0.32 < cancelled < 0.42
    assert 0.03 < moved < 0.09


def test_baskets_are_bought_left_or_emptied(year: list[dict[str, Any]]) -> None:
    baskets = events_of(year, "cart_id")
    assert len(baskets) > 1000
    bought = [story for story in baskets.values() if "order_placed" in story and "cart_updated" in story]
    assert 0.30 < len(bought) / len(baskets) < 0.45
    for story in bought:
        order, last = story["order_placed"][0], story["cart_updated"][-1]
        assert order["at"] > last["at"]
        assert order["properties"]["total"] == last["properties"]["total"]
    emptied = [story for story in baskets.values() if story["cart_updated"][-1]["properties"]["items"] == []]
    assert 0.02 < len(emptied) / len(baskets) < 0.1


def test_totals_are_the_sum_of_the_lines(year: list[dict[str, Any]]) -> None:
    for item in year:
        if item.get("event") in {"cart_updated", "order_placed"}:
            properties = item["properties"]
            lines = sum(line["price"] * line["quantity"] for line in properties["items"])
            assert properties["total"] == pytest.approx(lines, abs=0.005)


def test_the_generator_and_the_catalogs_agree() -> None:
    catalogs = {}
    for name in ("hotels", "stores", "products"):
        with (ROOT / "journeys/catalogs" / f"{name}.csv").open(newline="", encoding="utf-8") as lines:
            catalogs[name] = {next(iter(row.values())): row for row in csv.DictReader(lines)}
    assert {hotel.id: hotel.timezone for hotel in HOTELS} == {
        key: row["timezone"] for key, row in catalogs["hotels"].items()
    }
    assert {hotel.store_id: (hotel.id, hotel.currency) for hotel in HOTELS} == {
        key: (row["hotel_id"], row["currency"]) for key, row in catalogs["stores"].items()
    }
    assert {product.sku: (product.title, product.title_zh, product.price_eur) for product in PRODUCTS} == {
        key: (row["title"], row["title_zh"], float(row["price_eur"])) for key, row in catalogs["products"].items()
    }


def test_every_event_and_property_stands_in_the_tracking_plan(year: list[dict[str, Any]]) -> None:
    plan = yaml.safe_load((ROOT / "journeys/schema.yaml").read_text(encoding="utf-8"))
    seen = set()
    for item in year:
        if "event" in item:
            declared = plan["events"][item["event"]]
            assert item["properties"].keys() <= declared.keys()
            required = {name for name, shape in declared.items() if shape.get("required")}
            assert required <= item["properties"].keys()
            seen.add(item["event"])
    assert seen == plan["events"].keys() - {"booking_created"}
    for guest in profiles(7, 200, START):
        assert guest["attributes"].keys() <= plan["customer"].keys()


def test_homes_have_real_zones() -> None:
    assert sum(home.share for home in HOMES) == pytest.approx(1)
    for home in HOMES:
        assert ZoneInfo(home.timezone)


# --- the table ------------------------------------------------------------------------------------------------------


def test_the_table_is_seeded_and_gzipped_by_its_name(tmp_path: Path) -> None:
    write_bookings_csv(tmp_path / "a.csv", 1, 200)
    write_bookings_csv(tmp_path / "b.csv.gz", 1, 200)
    write_bookings_csv(tmp_path / "c.csv.gz", 1, 200)
    write_bookings_csv(tmp_path / "d.csv", 2, 200)
    plain = (tmp_path / "a.csv").read_bytes()
    assert gzip.decompress((tmp_path / "b.csv.gz").read_bytes()) == plain
    assert (tmp_path / "b.csv.gz").read_bytes() == (tmp_path / "c.csv.gz").read_bytes()
    assert (tmp_path / "d.csv").read_bytes() != plain
    assert plain.decode().splitlines()[0] == ",".join(COLUMNS)
    assert plain.count(b"\n") == 201


def test_every_row_is_possible(table: list[dict[str, str]]) -> None:
    arrivals = []
    for row in table:
        month = MONTHS.index(row["arrival_date_month"]) + 1
        arrival = date(int(row["arrival_date_year"]), month, int(row["arrival_date_day_of_month"]))
        arrivals.append(arrival)
        settled = date.fromisoformat(row["reservation_status_date"])
        nights = int(row["stays_in_weekend_nights"]) + int(row["stays_in_week_nights"])
        booked = arrival - timedelta(days=int(row["lead_time"]))
        if row["reservation_status"] == "Canceled":
            assert booked <= settled <= arrival
        elif row["reservation_status"] == "No-Show":
            assert settled == arrival
        else:
            assert row["reservation_status"] == "Check-Out"
            assert settled == arrival + timedelta(days=nights)
        assert float(row["adr"]) >= 0
    assert all(earlier <= later for earlier, later in pairwise(arrivals))


def test_the_shares_of_the_table_are_those_of_the_public_data(table: list[dict[str, str]]) -> None:
    """The public table: 36.0 % cancelled (37.0 % with no-shows), 1.0 % no-shows, 16.4 % of cancellations at once."""
    rows = len(table)
    cancelled = [row for row in table if row["reservation_status"] == "Canceled"]
    assert len(cancelled) / rows == pytest.approx(0.360, abs=0.012)
    assert sum(row["reservation_status"] == "No-Show" for row in table) / rows == pytest.approx(0.010, abs=0.004)
    assert sum(row["hotel"] == "City Hotel" for row in table) / rows == pytest.approx(0.664, abs=0.012)
    leads = sorted(int(row["lead_time"]) for row in table)
    assert leads[rows // 2] == pytest.approx(69, abs=6)
    assert leads[rows * 9 // 10] == pytest.approx(265, abs=15)
    assert sum(lead == 0 for lead in leads) / rows == pytest.approx(0.05, abs=0.02)
    at_once = sum(_days_after_booking(row) == 0 for row in cancelled) / len(cancelled)
    assert at_once == pytest.approx(0.164, abs=0.02)


def test_long_leads_are_cancelled_more_often(table: list[dict[str, str]]) -> None:
    shares = []
    for low, high in ((0, 7), (8, 60), (61, 180), (181, 999)):
        rows = [row for row in table if low <= int(row["lead_time"]) <= high]
        shares.append(sum(row["reservation_status"] == "Canceled" for row in rows) / len(rows))
    assert shares == sorted(shares)
    assert shares[0] < 0.12 and shares[-1] > 0.5


def _days_after_booking(row: dict[str, str]) -> int:
    month = MONTHS.index(row["arrival_date_month"]) + 1
    arrival = date(int(row["arrival_date_year"]), month, int(row["arrival_date_day_of_month"]))
    booked = arrival - timedelta(days=int(row["lead_time"]))
    return (date.fromisoformat(row["reservation_status_date"]) - booked).days


@given(st.integers(), st.sampled_from(("city", "resort")), st.integers(0, 900))
@settings(max_examples=200, deadline=None)
def test_a_cancellation_lies_between_booking_and_arrival(seed: int, kind: calibration.Kind, lead: int) -> None:
    days = calibration.cancelled_after(Random(seed), kind, lead)
    assert days is None or 0 <= days <= lead


@given(st.integers(), st.lists(st.floats(0, 1000), min_size=2, max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_draw_lies_within_its_quantiles(seed: int, numbers: list[float]) -> None:
    quantiles = sorted(numbers)
    assert quantiles[0] <= calibration.from_quantiles(Random(seed), quantiles) <= quantiles[-1] + 1e-9
