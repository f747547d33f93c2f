"""How hotel bookings are really distributed, as numbers, and how to draw from them.

The figures were read off the public hotel booking demand data (Antonio, de Almeida, Nunes, Data in Brief 22, 2019;
CC BY 4.0): 119,390 bookings of a city and a resort hotel. Only these shares are kept here. Every function takes the
`random.Random` that it draws from.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal, TypeVar

Kind = Literal["city", "resort"]
"""City hotels are booked and cancelled differently from resorts."""

T = TypeVar("T")

CITY_SHARE = 0.664

LEAD_DAYS: Mapping[Kind, Sequence[int]] = {
    "city": (0, 1, 4, 9, 15, 23, 32, 40, 51, 62, 74, 88, 103, 120, 141, 163, 188, 224, 277, 335, 629),
    "resort": (0, 0, 1, 3, 6, 10, 17, 25, 33, 44, 57, 73, 90, 110, 131, 155, 177, 205, 238, 287, 737),
}
"""Quantiles (0 %, 5 %, ... 100 %) of the days from the booking to the arrival."""

LEAD_BANDS: Sequence[int] = (0, 2, 7, 14, 30, 60, 90, 180, 365)
"""Upper ends, inclusive, of the bands of lead time below; the last band is open."""

CANCELLED: Mapping[Kind, Sequence[float]] = {
    "city": (0.064, 0.090, 0.129, 0.232, 0.329, 0.376, 0.406, 0.468, 0.624, 0.711),
    "resort": (0.036, 0.054, 0.071, 0.154, 0.242, 0.301, 0.343, 0.370, 0.408, 0.464),
}
"""Share of bookings that are cancelled, by band: the longer the lead, the likelier."""

NO_SHOW: Sequence[float] = (0.018, 0.023, 0.014, 0.016, 0.013, 0.010, 0.007, 0.010, 0.004, 0.000)
"""Share of bookings whose guest neither cancels nor comes, by band."""

SAME_DAY: Sequence[tuple[int, float]] = ((2, 0.565), (30, 0.228), (180, 0.186), (9999, 0.072))
"""Share of the cancellations that come on the day of the booking, by (lead up to, share)."""

ELAPSED: Sequence[tuple[int, Sequence[float]]] = (
    (30, (0.03, 0.08, 0.14, 0.21, 0.29, 0.40, 0.50, 0.62, 0.75, 0.87, 1.0)),
    (180, (0.01, 0.03, 0.08, 0.18, 0.28, 0.38, 0.50, 0.65, 0.79, 0.90, 1.0)),
    (9999, (0.00, 0.07, 0.15, 0.22, 0.26, 0.36, 0.55, 0.72, 0.83, 0.92, 1.0)),
)
"""Of the other cancellations: deciles of the part of the lead time that has passed by then, by lead up to."""

NIGHTS: Mapping[Kind, Mapping[int, float]] = {
    "city": {1: 0.167, 2: 0.270, 3: 0.270, 4: 0.158, 5: 0.063, 6: 0.026, 7: 0.026, 8: 0.005, 0: 0.004, 10: 0.011},
    "resort": {
        1: 0.193, 2: 0.155, 3: 0.142, 4: 0.120, 5: 0.070, 6: 0.045, 7: 0.165, 8: 0.019, 9: 0.016, 10: 0.023, 11: 0.008,
        14: 0.020, 0: 0.010, 12: 0.014,
    },
}  # fmt: skip

ARRIVAL_MONTH: Mapping[Kind, Sequence[float]] = {
    "city": (0.047, 0.063, 0.081, 0.094, 0.104, 0.100, 0.102, 0.113, 0.093, 0.096, 0.055, 0.052),
    "resort": (0.055, 0.077, 0.083, 0.090, 0.089, 0.076, 0.114, 0.122, 0.078, 0.089, 0.061, 0.066),
}
"""Share of the arrivals from January to December."""

RATE: Mapping[Kind, Sequence[float]] = {
    "city": (80, 80, 88, 105, 120, 117, 107, 109, 107, 100, 85, 85),
    "resort": (48, 51, 56, 75, 73, 105, 152, 188, 86, 58, 45, 58),
}
"""Median price of a night in euros from January to December."""

RATE_SPREAD: Mapping[Kind, float] = {"city": 0.32, "resort": 0.37}
"""Standard deviation of the logarithm of a price around its month's median."""

FREE_STAYS = 0.016

ADULTS: Mapping[int, float] = {2: 0.755, 1: 0.193, 3: 0.052}
CHILDREN: Mapping[int, float] = {0: 0.928, 1: 0.041, 2: 0.031}
BABIES: Mapping[int, float] = {0: 0.992, 1: 0.008}
MARKET_SEGMENT: Mapping[str, float] = {
    "Online TA": 0.473, "Offline TA/TO": 0.203, "Groups": 0.166, "Direct": 0.106, "Corporate": 0.044,
    "Complementary": 0.008,
}  # fmt: skip
CUSTOMER_TYPE: Mapping[str, float] = {"Transient": 0.751, "Transient-Party": 0.210, "Contract": 0.034, "Group": 0.005}
COUNTRY: Mapping[str, float] = {
    "PRT": 0.407, "GBR": 0.102, "FRA": 0.087, "ESP": 0.072, "DEU": 0.061, "ITA": 0.032, "IRL": 0.028, "BEL": 0.020,
    "BRA": 0.019, "NLD": 0.018, "USA": 0.018, "CHE": 0.014, "CN": 0.011, "AUT": 0.011, "SWE": 0.009, "CHN": 0.008,
}  # fmt: skip
REPEATED_GUEST = 0.032


def pick(random: Random, shares: Mapping[T, float]) -> T:
    """One of the keys, by its share; shares need not add up to one."""
    return random.choices(list(shares), weights=list(shares.values()))[0]


def from_quantiles(random: Random, quantiles: Sequence[float]) -> float:
    """A draw from evenly spaced quantiles, straight lines between them."""
    place = random.random() * (len(quantiles) - 1)
    below = int(place)
    return quantiles[below] + (quantiles[below + 1] - quantiles[below]) * (place - below)


def lead_days(random: Random, kind: Kind) -> int:
    """Days from booking to arrival."""
    return round(from_quantiles(random, LEAD_DAYS[kind]))


def band(lead: int) -> int:
    """The index of a lead time in CANCELLED and NO_SHOW."""
    return bisect_left(LEAD_BANDS, lead)


def cancelled_after(random: Random, kind: Kind, lead: int) -> int | None:
    """Days from booking to cancellation, 0 to `lead`; None: not cancelled."""
    if random.random() >= CANCELLED[kind][band(lead)]:
        return None
    same_day = next(share for up_to, share in SAME_DAY if lead <= up_to)
    if lead == 0 or random.random() < same_day:
        return 0
    deciles = next(deciles for up_to, deciles in ELAPSED if lead <= up_to)
    return min(lead, max(1, round(from_quantiles(random, deciles) * lead)))


def no_show(random: Random, lead: int) -> bool:
    """Whether the guest of a booking that stands does not come."""
    return random.random() < NO_SHOW[band(lead)]


def nightly_rate(random: Random, kind: Kind, month: int) -> float:
    """The price of a night in euros in a month from 1 to 12."""
    return round(RATE[kind][month - 1] * random.lognormvariate(0.0, RATE_SPREAD[kind]), 2)
