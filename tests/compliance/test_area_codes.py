"""The table of area codes: written by this file (UPDATE_GOLDEN=1), from what phonenumbers says of them, and checked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from phonenumbers import PhoneNumberType, is_valid_number, number_type, parse, region_code_for_number
from phonenumbers.geodata import GEOCODE_DATA

import orchestrator.compliance
from orchestrator.compliance.packs import area_codes, load_pack
from orchestrator.core.number_place import NumberPlace, place_of_number

GEOGRAPHIC = {PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
FILE = Path(orchestrator.compliance.__file__).with_name("area_codes.yaml")
HEAD = """\
# Which state or province a North American area code was given to. Generated, not written: from the geographical
# descriptions of libphonenumber (Apache License 2.0), which follow the assignments of the North American Numbering Plan
# Administrator (https://www.nanpa.com). A number may have moved with its owner; rules of a state follow the number all
# the same, as the presumption of Fla. Stat. 501.059(8)(d) does. Codes under "?" serve several provinces.
# tests/compliance/test_area_codes.py writes this file (UPDATE_GOLDEN=1) and checks it.
"""
SPELLED = {"Washington State": "WA", "Washington D.C.": "DC", "British Colombia": "BC"}


def described() -> dict[str, dict[str, list[int]]]:
    """Codes by country and part of it, as the library describes them: "Texas", "San Antonio, TX". Where it tells one
    town from another by more digits, what all of them have in common."""
    names = {
        **{name: ("US", code) for code, name in load_pack("us").regions.items()},
        **{name: ("CA", code) for code, name in load_pack("ca").regions.items()},
        **{name: ("US" if code in load_pack("us").regions else "CA", code) for name, code in SPELLED.items()},
    }
    by_code = {code: country for country, code in names.values()}

    def place_of(said: str) -> tuple[str, str] | None:
        if "/" in said:
            return "CA", "?"
        _, comma, code = said.rpartition(", ")
        return (by_code[code], code) if comma and code in by_code else names.get(said)

    by_area: dict[int, set[tuple[str, str] | None]] = {}
    for key, said in GEOCODE_DATA.items():
        if key[0] == "1" and len(key) >= 4 and "en" in said:
            exact = GEOCODE_DATA.get(key[:4], {}).get("en")
            by_area.setdefault(int(key[1:4]), set()).add(place_of(exact or said["en"]))
    found: dict[str, dict[str, list[int]]] = {"US": {}, "CA": {}}
    for area, places in sorted(by_area.items()):
        [place, *more] = places
        if place is not None and not more:
            found[place[0]].setdefault(place[1], []).append(area)
    return found


def written() -> str:
    lines = [HEAD]
    for country, regions in described().items():
        lines.append(f"{country}:\n")
        for region, codes in sorted(regions.items()):
            rows = [", ".join(map(str, codes[n : n + 20])) for n in range(0, len(codes), 20)]
            lines.append(f'  "{region}": [' + ",\n       ".join(rows) + "]\n")
    return "".join(lines)


def test_the_file_is_what_the_library_describes() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        FILE.write_text(written(), encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == written()


def test_well_known_codes() -> None:
    codes = area_codes()
    assert codes["212"] == ("US", "NY")
    assert codes["305"] == ("US", "FL")
    assert codes["512"] == ("US", "TX")
    assert codes["416"] == ("CA", "ON")
    assert codes["902"] == ("CA", None)
    assert "800" not in codes
    assert {region for country, region in codes.values() if country == "US"} == set(load_pack("us").regions)


def test_every_code_of_places_is_in_the_table() -> None:
    """By other data than the table's: the numbering plan's own patterns of valid numbers."""
    codes, missing = area_codes(), []
    for area in range(200, 1000):
        numbers = [parse(f"+1{area}{rest}", None) for rest in ("2345678", "5550123", "7654321")]
        kinds = {(region_code_for_number(n), number_type(n)) for n in numbers if is_valid_number(n)}
        states = {country for country, kind in kinds if country in ("US", "CA") and kind in GEOGRAPHIC}
        if states and codes.get(str(area), ("", None))[0] not in states:
            missing.append(area)
        if kinds and not states and {country for country, _ in kinds} & {"US", "CA"}:
            home = next(country for country, _ in kinds)
            found = place_of_number(f"+1{area}2345678", None, codes)
            assert found == NumberPlace(home or "US"), f"{area} is of no place"
    assert missing == []


@pytest.mark.parametrize(
    ("phone", "place"),
    [
        ("+12035550123", ("US", "CT")),
        ("+13105550123", ("US", "CA")),
        ("+17135550123", ("US", "TX")),
        ("+17185550123", ("US", "NY")),
        ("+19055550123", ("CA", "ON")),
        ("+12425550123", ("BS", None)),
        ("+13405550123", ("VI", None)),
    ],
)
def test_codes_that_the_library_splits_by_town(phone: str, place: tuple[str, str | None]) -> None:
    found = place_of_number(phone, None, area_codes())
    assert found is not None
    assert (found.country, found.region) == place
