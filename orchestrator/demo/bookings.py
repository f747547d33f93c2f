"""Realistic traffic for the demonstration: bookings, stays, baskets, sign-ups and consents, all from one seed.

Pure: the same arguments give the same traffic on every machine. `generate` yields timeline items as a scenario file has
them and `profiles` the customers to begin with; `write_bookings_csv` writes a reservation table shaped like the public
hotel booking data, which `simulate --events` replays with bookings.mapping.yaml beside this file.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

from orchestrator.demo.calibration import (
    ADULTS,
    ARRIVAL_MONTH,
    BABIES,
    CHILDREN,
    CITY_SHARE,
    COUNTRY,
    CUSTOMER_TYPE,
    FREE_STAYS,
    MARKET_SEGMENT,
    NIGHTS,
    REPEATED_GUEST,
    Kind,
    cancelled_after,
    lead_days,
    nightly_rate,
    no_show,
    pick,
)
from orchestrator.demo.moments import complaint, looks, next_tier, quote
from orchestrator.demo.people import OPTS_OUT_PER_YEAR, Person, person
from orchestrator.demo.shopping import afterwards, basket, till
from orchestrator.demo.stays import Happening, Stay, happenings, plan_stay

BOOKINGS_PER_YEAR = 1.4
BASKETS_PER_YEAR = 2.6
VISITS_PER_YEAR = 1.6
"""To the shop's pages, without a basket."""
QUOTES_PER_YEAR = 0.12
RISES_PER_YEAR = 0.12
"""Steps up in the club."""
BOOKED_BEFORE = 330
"""Days before the start from which bookings may date, so that the house is not empty on the first day."""

FIRST_ARRIVAL = date(2024, 7, 1)
ARRIVAL_DAYS = 792
"""The table's arrivals, as in the public data: two years and two months, from a July to an August."""

SUBJECTS = ("cart_id", "booking_id", "order_id", "quote_id")
"""What an event is about; its id is made of that, its name and its instant."""

COLUMNS = (
    "hotel", "lead_time", "arrival_date_year", "arrival_date_month", "arrival_date_day_of_month",
    "stays_in_weekend_nights", "stays_in_week_nights", "adults", "children", "babies", "country", "market_segment",
    "customer_type", "is_repeated_guest", "adr", "reservation_status", "reservation_status_date",
)  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def profiles(seed: int, customers: int, start: date) -> list[dict[str, Any]]:
    """The guests known before `start`, shaped like `customers` of a scenario file; the others sign up in `generate`."""
    everybody = (person(seed, number, start) for number in range(customers))
    return [dict(guest.profile) for guest in everybody if guest.signs_up is None]


def generate(seed: int, customers: int, start: date, days: int, pace: float = 1.0) -> Iterator[dict[str, Any]]:
    """Timeline items from `start` 00:00 UTC (inclusive) over `days` days, in time order.

    An item is ``{at, customer}`` and one of ``event`` (with ``id`` and ``properties``), ``identify``, ``consent`` or
    ``survey`` as in a scenario file; `at` is ISO 8601 in UTC. Bookings made before `start` appear from then on, without
    their confirmation. Every guest's life depends on `seed` and his number only. `pace` slows all of them down: at
    0.5 they book and shop half as often. All items are held in memory to be sorted: a few hundred bytes each.
    """
    begin = datetime.combine(start, time(), UTC)
    end = begin + timedelta(days=days)
    found: list[tuple[datetime, int, int, dict[str, Any]]] = []
    for number in range(customers):
        guest = person(seed, number, start)
        life = _life(Random(f"{seed}/life/{number}"), guest, begin, days, pace)
        more = _moments(Random(f"{seed}/moments/{number}"), guest, begin, days, pace)
        for order, (at, item) in enumerate((*life, *more)):
            if begin <= at < end:
                found.append((at, number, order, item))
    found.sort(key=lambda entry: entry[:3])
    for at, number, _, item in found:
        yield {"at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "customer": f"g{number:06d}", **item}


Life = Iterator[tuple[datetime, dict[str, Any]]]


def _life(random: Random, guest: Person, begin: datetime, days: int, pace: float) -> Life:
    """What one guest books and buys, not yet in order, some of it outside the demonstrated time."""
    often = pace * guest.activity / 365
    first_day = begin - timedelta(days=BOOKED_BEFORE)
    if guest.signs_up is not None:
        first_day = begin + timedelta(seconds=round(guest.signs_up * days * 86_400))
        yield from _sign_up(random, guest, first_day)
    last_day = begin + timedelta(days=days)
    for count in range(_poisson(random, BOOKINGS_PER_YEAR * often * (last_day - first_day).days)):
        for happening in _visit(random, guest, f"{guest.id}-b{count}", _day(random, first_day, last_day)):
            yield _item(guest, happening)
    opened = max(first_day, begin)
    for count in range(_poisson(random, BASKETS_PER_YEAR * often * (last_day - opened).days)):
        day = _day(random, opened, last_day)
        for happening in basket(random, f"{guest.id}-c{count}", guest.home.country == "CN", day, guest.home.timezone):
            yield _item(guest, happening)
            if happening[1] == "order_placed":
                for later in afterwards(random, happening, guest.home.country == "CN", guest.home.timezone):
                    yield _item(guest, later)
    if random.random() < OPTS_OUT_PER_YEAR * (last_day - opened).days / 365:
        at = opened + (last_day - opened) * random.random()
        yield at, {"consent": {"topic": "promotions", "channel": "email", "state": "out"}}


def _moments(random: Random, guest: Person, begin: datetime, days: int, pace: float) -> Life:
    """What else one guest does, not yet in order."""
    opened = begin if guest.signs_up is None else begin + timedelta(seconds=round(guest.signs_up * days * 86_400))
    last_day = begin + timedelta(days=days)
    often = pace * guest.activity * (last_day - opened).days / 365
    in_china, zone = guest.home.country == "CN", guest.home.timezone
    for _ in range(_poisson(random, VISITS_PER_YEAR * often)):
        for happening in looks(random, in_china, _day(random, opened, last_day), zone):
            yield _item(guest, happening)
    for count in range(_poisson(random, QUOTES_PER_YEAR * often)):
        for happening in quote(random, f"{guest.id}-q{count}", in_china, _day(random, opened, last_day), zone):
            yield _item(guest, happening)
    tier = next_tier(guest.profile["attributes"]["tier"])
    if tier is not None and random.random() < RISES_PER_YEAR * often:
        yield opened + (last_day - opened) * random.random(), {"identify": {"tier": tier}}


def _sign_up(random: Random, guest: Person, at: datetime) -> Life:
    """The profile arrives, then the consents, then the event; all of one second, in this order."""
    traits = {key: value for key, value in guest.profile.items() if key not in {"id", "attributes", "consents"}}
    yield at, {"identify": traits | dict(guest.profile["attributes"])}
    for topic, channels in guest.profile.get("consents", {}).items():
        for channel, state in channels.items():
            yield at, {"consent": {"topic": topic, "channel": channel, "state": state}}
    source = pick(random, {"website": 0.5, "app": 0.3, "front_desk": 0.13, "shop": 0.07})
    yield at, {"event": "signed_up", "id": f"{guest.id}-signed_up", "properties": {"source": source}}


def _visit(random: Random, guest: Person, booking_id: str, day: date) -> Iterator[Happening]:
    """A booking with all that comes of it, and what is bought in the house meanwhile."""
    stay = plan_stay(random, booking_id, guest.home.country == "CN", day, guest.home.timezone)
    arrived_at = None
    for happening in happenings(random, stay, guest.home.timezone):
        at, name, _ = happening
        if name == "survey" and ("email" not in guest.profile or "care" in guest.profile.get("consents", {})):
            continue
        if name == "checked_in":
            arrived_at = at
        elif name == "checked_out" and arrived_at is not None:
            yield from till(random, booking_id, stay.hotel, arrived_at, at)
            yield from _grievance(stay, arrived_at, at)
        yield happening


def _grievance(stay: Stay, arrived_at: datetime, left_at: datetime) -> Iterator[Happening]:
    """Drawn by the booking alone."""
    return complaint(Random(f"{stay.booking_id}/{arrived_at:%Y%m%d%H%M%S}"), stay, arrived_at, left_at)


def _item(guest: Person, happening: Happening) -> tuple[datetime, dict[str, Any]]:
    at, name, properties = happening
    if name == "survey":
        return at, {"survey": properties}
    subject = next((properties[key] for key in SUBJECTS if properties.get(key)), f"{guest.id}-{properties.get('sku')}")
    return at, {"event": name, "id": f"{subject}-{name}-{at:%Y%m%d%H%M%S}", "properties": properties}


def _day(random: Random, first: datetime, last: datetime) -> date:
    """A day after the first: whatever the guest's zone, nothing comes before the account exists."""
    return first.date() + timedelta(days=1 + random.randrange(max(1, (last - first).days)))


def _poisson(random: Random, mean: float) -> int:
    """How many independent things happen when `mean` are expected (Knuth's method; means here are small)."""
    count, left = 0, random.expovariate(1.0)
    while left < mean:
        count, left = count + 1, left + random.expovariate(1.0)
    return count


def write_bookings_csv(path: Path, seed: int, rows: int) -> None:
    """Write `rows` bookings with the columns COLUMNS, by arrival; gzipped where the name ends in .gz.

    The shares are those of calibration.py. The same `seed` and `rows` give the same bytes.
    """
    random = Random(f"{seed}/table")
    table = sorted((_row(random) for _ in range(rows)), key=lambda entry: entry[0])
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(cells for _, cells in table)
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _row(random: Random) -> tuple[date, list[Any]]:
    kind: Kind = "city" if random.random() < CITY_SHARE else "resort"
    arrival = _arrival(random, kind)
    lead = lead_days(random, kind)
    nights = pick(random, NIGHTS[kind])
    weekend = sum((arrival + timedelta(days=night)).weekday() >= 5 for night in range(nights))
    status, status_date = _outcome(random, kind, arrival, lead, nights)
    rate = 0.0 if random.random() < FREE_STAYS else nightly_rate(random, kind, arrival.month)
    return arrival, [
        "City Hotel" if kind == "city" else "Resort Hotel",
        lead,
        arrival.year,
        MONTHS[arrival.month - 1],
        arrival.day,
        weekend,
        nights - weekend,
        pick(random, ADULTS),
        pick(random, CHILDREN),
        pick(random, BABIES),
        pick(random, COUNTRY),
        pick(random, MARKET_SEGMENT),
        pick(random, CUSTOMER_TYPE),
        int(random.random() < REPEATED_GUEST),
        f"{rate:g}",
        status,
        status_date.isoformat(),
    ]


def _arrival(random: Random, kind: Kind) -> date:
    """A day of the table's span; busier months come up more often."""
    busiest = max(ARRIVAL_MONTH[kind])
    while True:
        arrival = FIRST_ARRIVAL + timedelta(days=random.randrange(ARRIVAL_DAYS))
        if random.random() * busiest < ARRIVAL_MONTH[kind][arrival.month - 1]:
            return arrival


def _outcome(random: Random, kind: Kind, arrival: date, lead: int, nights: int) -> tuple[str, date]:
    cancelled = cancelled_after(random, kind, lead)
    if cancelled is not None:
        return "Canceled", arrival - timedelta(days=lead - cancelled)
    if no_show(random, lead):
        return "No-Show", arrival
    return "Check-Out", arrival + timedelta(days=nights)
