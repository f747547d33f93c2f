"""The table of area codes: written by this file (UPDATE_GOLDEN=1), from what phonenumbers says of them, and checked."""

from __future__ import annotations

import os
from pathlib import Path

from phonenumbers.geodata import GEOCODE_DATA

import orchestrator.compliance
from orchestrator.compliance.packs import area_codes, load_pack

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
    """Codes by country and part of it, as the library describes them: "Texas", "San Antonio, TX"."""
    names = {
        **{name: ("US", code) for code, name in load_pack("us").regions.items()},
        **{name: ("CA", code) for code, name in load_pack("ca").regions.items()},
    }
    by_code = {code: country for country, code in names.values()}
    found: dict[str, dict[str, list[int]]] = {"US": {}, "CA": {}}
    for area in range(200, 1000):
        said = GEOCODE_DATA.get(f"1{area}", {}).get("en")
        if said is None:
            continue
        if "/" in said:
            place = ("CA", "?")
        elif said in SPELLED:
            place = (by_code[SPELLED[said]], SPELLED[said])
        elif ", " in said:
            place = (by_code[said[-2:]], said[-2:])
        else:
            place = names[said]
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
