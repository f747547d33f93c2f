"""What guests did before the demonstrated time: orders and stays that joined the history and trigger nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from orchestrator.demo.people import person
from orchestrator.demo.shopping import bought_before
from orchestrator.demo.stays import HOTELS

SHOPPED, STAYED = 0.16, 0.18
"""Guests with an order, and with a stay, in the last year."""
REMEMBERED = 360
"""Days."""


def history(seed: int, customers: int, start: date) -> Iterator[dict[str, Any]]:
    """Past events of the guests known at `start`, shaped like `history` of a scenario file; guest after guest.

    A guest's past depends on `seed` and his number only; the more active, the more there is of it.
    """
    begin = datetime.combine(start, time(), UTC)
    for number in range(customers):
        guest = person(seed, number, start)
        if guest.signs_up is not None:
            continue
        random = Random(f"{seed}/past/{number}")
        in_china = guest.home.country == "CN"
        for count in range(_times(random, SHOPPED * guest.activity)):
            at = begin - timedelta(seconds=random.randrange(REMEMBERED * 86_400))
            properties = bought_before(random, f"{guest.id}-p{count}", in_china)
            yield _past(guest.id, at, "order_placed", f"{guest.id}-p{count}-order", properties)
        for count in range(_times(random, STAYED * guest.activity)):
            at = begin - timedelta(days=random.randrange(3, REMEMBERED), seconds=random.randrange(20_000))
            hotel = random.choice([hotel for hotel in HOTELS if (hotel.currency == "CNY") is in_china])
            properties = {"booking_id": f"{guest.id}-h{count}", "hotel_id": hotel.id}
            yield _past(guest.id, at, "checked_out", f"{guest.id}-h{count}-checked_out", properties)


def _past(customer: str, at: datetime, event: str, id: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "customer": customer,
        "event": event,
        "id": id,
        "properties": properties,
    }


def _times(random: Random, likely: float) -> int:
    """None for most; for the others once, or up to three times."""
    return random.choice((1, 1, 1, 2, 3)) if random.random() < min(likely, 0.9) else 0
