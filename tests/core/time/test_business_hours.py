"""Business hours: time that a team works off, by its days, its holidays, and its zone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.time.business_hours import BusinessHours
from orchestrator.core.time.durations import NO_TIME, Duration, parse_duration
from orchestrator.core.time.holiday_dates import Calendar
from orchestrator.core.time.waits import Window

WORKDAYS = frozenset(range(5))
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = BusinessHours(Window(time(9), time(17)), WORKDAYS, BERLIN)
MONDAY = datetime(2026, 3, 2, tzinfo=BERLIN)


def ends(base: datetime, text: str, hours: BusinessHours = OFFICE) -> str:
    return hours.after(base.astimezone(UTC), parse_duration(text)).astimezone(hours.zone).strftime("%a %d %H:%M")


def test_hours_are_worked_off_while_somebody_works() -> None:
    assert ends(MONDAY.replace(hour=10), "4h") == "Mon 02 14:00"
    assert ends(MONDAY.replace(hour=15), "4h") == "Tue 03 11:00"
    assert ends(MONDAY.replace(hour=15), "2h") == "Mon 02 17:00", "the end of a day is in time"
    assert ends(MONDAY.replace(hour=3), "30m") == "Mon 02 09:30"
    assert ends(MONDAY.replace(day=6, hour=16), "1d") == "Mon 09 16:00"
    assert ends(MONDAY.replace(day=7, hour=12), "0s") == "Mon 09 09:00", "nobody works on Saturday"


def test_holidays_and_days_that_are_worked_instead() -> None:
    german = BusinessHours(Window(time(9), time(17)), WORKDAYS, BERLIN, Calendar("DE"))
    assert ends(datetime(2026, 4, 2, 16, tzinfo=BERLIN), "2h", german) == "Tue 07 10:00", "Good Friday, Easter Monday"
    shanghai = ZoneInfo("Asia/Shanghai")
    chinese = BusinessHours(Window(time(9), time(18)), WORKDAYS, shanghai, Calendar("CN"))
    assert ends(datetime(2026, 2, 13, 17, tzinfo=shanghai), "2h", chinese) == "Sat 14 10:00", (
        "a Saturday made a workday"
    )


def test_nights_and_a_change_of_clocks() -> None:
    night = BusinessHours(Window(time(22), time(6)), frozenset({6}), BERLIN)
    assert night.length == timedelta(hours=8)
    spring = datetime(2026, 3, 29, 23, tzinfo=BERLIN)
    assert ends(spring, "8h", night) == "Sun 05 23:00"
    short = BusinessHours(Window(time(0), time(8)), frozenset({6}), BERLIN)
    assert ends(datetime(2026, 3, 28, 12, tzinfo=BERLIN), "7h", short) == "Sun 29 08:00", "seven hours: one is left out"


@given(st.integers(0, 30 * 24 * 60), st.integers(0, 3_000), st.integers(0, 3_000))
def test_one_thing_after_the_other_ends_with_both_together(minute: int, first: int, second: int) -> None:
    base = (MONDAY + timedelta(minutes=minute)).astimezone(UTC)
    a, b = (Duration(elapsed=timedelta(minutes=n)) for n in (first, second))
    apart = OFFICE.after(OFFICE.after(base, a), b)
    together = OFFICE.after(base, Duration(elapsed=timedelta(minutes=first + second)))
    assert OFFICE.after(base, NO_TIME) <= together <= apart
    assert apart == together or b.is_zero, "no more time to work off begins with the next day"
