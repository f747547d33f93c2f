"""Public holidays by country and year, from the tables of the `holidays` library.

Nothing is asked of a clock: a year's dates are worked out when a day of it is first looked at. Where holidays move by
decree from year to year, as in China, the years that are not decreed yet are estimates by the standing rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple


class Calendar(NamedTuple):
    """Whose holidays: an ISO 3166 alpha-2 code, and where known its subdivision without the country (TX, BY)."""

    country: str
    region: str | None = None


class HolidayYear(NamedTuple):
    """One year of a calendar.

    `off`: public holidays, with the days off that stand for them; `working`: weekend days that are worked instead;
    `estimated`: the dates are not decreed yet, and may move.
    """

    off: frozenset[date]
    working: frozenset[date]
    estimated: bool = False


NOTHING: Final = HolidayYear(frozenset(), frozenset())
DECREED_UNTIL: Final[Mapping[str, int]] = {"CN": 2026}
"""Countries whose holidays are decreed each year, and the last year that the library's tables know by decree (China:
the notice of the General Office of the State Council of 4 November 2025)."""


@lru_cache(maxsize=4096)
def calendar_of(country: str, region: str | None) -> Calendar:
    """The calendar of a place: that of its country alone, where the part of it has none of its own."""
    from holidays import list_supported_countries

    return Calendar(country, region if region in list_supported_countries().get(country, ()) else None)


@lru_cache(maxsize=1024)
def holiday_year(calendar: Calendar, year: int) -> HolidayYear:
    """The holidays of a year. A country without tables has none; an unknown subdivision has its country's."""
    # Asked first: the library takes any name of its modules for a country, "Bank" or "NYSE", too.
    if not has_holidays(calendar.country):
        return NOTHING
    # Imported here: most projects keep no holidays.
    from holidays import country_holidays

    try:
        found = country_holidays(calendar.country, subdiv=calendar.region, years=year, expand=False)
    except NotImplementedError:
        return holiday_year(Calendar(calendar.country), year) if calendar.region is not None else NOTHING
    return HolidayYear(
        frozenset(day for day in found if day.year == year),
        frozenset(day for day in found.weekend_workdays if day.year == year),
        year > DECREED_UNTIL.get(calendar.country, year),
    )


@lru_cache(maxsize=1024)
def has_holidays(country: str) -> bool:
    """Whether there are tables for a country by its ISO 3166 alpha-2 code."""
    from holidays import list_supported_countries

    return country in list_supported_countries(include_aliases=False)
