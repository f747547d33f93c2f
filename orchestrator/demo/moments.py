"""What guests do besides booking and shopping: they look at things, ask for quotes, complain, and rise in the club."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from orchestrator.demo.shopping import PRODUCTS
from orchestrator.demo.stays import HOTELS, PER_EURO, Happening, Stay, happenings, hour_of_leisure, local, plan_stay

THREE_LOOKS = 0.35
"""Visits in which one product is looked at again and again."""
QUOTE_SENT, QUOTE_WITHDRAWN, QUOTE_BOOKED = 0.40, 0.10, 0.15
"""What becomes of a quote; the others are left half-way."""
KINDS = {"celebration": (6, 20), "meeting": (4, 12), "group": (5, 15), "long_stay": (1, 2)}
"""What rooms are asked for, and how many: (fewest, most)."""
COMPLAINS = 0.03
GRIEVANCES = (
    "The room next door was loud until two",
    "We waited an hour for the key",
    "The shower ran cold in the morning",
    "Nobody answered the phone at the desk",
)
TIERS = ("basic", "silver", "gold", "platinum")


def looks(random: Random, in_china: bool, day: date, zone: str) -> Iterator[Happening]:
    """One visit to the shop's pages without a basket."""
    stores = [hotel.store_id for hotel in HOTELS if (hotel.currency == "CNY") is in_china]
    store = random.choice(stores)
    weights = [product.share for product in PRODUCTS]
    moment = local(day, hour_of_leisure(random), zone)
    product = random.choices(PRODUCTS, weights=weights)[0]
    again = random.random() < THREE_LOOKS
    for _ in range(3 if again else random.choice((1, 1, 2))):
        yield moment, "product_viewed", {"sku": product.sku, "store_id": store}
        moment += timedelta(seconds=random.randrange(60, 500))
        if not again:
            product = random.choices(PRODUCTS, weights=weights)[0]


def quote(random: Random, quote_id: str, in_china: bool, day: date, zone: str) -> Iterator[Happening]:
    """A quote begun on `day`: sent, withdrawn, booked without it, or left half-way."""
    stay = plan_stay(random, f"{quote_id}-b", in_china, day, zone)
    kind = random.choice(tuple(KINDS))
    rooms = random.randint(*KINDS[kind])
    begun_at = stay.booked_at
    named = {"quote_id": quote_id}
    yield begun_at, "quote_started", named | _asked(stay, kind, rooms)
    fate = random.random()
    if fate < QUOTE_SENT:
        yield begun_at + timedelta(minutes=random.randrange(3, 90)), "quote_submitted", named
    elif fate < QUOTE_SENT + QUOTE_WITHDRAWN:
        yield begun_at + timedelta(hours=random.randrange(1, 60)), "quote_withdrawn", named
    elif fate < QUOTE_SENT + QUOTE_WITHDRAWN + QUOTE_BOOKED:
        stay.booked_at = begun_at + timedelta(hours=random.randrange(4, 80))
        stay.check_in = max(stay.check_in, stay.booked_at.date() + timedelta(days=5))
        for at, name, properties in happenings(random, stay, zone):
            yield at, name, properties | named if name == "booking_confirmed" else properties


def _asked(stay: Stay, kind: str, rooms: int) -> dict[str, Any]:
    return {
        "hotel_id": stay.hotel.id,
        "kind": kind,
        "check_in": stay.check_in.isoformat(),
        "check_out": stay.check_out.isoformat(),
        "rooms": rooms,
        "total_eur": round(stay.total * rooms / PER_EURO[stay.hotel.currency], 2),
    }


def complaint(random: Random, stay: Stay, arrived_at: datetime, left_at: datetime) -> Iterator[Happening]:
    """What goes wrong in a stay, if anything."""
    if random.random() >= COMPLAINS:
        return
    at = arrived_at + (left_at - arrived_at) * random.uniform(0.1, 0.8)
    text, source = random.choice(GRIEVANCES), random.choice(("front_desk", "front_desk", "app", "phone"))
    properties = {"booking_id": stay.booking_id, "hotel_id": stay.hotel.id, "source": source, "text": text}
    yield at.replace(microsecond=0), "complaint_raised", properties


def next_tier(tier: str) -> str | None:
    """The step above; None: there is none."""
    place = TIERS.index(tier) + 1
    return TIERS[place] if place < len(TIERS) else None
