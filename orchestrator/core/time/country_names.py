"""Which country a profile means: people write codes of two and three letters, and names in many languages.

Names are those of the phonenumbers library (from the CLDR), codes of three letters those of the holidays library. What
is none of them tells nothing, and is treated as if nothing had been said.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Final

from orchestrator.core.time.country_zones import ZONES_OF_COUNTRY

LONGEST: Final = 64
"""Characters of the longest name that is looked up."""
_OTHER_CODES: Final = {"UK": "GB", "EL": "GR"}
_ALSO_SAID: Final = {
    "america": "US",
    "cote d'ivoire": "CI",
    "czech republic": "CZ",
    "czechia": "CZ",
    "côte d'ivoire": "CI",
    "côte d’ivoire": "CI",
    "england": "GB",
    "great britain": "GB",
    "holland": "NL",
    "ivory coast": "CI",
    "north macedonia": "MK",
    "northern ireland": "GB",
    "people's republic of china": "CN",
    "pr china": "CN",
    "prc": "CN",
    "republic of korea": "KR",
    "scotland": "GB",
    "the netherlands": "NL",
    "turkey": "TR",
    "united states of america": "US",
    "u.s.": "US",
    "u.s.a.": "US",
    "wales": "GB",
    "中华人民共和国": "CN",
}


@lru_cache(maxsize=4096)
def country_code(said: str) -> str | None:
    """The ISO 3166 alpha-2 code of a country by its code or its name, in any case; None for what is none."""
    text = " ".join(said.split()) if len(said) <= LONGEST else ""
    code = text.upper()
    code = _OTHER_CODES.get(code, code)
    if code in ZONES_OF_COUNTRY:
        return code
    return _names().get(text.casefold()) if len(text) > 1 else None


@cache
def _names() -> Mapping[str, str]:
    """Codes of three letters and names, in small letters, to codes. An English name is the country's that has it; one
    of another language that stands for two countries is nobody's."""
    # Imported here: most profiles hold a code.
    from holidays.registry import COUNTRIES
    from phonenumbers.geodata.locale import LOCALE_DATA

    of_name: dict[str, set[str]] = {}
    known: dict[str, str] = {}
    for code in sorted(ZONES_OF_COUNTRY):
        for language, name in LOCALE_DATA.get(code, {}).items():
            if name.startswith("*"):  # as in the language that it names
                name = LOCALE_DATA[code].get(name[1:], "")
            if name:
                of_name.setdefault(name.casefold(), set()).add(code)
                if language == "en":
                    known[name.casefold()] = code
    for _, two, three, *_ in COUNTRIES.values():
        if two in ZONES_OF_COUNTRY:
            known[three.casefold()] = two
    only = {name: next(iter(codes)) for name, codes in of_name.items() if len(codes) == 1 and len(name) > 1}
    return {**only, **known, **_ALSO_SAID}
