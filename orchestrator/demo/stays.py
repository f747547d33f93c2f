"""One booking of the demonstration, from the confirmation to the survey: what happens, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.demo.calibration import (
    ADULTS,
    ARRIVAL_MONTH,
    CHILDREN,
    MARKET_SEGMENT,
    NIGHTS,
    Kind,
    cancelled_after,
    lead_days,
    nightly_rate,
    no_show,
    pick,
)

Happening = tuple[datetime, str, dict[str, Any]]
"""(UTC, name of the event or `survey`, its properties)."""


class Hotel(NamedTuple):
    """A hotel of the catalog, with what the generator needs to know of it."""

    id: str
    kind: Kind
    timezone: str
    currency: str
    store_id: str
    share: float
    share_in_china: float
    """How often a guest who lives in China chooses it."""


HOTELS = (
    Hotel("lisbon", "city", "Europe/Lisbon", "EUR", "s-lisbon", 0.34, 0.12),
    Hotel("algarve", "resort", "Europe/Lisbon", "EUR", "s-algarve", 0.24, 0.03),
    Hotel("azores", "resort", "Atlantic/Azores", "EUR", "s-azores", 0.07, 0.01),
    Hotel("london", "city", "Europe/London", "GBP", "s-london", 0.18, 0.08),
    Hotel("paris", "city", "Europe/Paris", "EUR", "s-paris", 0.13, 0.08),
    Hotel("shanghai", "city", "Asia/Shanghai", "CNY", "s-shanghai", 0.03, 0.44),
    Hotel("sanya", "resort", "Asia/Shanghai", "CNY", "s-sanya", 0.01, 0.24),
)
PER_EURO = {"EUR": 1.0, "GBP": 0.86, "CNY": 7.8}

MOVED = 0.07
ANSWERS = 0.28
SCORES = {10: 0.30, 9: 0.22, 8: 0.18, 7: 0.10, 6: 0.06, 5: 0.05, 4: 0.03, 3: 0.02, 2: 0.015, 1: 0.01, 0: 0.015}
COMPLAINTS = ("The room was loud", "We waited an hour for the key", "Breakfast was cold", "The shower did not work")


@dataclass(slots=True)
class Stay:
    """What a guest has in mind; dates change when the booking moves."""

    booking_id: str
    hotel: Hotel
    booked_at: datetime
    check_in: date
    nights: int
    total: float

    @property
    def check_out(self) -> date:
        return self.check_in + timedelta(days=self.nights)

    def arrives_at(self, random: Random) -> datetime:
        """The hour at which the guest stands at the desk; never before the booking itself."""
        moment = local(self.check_in, random.triangular(14, 23, 16), self.hotel.timezone)
        return max(moment, self.booked_at + timedelta(minutes=20))


def local(day: date, hour: float, zone: str) -> datetime:
    """The UTC instant of a local hour such as 14.5, to the second."""
    seconds = min(round(hour * 3600), 86_399)
    clock = time(seconds // 3600, seconds % 3600 // 60, seconds % 60)
    return datetime.combine(day, clock, ZoneInfo(zone)).astimezone(UTC)


def hour_of_leisure(random: Random) -> float:
    """When people book and shop: some at lunch, most in the evening, a few at night."""
    return random.choice((random.uniform(0, 23.9), random.triangular(9, 16, 12.5), random.triangular(17, 23.5, 20.5)))


def plan_stay(random: Random, booking_id: str, in_china: bool, day: date, zone: str) -> Stay:
    """A booking made on `day` in the guest's own zone; summers are fuller, as in the calibration."""
    weights = [hotel.share_in_china if in_china else hotel.share for hotel in HOTELS]
    hotel = random.choices(HOTELS, weights=weights)[0]
    busiest = max(ARRIVAL_MONTH[hotel.kind])
    for _ in range(4):
        check_in = day + timedelta(days=lead_days(random, hotel.kind))
        if random.random() * busiest < ARRIVAL_MONTH[hotel.kind][check_in.month - 1]:
            break
    nights = max(1, pick(random, NIGHTS[hotel.kind]))
    total = round(nights * nightly_rate(random, hotel.kind, check_in.month) * PER_EURO[hotel.currency], 2)
    return Stay(booking_id, hotel, local(day, hour_of_leisure(random), zone), check_in, nights, total)


def happenings(random: Random, stay: Stay, home_zone: str) -> Iterator[Happening]:
    """All that comes of a booking, in time order."""
    yield stay.booked_at, "booking_confirmed", _confirmed(random, stay)
    lead = max(0, (stay.check_in - stay.booked_at.date()).days)
    cancelled_days = cancelled_after(random, stay.hotel.kind, lead)
    missing = cancelled_days is None and no_show(random, lead)
    arrival = stay.arrives_at(random)
    cancelled_at = None if cancelled_days is None else _cancelled_at(random, stay, cancelled_days, arrival)
    moved_at = _moved_at(random, stay, cancelled_at)
    if moved_at is not None:
        _move(random, stay, moved_at)
        arrival = stay.arrives_at(random)
        yield moved_at, "booking_changed", _dates(stay) | {"booking_id": stay.booking_id}
    if cancelled_at is not None:
        yield cancelled_at, "booking_cancelled", {"booking_id": stay.booking_id}
        return
    place = {"booking_id": stay.booking_id, "hotel_id": stay.hotel.id}
    if missing:
        yield local(stay.check_in, 23.5, stay.hotel.timezone), "no_show", place
        return
    yield arrival, "checked_in", place | {"check_out": stay.check_out.isoformat()}
    leaves = local(stay.check_out, random.triangular(7, 12, 10.5), stay.hotel.timezone)
    leaves = max(leaves, arrival + timedelta(hours=4))
    yield leaves, "checked_out", dict(place)
    if random.random() < ANSWERS:
        yield _answer(random, leaves, home_zone)


def _confirmed(random: Random, stay: Stay) -> dict[str, Any]:
    return {
        "booking_id": stay.booking_id,
        "hotel_id": stay.hotel.id,
        **_dates(stay),
        "adults": pick(random, ADULTS),
        "children": pick(random, CHILDREN),
        "total": stay.total,
        "currency": stay.hotel.currency,
        "channel": pick(random, MARKET_SEGMENT),
    }


def _dates(stay: Stay) -> dict[str, Any]:
    return {"check_in": stay.check_in.isoformat(), "check_out": stay.check_out.isoformat()}


def _cancelled_at(random: Random, stay: Stay, days: int, arrival: datetime) -> datetime:
    """On the drawn day, after the booking and before the arrival."""
    moment = stay.booked_at + timedelta(days=days, minutes=random.randrange(10, 600))
    return max(stay.booked_at + timedelta(minutes=5), min(moment, arrival - timedelta(minutes=5)))


def _moved_at(random: Random, stay: Stay, cancelled_at: datetime | None) -> datetime | None:
    """When another date is asked for; None: never. At least three days before the first date, and before cancelling."""
    end = local(stay.check_in, 0, stay.hotel.timezone) - timedelta(days=3)
    if cancelled_at is not None:
        end = min(end, cancelled_at)
    room = int((end - stay.booked_at).total_seconds()) - 7200
    if random.random() >= MOVED or room <= 0:
        return None
    return stay.booked_at + timedelta(seconds=3600 + random.randrange(room))


def _move(random: Random, stay: Stay, moved_at: datetime) -> None:
    days = random.choice((-7, -2, -1, 1, 1, 2, 3, 7, 7, 14, 30))
    stay.check_in = max(stay.check_in + timedelta(days=days), moved_at.date() + timedelta(days=2))


def _answer(random: Random, left_at: datetime, home_zone: str) -> Happening:
    """An answer to the survey that goes out at ten the next morning: most on the same day."""
    asked = local(left_at.astimezone(ZoneInfo(home_zone)).date() + timedelta(days=1), 10, home_zone)
    score = pick(random, SCORES)
    answer: dict[str, Any] = {"name": "nps_stay", "score": score}
    if score <= 6 and random.random() < 0.6:
        answer["text"] = random.choice(COMPLAINTS)
    return asked + timedelta(minutes=1 + round(random.expovariate(1 / 600))), "survey", answer
