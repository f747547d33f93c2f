"""Recency, frequency, monetary value: classes by quantiles over all customers, and the segments that they make.

Class 1 is the least, the highest class the best: who bought last, most often, for the most money. A class's bound is
the value at its rank among all customers (the discrete percentile), and equal values are always in one class.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from orchestrator.core.time.cron import Cron
from orchestrator.records import dataclass

ATTRIBUTE: Final = "rfm"
"""The customer's attribute: recency, frequency, monetary, segment."""
SEGMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "champions": ("54", "55"),
    "loyal": ("34", "35", "44", "45"),
    "potential_loyalists": ("42", "43", "52", "53"),
    "new_customers": ("51",),
    "promising": ("41",),
    "need_attention": ("33",),
    "about_to_sleep": ("31", "32"),
    "cannot_lose": ("15", "25"),
    "at_risk": ("13", "14", "23", "24"),
    "hibernating": ("11", "12", "21", "22"),
}
"""By name, the pairs of recency and frequency (1 to 5). The names are Putler's ("RFM Analysis for Successful Customer
Segmentation", putler.com/rfm-analysis), whose ranges overlap; the grid with one name for each pair is the one in common
use: `[1-2][1-2]` hibernating, `[1-2][3-4]` at risk, `[1-2]5` cannot lose, `3[1-2]` about to sleep, `33` need attention,
`[3-4][4-5]` loyal, `41` promising, `51` new, `[4-5][2-3]` potential loyalists, `5[4-5]` champions."""
_BY_PAIR: Final = {pair: name for name, pairs in SEGMENTS.items() for pair in pairs}


@dataclass(frozen=True, slots=True)
class RfmSpec:
    """`rfm:` of project.yaml. `path` leads to the event's property that is its value; only events of the last `within`
    count."""

    event: str
    path: tuple[str, ...]
    classes: int
    every: Cron
    within: timedelta


class Buyer(NamedTuple):
    """What is known of one customer: the last event's instant (microseconds), how many there were, what they came
    to."""

    last_at: int
    orders: int
    value: float


class Bounds(NamedTuple):
    """The highest value of each class but the last, ascending."""

    recency: tuple[int, ...] = ()
    frequency: tuple[int, ...] = ()
    monetary: tuple[float, ...] = ()


class Classes(NamedTuple):
    """A customer's classes, 1 (least) to the number of classes."""

    recency: int
    frequency: int
    monetary: int


def ranks(customers: int, classes: int) -> tuple[int, ...]:
    """The ranks (from 1, ascending) of the customers whose values are bounds."""
    return tuple((number * customers + classes - 1) // classes for number in range(1, classes))


def bounds_of(buyers: Sequence[Buyer], classes: int) -> Bounds:
    """The bounds over all customers."""
    places = ranks(len(buyers), classes) if buyers else ()
    columns = [sorted(column) for column in zip(*buyers, strict=True)] if buyers else [[], [], []]
    return Bounds(*(tuple(column[place - 1] for place in places) for column in columns))


def classes_of(buyer: Buyer, bounds: Bounds) -> Classes:
    """One more than the bounds that lie below a value."""
    return Classes(*(bisect_left(known, value) + 1 for known, value in zip(bounds, buyer, strict=True)))


def segment_of(found: Classes, classes: int) -> str:
    """The segment by recency and frequency; of other numbers of classes than five, by the fifth in which they lie."""
    fifths = ((place * 5 + classes - 1) // classes for place in found[:2])
    return _BY_PAIR["".join(map(str, fifths))]


def attribute_of(found: Classes, classes: int) -> dict[str, Any]:
    """The value of the customer's attribute."""
    return {**found._asdict(), "segment": segment_of(found, classes)}
