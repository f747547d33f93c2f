"""What guests do around their bookings, what they did before, and how they react: seeded, and within the plan."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.demo import bookings
from orchestrator.demo.bookings import generate, profiles
from orchestrator.demo.past import history
from orchestrator.demo.people import person
from orchestrator.demo.reactions import REDEEMED, reactions
from orchestrator.demo.weather import OutsideWorld

START = date(2026, 5, 15)
ROOT = Path(bookings.__file__).parents[2]
PLAN: dict[str, Any] = yaml.safe_load((ROOT / "journeys/schema.yaml").read_text(encoding="utf-8"))
KINDS = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "date": str, "list": list}


@pytest.fixture(scope="module")
def season() -> list[dict[str, Any]]:
    return list(generate(7, 2500, START, 92))


def named(items: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [item for item in items if item.get("event") == name]


def in_the_plan(item: dict[str, Any]) -> None:
    """Every property is declared, of its type, and one of its values; every required one is there."""
    plan = PLAN["events"][item["event"]]
    assert {name for name, shape in plan.items() if shape.get("required")} <= item["properties"].keys()
    for name, value in item["properties"].items():
        assert isinstance(value, KINDS[plan[name]["type"]]), (item["event"], name, value)
        assert value in plan[name].get("enum", [value])
        if plan[name]["type"] == "date":
            date.fromisoformat(value)


def test_every_event_fits_the_tracking_plan(season: list[dict[str, Any]]) -> None:
    for item in season:
        if "event" in item:
            in_the_plan(item)
    for item in history(7, 2500, START):
        in_the_plan(item)


def test_every_trait_and_consent_fits_the_project(season: list[dict[str, Any]]) -> None:
    topics = yaml.safe_load((ROOT / "journeys/project.yaml").read_text(encoding="utf-8"))["topics"]
    stores = (ROOT / "journeys/catalogs/stores.csv").read_text(encoding="utf-8")
    own = {"email", "phone", "timezone", "locale", "country"}
    for item in season:
        assert item.get("identify", {}).keys() <= PLAN["customer"].keys() | own
        if "consent" in item:
            assert item["consent"]["topic"] in topics
    for guest in profiles(7, 2500, START):
        assert guest.get("consents", {}).keys() <= topics.keys()
        store = guest["attributes"].get("home_store")
        assert (store is None) == ("flyer" not in guest.get("consents", {}))
        assert store is None or f"\n{store}," in stores


def test_everything_that_journeys_wait_for_happens(season: list[dict[str, Any]]) -> None:
    seen = {item["event"] for item in season if "event" in item}
    assert seen == PLAN["events"].keys() - {"booking_created"}
    assert {item["identify"]["tier"] for item in season if item.get("identify", {}).keys() == {"tier"}} == {
        "silver",
        "gold",
        "platinum",
    }


def test_some_look_three_times_at_one_product(season: list[dict[str, Any]]) -> None:
    looks = Counter((item["customer"], item["properties"]["sku"]) for item in named(season, "product_viewed"))
    assert sum(count >= 3 for count in looks.values()) > 50
    assert sum(count == 1 for count in looks.values()) > 200


def test_quotes_are_left_half_way_or_sent_once(season: list[dict[str, Any]]) -> None:
    started = {item["properties"]["quote_id"] for item in named(season, "quote_started")}
    ended = [
        item["properties"]["quote_id"] for item in season if item.get("event") in ("quote_submitted", "quote_withdrawn")
    ]
    assert len(ended) == len(set(ended))
    assert 0.3 < len(started & set(ended)) / len(started) < 0.7
    booked = {item["properties"].get("quote_id") for item in named(season, "booking_confirmed")} - {None}
    assert booked and booked.isdisjoint(ended)


def test_complaints_come_during_the_stay(season: list[dict[str, Any]]) -> None:
    stays = {item["properties"]["booking_id"]: item["at"] for item in named(season, "checked_in")}
    left = {item["properties"]["booking_id"]: item["at"] for item in named(season, "checked_out")}
    complaints = named(season, "complaint_raised")
    assert len(complaints) >= 10
    for item in complaints:
        booking = item["properties"]["booking_id"]
        assert stays.get(booking, "") <= item["at"] <= left.get(booking, "9")


def test_what_is_used_up_is_bought_again(season: list[dict[str, Any]]) -> None:
    refills = [item for item in named(season, "order_placed") if item["properties"]["order_id"].endswith("-r")]
    later = [item for item in named(season, "order_placed") if item["properties"]["order_id"].endswith("-s")]
    assert refills and later
    assert all("cart_id" not in item["properties"] for item in refills)


@given(st.integers(0, 10_000), st.floats(0, 1), st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_lives_depend_on_seed_number_and_pace_only(seed: int, pace: float, days: int) -> None:
    few = list(generate(seed, 8, START, days, pace))
    person.cache_clear()
    assert few == [item for item in generate(seed, 16, START, days, pace) if item["customer"] < "g000008"]


def test_a_slower_pace_is_less_traffic(season: list[dict[str, Any]]) -> None:
    slow = list(generate(7, 2500, START, 92, 0.3))
    assert 0.2 < len(slow) / len(season) < 0.5
    assert list(generate(7, 2500, START, 92, 0.3)) == slow


def test_the_past_is_over_and_belongs_to_known_guests() -> None:
    known = {guest["id"] for guest in profiles(7, 2500, START)}
    past = list(history(7, 2500, START))
    assert past == list(history(7, 2500, START))
    assert {item["event"] for item in past} == {"order_placed", "checked_out"}
    assert {item["customer"] for item in past} <= known
    assert all(item["at"] <= f"{START}T00:00:00Z" for item in past)
    assert len({item["id"] for item in past}) == len(past) > 500


# --- reactions ----------------------------------------------------------------------------------------------------


def line(kind: str, customer: str, **others: Any) -> dict[str, Any]:
    return {"type": kind, "customer": customer, "journey": "j", "step": "s", "at": "2026-06-01T10:00:00Z"} | others


def test_reactions_are_drawn_by_the_line_alone() -> None:
    mails = [line("message", f"g{n}", channel="email", template="x") for n in range(2000)]
    came = [list(reactions(7, mail)) for mail in mails]
    assert came == [list(reactions(7, mail)) for mail in mails]
    assert came != [list(reactions(8, mail)) for mail in mails]
    kinds = Counter(reaction.kind for some in came for reaction in some)
    assert 0.12 < kinds["open"] / 2000 < 0.20
    assert 0 < kinds["click"] < kinds["open"]
    assert all(reaction.after > timedelta(0) for some in came for reaction in some)


def test_surveys_are_answered_as_they_are_asked() -> None:
    asked = [line("message", f"g{n}", channel="sms", template="csat_room") for n in range(300)]
    asked += [line("message", f"g{n}", channel="email", template="room_wish") for n in range(300)]
    data = [reaction.data for one in asked for reaction in reactions(7, one)]
    assert {answer["choice"] for answer in data if answer["name"] == "room_wish"} == {"sea", "garden", "quiet"}
    assert {answer["score"] for answer in data if answer["name"] == "csat_room"} == {1, 2, 3, 4, 5}


def test_coupons_and_tasks_come_back() -> None:
    offers = yaml.safe_load((ROOT / "journeys/offers.yaml").read_text(encoding="utf-8"))
    assert offers.keys() == REDEEMED.keys()
    used = [list(reactions(7, line("coupon", f"g{n}", offer="private20", code="C"))) for n in range(300)]
    assert 0.2 < sum(map(bool, used)) / 300 < 0.5
    ended = [line("task", f"g{n}", queue="q", title="t") | {"step": "look_after"} for n in range(300)]
    outcomes = Counter(reaction.data["outcome"] for one in ended for reaction in reactions(7, one))
    assert outcomes.keys() == {"settled", "goodwill"}
    assert list(reactions(7, line("waiting", "g1"))) == []


class Asked:
    def __init__(self, url: str) -> None:
        self.url = url


def test_the_outside_world_answers_without_a_network() -> None:
    world = OutsideWorld()
    kinds = set()
    for day in range(40):
        world.day = (datetime(2026, 6, 1) + timedelta(days=day)).date().isoformat()
        status, body, _ = world.call(Asked("https://weather.example.com/v1/weekend?city=Lisbon"))
        assert status == 200
        assert world.call(Asked("https://weather.example.com/v1/weekend?city=Lisbon"))[1] == body
        kinds.add(body["kind"])
    assert kinds == {"sun", "cloud", "rain"}
    assert world.call(Asked("https://cards.example.com/v1/orders"))[0] == 202
    assert world.call(Asked("https://elsewhere.example.com/"))[0] is None
