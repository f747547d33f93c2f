"""In whose local time a story is told, and in words by which link of the chain it was found.

What is recorded of a wait is the link alone (`phone`), and a country of several zones decides otherwise than one of a
single zone: the words for it are true of both, unless the profile of today tells which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from orchestrator.core.customer import Customer
from orchestrator.core.time.zone_in_force import ZoneInForce, zone_in_force
from orchestrator.records import dataclass

LINKS: Mapping[str, str] = {
    "step": "the zone that the journey names",
    "customer": "the customer's time zone",
    "phone": "the time zone of the phone number's country; the project's, where that has several",
    "country": "the time zone of the customer's country; the project's, where that has several",
    "project": "the project's time zone",
}
"""Which link of the chain gave the zone in force (the language reference, section 5)."""

_ONE: Mapping[str, str] = {
    "phone": "the time zone of the phone number's country",
    "country": "the time zone of the customer's country",
}
_SEVERAL: Mapping[str, str] = {
    "phone": "the project's time zone, as the phone number's country has several",
    "country": "the project's time zone, as the customer's country has several",
}


@dataclass(frozen=True, slots=True)
class LocalTime:
    """The zone in which instants are told. `link`: the link that gave it; None: whoever tells it chose it.

    `several`: the country that the link names has several zones, so that the project's is used.
    """

    zone: ZoneInfo
    link: str | None = None
    several: bool = False

    @property
    def whose(self) -> str | None:
        """``the customer's time zone``; None: it is nobody's."""
        return self.words_for(self.link) if self.link is not None else None

    def words_for(self, link: str) -> str:
        """A recorded link in words: exactly where today's profile has the same one, else so that it is true anyway."""
        if link == self.link and link in _ONE:
            return (_SEVERAL if self.several else _ONE)[link]
        return LINKS.get(link, link)


def local_time_of(customer: Customer | None, project_zone: ZoneInfo) -> LocalTime:
    """The zone in force of a customer, of whom nothing may be known."""
    if customer is None:
        return LocalTime(project_zone, "project")
    return _of(zone_in_force(None, customer.timezone, customer.phone, customer.country, project_zone))


def _of(found: ZoneInForce) -> LocalTime:
    return LocalTime(found.zone, found.link, len(found.all_zones) > 1)
