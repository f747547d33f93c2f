"""Which zone holds for one customer at one step, and by which link of the chain it was found.

The language reference, section 5: the step's or journey's `timezone`; else `customer.timezone`; else the single zone
of the phone's or address's country; else, for a country of several zones, it is quiet when it is quiet in any of
them, and other times use the project's zone; else the project's. An invalid zone counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from orchestrator.core.time.country_zones import ZONES_OF_COUNTRY
from orchestrator.core.time.zones import zone_or_none
from orchestrator.records import dataclass

Link = Literal["step", "customer", "phone", "country", "project"]

_SAID: Mapping[str, Mapping[str, str]] = {link: {"zone": link} for link in get_args(Link)}

# What people write for two countries whose ISO code is another.
_OTHER_CODES = {"UK": "GB", "EL": "GR"}


@dataclass(frozen=True, slots=True)
class ZoneInForce:
    """The zone of waits, windows and quiet hours, as found."""

    zone: ZoneInfo
    """The zone of every wait and window; for a country of several zones the project's."""
    link: Link
    """What decided: for a country of several zones, the phone or the country that named it."""
    all_zones: tuple[ZoneInfo, ...]
    """The zones in any of which quiet hours count: `zone` alone, or every zone of the country."""

    @property
    def said(self) -> Mapping[str, str]:
        """The link, as transitions record it."""
        return _SAID[self.link]


def zone_in_force(
    step_zone: object,
    customer_timezone: object,
    phone: object,
    country: object,
    project_zone: ZoneInfo,
) -> ZoneInForce:
    """Walks the chain. `step_zone` is what the step's or journey's `timezone` came to, None for `customer`.

    The others are what the profile holds: an IANA name, an international phone number, an ISO 3166 alpha-2 code.
    Whatever is missing or cannot be read is passed over. A phone's country comes before the address's, a country of
    one zone before one of several.
    """
    if step_zone is not None and (zone := _valid(step_zone)) is not None:
        return _single(zone, "step")
    if customer_timezone is not None and (zone := _valid(customer_timezone)) is not None:
        return _single(zone, "customer")
    if not phone and not country:
        return _single(project_zone, "project")
    return _by_country(
        phone if isinstance(phone, str) else None, country if isinstance(country, str) else None, project_zone
    )


@lru_cache(maxsize=8192)
def country_of_phone(phone: str) -> str | None:
    """The ISO 3166 code of an international phone number's country; None where it cannot be read or has none.

    A number in no range that is handed out belongs to the main country of its calling code.
    """
    # Imported here: its tables cost a tenth of a second, and most projects give a time zone or a country.
    from phonenumbers import NumberParseException, parse, region_code_for_country_code, region_code_for_number

    try:
        number = parse(phone, None)
    except NumberParseException:
        return None
    region = region_code_for_number(number) or region_code_for_country_code(number.country_code or 0)
    return region if region in ZONES_OF_COUNTRY else None


def zones_of_country(country: str) -> tuple[ZoneInfo, ...]:
    """Every zone of a country by its ISO 3166 alpha-2 code in either case; empty where the code is unknown.

    Zones whose clocks agree count as one; see `country_zones`.
    """
    code = country.strip().upper() if len(country) < 10 else ""
    names = ZONES_OF_COUNTRY.get(_OTHER_CODES.get(code, code), ())
    return tuple(zone for name in names if (zone := zone_or_none(name)) is not None)


def _valid(zone: object) -> ZoneInfo | None:
    return zone if isinstance(zone, ZoneInfo) else zone_or_none(zone)


@lru_cache(maxsize=2048)
def _single(zone: ZoneInfo, link: Link) -> ZoneInForce:
    return ZoneInForce(zone, link, (zone,))


@lru_cache(maxsize=8192)
def _by_country(phone: str | None, country: str | None, project_zone: ZoneInfo) -> ZoneInForce:
    of_phone = country_of_phone(phone) if phone else None
    links: tuple[tuple[Link, str | None], ...] = (("phone", of_phone), ("country", country))
    found = [(link, zones) for link, code in links if code and (zones := zones_of_country(code))]
    for link, zones in found:
        if len(zones) == 1:
            return _single(zones[0], link)
    for link, zones in found:
        return ZoneInForce(project_zone, link, zones)
    return _single(project_zone, "project")
