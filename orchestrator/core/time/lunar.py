"""Birthdays by the Chinese lunar calendar: the day of a lunar month and day in another lunar year.

The months are borax's, for the lunar years 1900 to 2100; outside them there is no answer. A birth in a leap month is
kept in the regular month of the same number, and a 30th in a month of 29 days on its last day.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import NamedTuple


class LunarDay(NamedTuple):
    """A day of the Chinese calendar; `month` is the regular month's number also within its leap month."""

    year: int
    month: int
    day: int


@lru_cache(maxsize=8192)
def lunar_day(day: date) -> LunarDay | None:
    """The lunar day of a Gregorian date; None outside the lunar years 1900 to 2100."""
    # Imported here: only projects with lunar birthdays need the tables.
    from borax.calendars.lunardate import InvalidLunarDateError, LunarDate

    try:
        lunar = LunarDate.from_solar_date(day.year, day.month, day.day)
    except (InvalidLunarDateError, ValueError):
        return None
    return LunarDay(lunar.year, lunar.month, lunar.day)


@lru_cache(maxsize=8192)
def gregorian_date(lunar: LunarDay) -> date | None:
    """The Gregorian date of a day in a regular lunar month, at its last day at the latest; None outside the tables."""
    from borax.calendars.lunardate import InvalidLunarDateError, LCalendars, LunarDate

    try:
        last = LCalendars.ndays(lunar.year, lunar.month)
        solar = LunarDate(lunar.year, lunar.month, min(lunar.day, last)).to_solar_date()
    except (InvalidLunarDateError, ValueError):
        return None
    return date(solar.year, solar.month, solar.day)
