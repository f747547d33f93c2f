from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.time.durations import parse_duration
from orchestrator.core.time.lunar import LunarDay, gregorian_date, lunar_day
from orchestrator.core.time.occurrences import CalendarName, DateOccurrence, Every, LeapDay, next_date_occurrence
from orchestrator.errors import BadDate

LISBON, SHANGHAI = ZoneInfo("Europe/Lisbon"), ZoneInfo("Asia/Shanghai")


def following(
    value: object,
    after: str,
    every: Every = "year",
    *,
    calendar: CalendarName = "gregorian",
    offset: str | None = None,
    at: str = "00:00",
    zone: ZoneInfo = LISBON,
    leap_day: LeapDay = "feb28",
) -> DateOccurrence | None:
    return next_date_occurrence(
        value,
        every=every,
        calendar=calendar,
        offset=parse_duration(offset) if offset else None,
        at=time.fromisoformat(at),
        zone=zone,
        leap_day=leap_day,
        after=datetime.fromisoformat(after).astimezone(UTC),
    )


def dates(value: date, every: Every, count: int, **options: object) -> list[str]:
    found, after = [], "2025-12-31T12:00Z"
    for _ in range(count):
        occurrence = following(value, after, every, **options)  # type: ignore[arg-type]
        assert occurrence is not None
        found.append(occurrence.date.isoformat())
        after = occurrence.at.isoformat()
    return found


def test_a_birthday_comes_every_year_at_its_local_time_strictly_after() -> None:
    born = date(1990, 5, 1)
    expected = DateOccurrence(date(2026, 5, 1), datetime(2026, 5, 1, 8, tzinfo=UTC))  # 09:00 in summer
    assert following(born, "2026-03-01T00:00Z", at="09:00") == expected
    assert following(born, "2026-05-01T07:59:59Z", at="09:00") == expected
    assert following(born, "2026-05-01T08:00Z", at="09:00").date == date(2027, 5, 1)  # type: ignore[union-attr]


def test_the_offset_moves_the_instant_and_not_the_identity() -> None:
    occurrence = following(date(1990, 1, 3), "2025-12-01T00:00Z", offset="-7d", at="09:00")
    assert occurrence == DateOccurrence(date(2026, 1, 3), datetime(2025, 12, 27, 9, tzinfo=UTC))
    later = following(date(1990, 12, 30), "2026-01-01T00:00Z", offset="7d", at="09:00")
    assert later == DateOccurrence(date(2025, 12, 30), datetime(2026, 1, 6, 9, tzinfo=UTC))
    hours = following(date(1990, 12, 30), "2026-01-01T00:00Z", offset="1d2h", at="09:00")
    assert hours == DateOccurrence(date(2026, 12, 30), datetime(2026, 12, 31, 11, tzinfo=UTC))


def test_once_comes_once() -> None:
    assert following("2026-05-01", "2026-04-30T00:00Z", "once") is not None
    assert following("2026-05-01", "2026-05-01T00:00Z", "once") is None
    assert following(date(2030, 5, 1), "2026-01-01T00:00Z", "year").date == date(2030, 5, 1)  # type: ignore[union-attr]


def test_month_ends_keep_the_anchor_day() -> None:
    assert dates(date(2020, 1, 31), "month", 4) == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]
    assert dates(date(2020, 1, 30), "month", 3) == ["2026-01-30", "2026-02-28", "2026-03-30"]
    assert dates(date(2020, 2, 29), "month", 3, leap_day="mar1") == ["2026-01-29", "2026-02-28", "2026-03-29"]


def test_leap_day_birthdays_fall_where_the_setting_says() -> None:
    leapling = date(2000, 2, 29)
    assert dates(leapling, "year", 3) == ["2026-02-28", "2027-02-28", "2028-02-29"]
    assert dates(leapling, "year", 3, leap_day="mar1") == ["2026-03-01", "2027-03-01", "2028-02-29"]


def test_lunar_birthdays_move_with_the_lunar_year() -> None:
    # Lunar New Year's day of 1990 was 27 January; of 2026 it is 17 February, of 2027 6 February, of 2028 26 January.
    assert dates(date(1990, 1, 27), "year", 3, calendar="chinese") == ["2026-02-17", "2027-02-06", "2028-01-26"]
    # Mid-autumn, 15th of the 8th month.
    assert dates(date(1990, 10, 3), "year", 2, calendar="chinese") == ["2026-09-25", "2027-09-15"]
    assert dates(date(1990, 1, 27), "month", 3, calendar="chinese") == ["2026-01-19", "2026-02-17", "2026-03-19"]
    assert following(date(1990, 1, 27), "2026-01-01T00:00Z", calendar="chinese", zone=SHANGHAI, at="09:00") == (
        date(2026, 2, 17),
        datetime(2026, 2, 17, 1, tzinfo=UTC),
    )


def test_leap_months_fall_back_to_the_regular_month_and_a_30th_to_the_last_day() -> None:
    born_in_leap_june = date(1987, 7, 26)  # first day of the sixth month's leap month
    assert lunar_day(born_in_leap_june) == LunarDay(1987, 6, 1)
    assert dates(born_in_leap_june, "year", 1, calendar="chinese") == ["2026-07-14"]
    for year in range(1901, 2100):
        for month in range(1, 13):
            day = gregorian_date(LunarDay(year, month, 30))
            assert day is not None
            assert gregorian_date(LunarDay(year, month, 1)) in (day - timedelta(days=29), day - timedelta(days=28))


def test_outside_the_lunar_tables_there_is_none() -> None:
    assert following(date(1850, 1, 1), "2026-01-01T00:00Z", calendar="chinese") is None
    assert following(date(1990, 1, 27), "2101-06-01T00:00Z", calendar="chinese") is None
    assert following(date(1990, 1, 27), "9999-06-01T00:00Z") is None
    assert following(date(9999, 12, 31), "2026-01-01T00:00Z", offset="1y") is None


def test_instants_count_by_their_local_date_and_garbage_is_a_bad_date() -> None:
    occurrence = following("1990-05-01T20:00:00Z", "2026-01-01T00:00Z", zone=SHANGHAI)
    assert occurrence == DateOccurrence(date(2026, 5, 2), datetime(2026, 5, 1, 16, tzinfo=UTC))
    for value in (None, "soon", 19900501, float("nan"), "1990-02-30"):
        with pytest.raises(BadDate):
            following(value, "2026-01-01T00:00Z")


@given(
    st.dates(date(1905, 1, 1), date(2060, 1, 1)),
    st.sampled_from(["once", "year", "month"]),
    st.sampled_from(["gregorian", "chinese"]),
    st.sampled_from(["-1y", "-7d", "-1mo", "0d", "12h", "30d", "2y", "10y"]),
    st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
)
def test_no_occurrence_is_skipped(
    value: date, every: Every, calendar: CalendarName, offset: str, after: datetime
) -> None:
    """Asking from far back, one by one, leads to the same occurrence as asking once."""
    options = {"every": every, "calendar": calendar, "offset": offset}
    found = following(value, after.isoformat(), **options)  # type: ignore[arg-type]
    assert found is None or found.at > after
    walked, at = [], (after - timedelta(days=800)).isoformat()
    while (step := following(value, at, **options)) is not None:  # type: ignore[arg-type]
        walked.append(step)
        at = step.at.isoformat()
        if step.at > after:
            break
    assert found == (walked[-1] if walked and walked[-1].at > after else None)
    limit = {"once": 0, "year": 400, "month": 65}[every]
    assert all((later.at - earlier.at).days < limit for earlier, later in pairwise(walked)), "none left out"
