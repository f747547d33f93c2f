"""Which country people mean: codes, names in their languages, and what is none."""

from __future__ import annotations

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.geodata.locale import LOCALE_DATA

from orchestrator.core.time.country_names import country_code
from orchestrator.core.time.country_zones import ZONES_OF_COUNTRY
from orchestrator.core.time.holiday_dates import Calendar, holiday_year

CODES = sorted(ZONES_OF_COUNTRY)


@given(st.sampled_from(CODES), st.sampled_from(["{}", " {} ", "{}\n"]), st.booleans())
def test_every_code_is_its_country(code: str, shape: str, small: bool) -> None:
    assert country_code(shape.format(code.lower() if small else code)) == code


@pytest.mark.parametrize("language", ["en", "zh", "de", "pt", "fr", "es"])
def test_names_of_another_source_mean_the_same_or_nothing(language: str) -> None:
    """Babel's names of countries, some of which are newer than those of the table."""
    told = {code: name for code, name in Locale.parse(language).territories.items() if code in ZONES_OF_COUNTRY}
    found = {code: country_code(name) for code, name in told.items()}
    assert {code: other for code, other in found.items() if other not in (None, code)} == {}
    assert sum(other is not None for other in found.values()) > 0.75 * len(told)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Germany", "DE"), ("USA", "US"), ("United  States", "US"), ("u.s.a.", "US"), ("DEU", "DE"), ("UK", "GB"),
        ("Deutschland", "DE"), ("中国", "CN"), ("PRC", "CN"), ("Georgia", "GE"), ("Holland", "NL"),
    ],
)  # fmt: skip
def test_what_people_write(said: str, code: str) -> None:
    assert country_code(said) == code


@pytest.mark.parametrize("said", ["XX", "ZZ", "", " ", "Bank", "NYSE", "Atlantis", "EU", "*aa", "x" * 5000, "US\x00"])
def test_what_is_no_country(said: str) -> None:
    assert country_code(said) is None


NAMES = sorted({name for names in LOCALE_DATA.values() for name in names.values()})


@given(st.text(max_size=80) | st.sampled_from(NAMES))
def test_whatever_is_said_is_a_country_with_zones_or_none(said: str) -> None:
    found = country_code(said)
    assert found is None or found in ZONES_OF_COUNTRY


def _module_names() -> list[str]:
    import holidays

    return sorted(name for name in dir(holidays) if not name.startswith("_"))


@given(st.sampled_from([*_module_names(), "Bank", "May", "Sun", "Public", "NYSE"]) | st.text(max_size=9))
def test_a_name_of_the_library_is_no_country(name: str) -> None:
    """Whatever stands in a profile: its holidays are those of a country, or none."""
    year = holiday_year(Calendar(name), 2026)
    assert not year.off or name in ZONES_OF_COUNTRY
