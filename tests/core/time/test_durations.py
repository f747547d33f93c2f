from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.time.durations import Duration, parse_duration, parse_fixed
from orchestrator.core.time.zones import local, to_utc, zone_or_none
from orchestrator.errors import BadDate

BERLIN = zone_or_none("Europe/Berlin")
assert BERLIN is not None
SECOND = timedelta(seconds=1)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1h30m", Duration(elapsed=timedelta(minutes=90))),
        ("90m", Duration(elapsed=timedelta(minutes=90))),
        ("90s", Duration(elapsed=timedelta(seconds=90))),
        ("3d", Duration(days=3)),
        ("2w", Duration(days=14)),
        ("1mo", Duration(months=1)),
        ("1y", Duration(months=12)),
        ("1y2mo3w4d5h6m7s", Duration(14, 25, timedelta(hours=5, minutes=6, seconds=7))),
        ("-7d", Duration(days=-7)),
        ("-1h30m", Duration(elapsed=-timedelta(minutes=90))),
        ("+30m", Duration(elapsed=timedelta(minutes=30))),
        ("0s", Duration()),
        ("100y", Duration(months=1200)),
    ],
)
def test_durations_read(text: str, expected: Duration) -> None:
    assert parse_duration(text) == expected
    assert str(parse_duration(text)) == text


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("1 day", "'1d'"),
        ("-1 day", "'-1d'"),
        ("2 weeks", "'2w'"),
        ("5min", "'5m'"),
        ("1 Hour 30 Minutes", "'1h30m'"),
        ("1h 30m", "'1h30m'"),
        ("1 week and 2 days", "'1w2d'"),
        ("1.5h", "'1h30m'"),
        ("2.5 d", "'60h'"),
        ("P1DT2H", "'1d2h'"),
        ("PT90M", "'90m'"),
        ("01:30", "'1h30m'"),
        ("00:00:45", "'45s'"),
        ("3天", "'3d'"),
        ("1M", "'1mo' (months)"),
        ("30", "'30m', '30h' or '30d'"),
        ("-5", "'-5m'"),
        ("500ms", "smallest unit is a second"),
        ("1h1h", "names 'h' twice"),
        ("101y", "at most 100y"),
        ("999999999999s", "at most 100y"),
        ("99y13mo", "at most 100y"),
        ("9" * 5000 + "d", "expected a number and a unit"),
        ("", "expected a number and a unit"),
        ("d", "expected a number and a unit"),
        ("1x", "such as '30m', '3d' or '1h30m'"),
        ("1h-30m", "expected a number and a unit"),
        ("１d", "expected a number and a unit"),
        ("soon", "expected a number and a unit"),
        (None, "found NoneType"),
        (30, "found int"),
        (["1d"], "found list"),
    ],
)
def test_what_is_no_duration_says_what_would_be(text: Any, nearest: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_duration(text)
    assert nearest in str(caught.value)
    assert "found" in str(caught.value)
    assert len(str(caught.value)) < 300


@given(st.text(max_size=30))
def test_hostile_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        duration = parse_duration(text)
    except ValueError:
        return
    assert abs(duration.roughly) <= timedelta(days=36525)


def test_fixed_units_have_fixed_lengths_and_months_have_none() -> None:
    assert parse_fixed("1d") == timedelta(hours=24)
    assert parse_fixed("2w1h") == timedelta(hours=2 * 168 + 1)
    assert parse_fixed("-40d", negative=True) == timedelta(days=-40)
    with pytest.raises(ValueError, match="use days or weeks, such as '30d'"):
        parse_fixed("1mo")
    with pytest.raises(ValueError, match="'365d'"):
        parse_fixed("1y")
    with pytest.raises(ValueError, match="cannot be negative here; did you mean '7d'"):
        parse_fixed("-7d")
    with pytest.raises(ValueError, match="cannot be negative"):
        parse_duration("-7d", negative=False)


def test_a_duration_knows_its_kind() -> None:
    day, hours, both, none = (parse_duration(text) for text in ("1d", "24h", "1d2h", "0d"))
    assert (day.calendar, day.has_elapsed, day.elapsed_only) == (True, False, False)
    assert (hours.calendar, hours.has_elapsed, hours.elapsed_only) == (False, True, True)
    assert (both.calendar, both.has_elapsed, both.elapsed_only) == (True, True, False)
    assert none.is_zero and not none.positive()
    assert day.positive() and not parse_duration("-1d").positive()
    assert Duration.of(timedelta(days=7)).text == "168h" and Duration.of(timedelta(days=7)).elapsed_only


@pytest.mark.parametrize(
    ("text", "base", "expected"),
    [
        ("1d", "2026-03-28T10:00+01:00", "2026-03-29T10:00+02:00"),  # the wall clock is kept
        ("24h", "2026-03-28T10:00+01:00", "2026-03-29T11:00+02:00"),  # elapsed time is not
        ("1h", "2026-03-29T01:30+01:00", "2026-03-29T03:30+02:00"),
        ("1d", "2026-03-28T02:30+01:00", "2026-03-29T03:00+02:00"),  # lands in the gap
        ("2d", "2026-03-28T02:30+01:00", "2026-03-30T02:30+02:00"),  # passes over it
        ("1d", "2026-10-24T02:30+02:00", "2026-10-25T02:30+02:00"),  # lands in the fold: the first
        ("1d", "2026-10-25T02:30+01:00", "2026-10-26T02:30+01:00"),  # leaves from its second
        ("0d", "2026-10-25T02:30+01:00", "2026-10-25T02:30+01:00"),  # and stays there
        ("1d2h", "2026-03-28T01:00+01:00", "2026-03-29T04:00+02:00"),  # calendar first, then elapsed
        ("1mo", "2026-01-31T10:00+01:00", "2026-02-28T10:00+01:00"),  # the month's end
        ("1mo", "2028-01-31T10:00+01:00", "2028-02-29T10:00+01:00"),
        ("1y", "2028-02-29T10:00+01:00", "2029-02-28T10:00+01:00"),
        ("-1mo", "2026-03-31T10:00+02:00", "2026-02-28T10:00+01:00"),
        ("-1d", "2026-03-29T10:00+02:00", "2026-03-28T10:00+01:00"),
        ("1mo1d", "2026-01-31T10:00+01:00", "2026-03-01T10:00+01:00"),
    ],
)
def test_calendar_and_elapsed_parts_in_berlin(text: str, base: str, expected: str) -> None:
    assert BERLIN is not None
    assert parse_duration(text).after(instant(base), BERLIN) == instant(expected)


def test_times_keeps_the_anchor_day() -> None:
    assert BERLIN is not None
    month, base = parse_duration("1mo"), instant("2026-01-31T10:00+01:00")
    assert [local(month.after(base, BERLIN, n), BERLIN).date() for n in range(4)] == [
        date(2026, 1, 31),
        date(2026, 2, 28),
        date(2026, 3, 31),
        date(2026, 4, 30),
    ]
    assert month.on_date(date(2026, 1, 31), 2) == date(2026, 3, 31)


def test_the_calendars_end_is_a_bad_date() -> None:
    assert BERLIN is not None
    for text in ("100y", "36525d", "876000h"):
        with pytest.raises(BadDate, match="years 1 to 9999"):
            parse_duration(text).after(datetime(9950, 1, 1, tzinfo=UTC), BERLIN)
        with pytest.raises(BadDate):
            parse_duration(text).after(datetime(2026, 1, 1, tzinfo=UTC), BERLIN, times=10**15)
    with pytest.raises(BadDate):
        parse_duration("100y").on_date(date(9999, 1, 1))


@given(st.data(), st.integers(-100_000, 100_000), st.integers(1, 40), st.integers(0, 14), st.integers(0, 200_000))
def test_no_wait_is_early_around_any_change(
    changes: dict[str, list[Any]], data: st.DataObject, shift: int, days: int, months: int, seconds: int
) -> None:
    zone, at, _, _ = data.draw(st.sampled_from(data.draw(st.sampled_from([c for c in changes.values() if c]))))
    base = at + timedelta(seconds=shift)
    wall = local(base, zone)
    elapsed = timedelta(seconds=seconds)
    assert Duration(elapsed=elapsed).after(base, zone) == base + elapsed
    ends_at = Duration(days=days).after(base, zone)
    assert ends_at > base
    assert local(ends_at, zone) >= wall + timedelta(days=days), "not before the wall clock shows it"
    assert local(ends_at - SECOND, zone) < wall + timedelta(days=days), "and at the first instant that does"
    both = Duration(months=months, days=days, elapsed=elapsed)
    assert both.after(base, zone) == Duration(months=months, days=days).after(base, zone) + elapsed
    assert both.after(base, zone, 2) >= both.after(base, zone) >= base
    day = Duration(months=months, days=days).on_date(wall.date())
    assert Duration(months=months, days=days).after(base, zone) == to_utc(datetime.combine(day, wall.time()), zone)
