"""Where a phone number was given out: its country, and in North America the state or province of its area code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from orchestrator.core.time.zone_in_force import country_of_phone

Place = tuple[str, str | None]
"""A country by its ISO 3166 code, and the part of it: None where it is not known."""
_OF_STATES: Final = ("US", "CA")
_OF_NO_STATE: Final = frozenset(
    ("800", "822", "833", "844", "855", "866", "877", "888", "880", "881", "882", "900", "600", "622", "633", "700",
     "710", "500", "521", "522", "523", "524", "525", "526", "527", "528", "529", "532", "533", "535", "538", "542",
     "543", "544", "545", "546", "547", "549", "550", "552", "553", "554", "556", "566", "569", "577", "578", "588",
     "589")
)  # fmt: skip
"""Area codes of the North American Numbering Plan for services (toll-free, premium, personal), and not for places."""


class NumberPlace(NamedTuple):
    """`some_part`: it was given out in one part of the country, and nobody knows in which."""

    country: str
    region: str | None = None
    some_part: bool = False


def place_of_number(
    phone: str | None, home: str | None, area_codes: Mapping[str, tuple[str, str | None]]
) -> NumberPlace | None:
    """The place of a phone number; None where nothing can be told. `area_codes`: three digits to a place.

    A number without its calling code is read as one of the customer's own country (`home`).
    """
    if not phone or not isinstance(phone, str):
        return None
    digits = "".join(char for char in phone if "0" <= char <= "9")
    international = phone.lstrip().startswith(("+", "\uff0b"))
    if international or digits.startswith("00"):
        written = "+" + (digits if international else digits[2:])
        if written.startswith("+1") and (found := _of_area(written[2:5], area_codes)) is not None:
            return found
        country = country_of_phone(phone if international else written)
        if country is None:
            return None
        return NumberPlace(country, None, country in _OF_STATES and _is_area(written[2:5]) and bool(area_codes))
    if home in _OF_STATES and area_codes:  # their numbers are written alike
        area = digits[1:4] if digits.startswith("1") else digits[:3]
        if (found := _of_area(area, area_codes)) is not None:
            return found
        if len(digits) == (11 if digits.startswith("1") else 10) and _is_area(area):
            return NumberPlace(home, None, True)
    return None


def _of_area(area: str, area_codes: Mapping[str, tuple[str, str | None]]) -> NumberPlace | None:
    found = area_codes.get(area)
    return NumberPlace(*found, some_part=found[1] is None) if found is not None else None


def _is_area(area: str) -> bool:
    """Whether an area code is one of places."""
    return len(area) == 3 and area[0] not in "01" and area not in _OF_NO_STATE
