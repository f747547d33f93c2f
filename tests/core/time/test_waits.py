from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.time.clock_text import parse_days, parse_time_of_day, parse_window
from orchestrator.core.time.durations import Duration, parse_duration
from orchestrator.core.time.waits import Window, date_end, next_time_of_day, window_start
from orchestrator.core.time.zones import local, zone_or_none
from orchestrator.errors import BadDate

MINUTE = timedelta(minutes=1)
WEEKDAYS = frozenset(range(5))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def zone(name: str) -> ZoneInfo:
    found = zone_or_none(name)
    assert found is not None
    return found


BERLIN = zone("Europe/Berlin")


@pytest.mark.parametrize(
    ("base", "at", "on", "expected"),
    [
        ("2026-03-02T08:59+01:00", "09:00", None, "2026-03-02T09:00+01:00"),
        ("2026-03-02T09:00+01:00", "09:00", None, "2026-03-02T09:00+01:00"),  # at the base
        ("2026-03-02T09:00:01+01:00", "09:00", None, "2026-03-03T09:00+01:00"),
        ("2026-03-06T10:00+01:00", "09:00", "mon..fri", "2026-03-09T09:00+01:00"),  # Friday, over the weekend
        ("2026-03-06T09:00+01:00", "09:00", "fri", "2026-03-06T09:00+01:00"),
        ("2026-03-06T09:01+01:00", "09:00", "fri", "2026-03-13T09:00+01:00"),
        ("2026-03-28T10:00+01:00", "02:30", None, "2026-03-29T03:00+02:00"),  # the gap's end
        ("2026-03-29T03:00+02:00", "02:30", None, "2026-03-29T03:00+02:00"),
        ("2026-03-29T03:01+02:00", "02:30", None, "2026-03-30T02:30+02:00"),
        ("2026-10-25T01:00+02:00", "02:30", None, "2026-10-25T02:30+02:00"),  # the fold's first
        ("2026-10-25T02:31+02:00", "02:30", None, "2026-10-26T02:30+01:00"),  # and only that
        ("2026-10-25T02:15+01:00", "02:30", None, "2026-10-26T02:30+01:00"),
    ],
)
def test_until_a_time_of_day(base: str, at: str, on: str | None, expected: str) -> None:
    days = parse_days(on) if on else None
    assert next_time_of_day(instant(base), BERLIN, parse_time_of_day(at), days) == instant(expected)


def test_a_day_that_never_was_fires_at_its_end_under_its_own_weekday() -> None:
    apia, nine = zone("Pacific/Apia"), time(9)
    thursday = instant("2011-12-29T12:00-10:00")
    assert next_time_of_day(thursday, apia, nine) == instant("2011-12-31T00:00+14:00")
    assert next_time_of_day(thursday, apia, nine, frozenset({4})) == instant("2011-12-31T00:00+14:00")
    assert next_time_of_day(thursday, apia, nine, frozenset({5})) == instant("2011-12-31T09:00+14:00")
    assert next_time_of_day(instant("2011-12-31T00:00+14:00"), apia, nine) == instant("2011-12-31T00:00+14:00")


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        (date(2026, 3, 10), {}, "2026-03-10T00:00+01:00"),  # a date without `at` is 00:00
        ("2026-03-10", {}, "2026-03-10T00:00+01:00"),
        ("20260310", {}, "2026-03-10T00:00+01:00"),
        (" 2026-03-10 ", {}, "2026-03-10T00:00+01:00"),
        ("2026-03-10", {"at": "10:00"}, "2026-03-10T10:00+01:00"),
        ("2026-03-10", {"offset": "-3d", "at": "10:00"}, "2026-03-07T10:00+01:00"),
        ("2026-03-10", {"offset": "-3d", "at": "10:00", "on": "mon..fri"}, "2026-03-09T10:00+01:00"),  # was Saturday
        ("2026-03-10", {"on": "tue"}, "2026-03-10T00:00+01:00"),
        ("2026-03-10", {"on": "mon"}, "2026-03-16T00:00+01:00"),  # forward, never back
        ("2026-03-10", {"offset": "36h"}, "2026-03-11T12:00+01:00"),
        ("2026-03-31", {"offset": "-1mo"}, "2026-02-28T00:00+01:00"),
        ("2026-03-28T02:30", {"offset": "1d"}, "2026-03-29T03:00+02:00"),
        ("2026-03-29T02:30", {"offset": "1d"}, "2026-03-30T02:30+02:00"),  # also from within the gap
        ("2026-03-29", {"at": "02:30"}, "2026-03-29T03:00+02:00"),
        ("2026-03-10T09:00", {}, "2026-03-10T09:00+01:00"),  # without a zone: local
        ("2026-03-10 09:00:30,5", {}, "2026-03-10T09:00:30.500+01:00"),
        ("2026-03-10T09:00Z", {}, "2026-03-10T09:00Z"),
        ("2026-03-10T09:00+0800", {}, "2026-03-10T01:00Z"),
        ("2026-03-10T23:30Z", {"at": "10:00"}, "2026-03-11T10:00+01:00"),  # the local day counts
        (datetime(2026, 3, 10, 9), {}, "2026-03-10T09:00+01:00"),
        (datetime(2026, 3, 28, 9, tzinfo=UTC), {"offset": "1d"}, "2026-03-29T10:00+02:00"),  # calendar in the zone
        (datetime(2026, 3, 28, 9, tzinfo=UTC), {"offset": "24h"}, "2026-03-29T11:00+02:00"),
        (datetime(2026, 3, 28, 9, tzinfo=UTC), {"on": "sun"}, "2026-03-29T10:00+02:00"),
        (datetime(2026, 3, 10, 17, tzinfo=zone("Asia/Shanghai")), {}, "2026-03-10T09:00Z"),
    ],
)
def test_until_a_date(value: object, options: dict[str, str], expected: str) -> None:
    offset = parse_duration(options["offset"]) if "offset" in options else None
    at = parse_time_of_day(options["at"]) if "at" in options else None
    days = parse_days(options["on"]) if "on" in options else None
    assert date_end(value, BERLIN, offset=offset, at=at, days=days) == instant(expected)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (None, "missing"),
        ("", "expected an ISO date"),
        ("tomorrow", "expected an ISO date"),
        ("2026-02-30", "day is out of range"),
        ("2026-13-01", "month must be in 1..12"),
        ("2026-03-01T24:00", "hour must be in 0..23"),
        ("2026-12-31T23:59:60Z", "leap second"),
        ("10000-01-01", "years go from 0001 to 9999"),
        ("0000-01-01", "year"),
        ("0001-01-01T00:00+14:00", "expected an ISO date"),
        ("01/02/2026", "day and month could be either"),
        ("1772359200000", "bare number"),
        (1772359200000, "milliseconds"),
        (1772359200.5, "milliseconds"),
        (math.nan, "number nan"),
        (math.inf, "number inf"),
        (10**400, "found"),
        (True, "found True"),
        ([2026, 3, 1], "found list"),
        ({}, "found dict"),
        ("2026-03-01T10:00:00Z" * 10_000, "expected an ISO date"),
        ("2026-03-01\0", "expected an ISO date"),
        ("２０２６-03-01", "expected an ISO date"),
    ],
)
def test_what_is_no_date_is_bad_and_says_so(value: object, word: str) -> None:
    with pytest.raises(BadDate) as caught:
        date_end(value, BERLIN)
    assert word in str(caught.value)
    assert len(str(caught.value)) < 250


@given(
    st.one_of(st.text(max_size=30), st.integers(), st.floats(), st.none(), st.binary(max_size=5), st.datetimes()),
    st.sampled_from(["100y", "-100y", "1h", "-36525d"]),
)
def test_any_value_is_an_instant_or_a_bad_date(value: object, offset: str) -> None:
    try:
        ends_at = date_end(value, BERLIN, offset=parse_duration(offset), days=WEEKDAYS)
    except BadDate:
        return
    assert ends_at.utcoffset() == timedelta(0)


def test_hours_cannot_stand_beside_at() -> None:
    with pytest.raises(ValueError, match="cannot stand beside 'at'"):
        date_end("2026-03-10", BERLIN, offset=parse_duration("1d2h"), at=time(9))
    with pytest.raises(ValueError, match="no day is listed"):
        date_end("2026-03-10", BERLIN, days=frozenset())
    with pytest.raises(ValueError, match="no day is listed"):
        window_start(instant("2026-03-10T00:00Z"), BERLIN, parse_window("08:00-20:00"), frozenset())


@pytest.mark.parametrize(
    ("window", "on", "base", "expected"),
    [
        ("08:00-20:00", None, "2026-03-06T07:59+01:00", "2026-03-06T08:00+01:00"),
        ("08:00-20:00", None, "2026-03-06T08:00+01:00", "2026-03-06T08:00+01:00"),  # start inclusive
        ("08:00-20:00", None, "2026-03-06T19:59:59+01:00", "2026-03-06T19:59:59+01:00"),  # inside: go on at once
        ("08:00-20:00", None, "2026-03-06T20:00+01:00", "2026-03-07T08:00+01:00"),  # end exclusive
        ("08:00-20:00", "mon..fri", "2026-03-06T20:00+01:00", "2026-03-09T08:00+01:00"),
        ("22:00-06:00", None, "2026-03-06T05:59+01:00", "2026-03-06T05:59+01:00"),  # crosses midnight
        ("22:00-06:00", None, "2026-03-06T06:00+01:00", "2026-03-06T22:00+01:00"),
        ("22:00-06:00", "fri", "2026-03-07T05:00+01:00", "2026-03-07T05:00+01:00"),  # started on Friday
        ("22:00-06:00", "fri", "2026-03-06T05:00+01:00", "2026-03-06T22:00+01:00"),  # that one on Thursday
        ("22:00-06:00", "fri", "2026-03-07T06:00+01:00", "2026-03-13T22:00+01:00"),
        ("00:00-24:00", "mon", "2026-03-06T05:00+01:00", "2026-03-09T00:00+01:00"),
        ("00:00-24:00", "mon", "2026-03-09T23:59+01:00", "2026-03-09T23:59+01:00"),
        ("20:00-24:00", None, "2026-03-09T23:59+01:00", "2026-03-09T23:59+01:00"),
        ("02:15-02:45", None, "2026-03-28T12:00+01:00", "2026-03-30T02:15+02:00"),  # swallowed by the gap
        ("02:30-05:00", None, "2026-03-28T12:00+01:00", "2026-03-29T03:00+02:00"),  # opens with its end
        ("02:30-05:00", None, "2026-10-25T02:10+01:00", "2026-10-25T02:10+01:00"),  # opened once, at the first
        ("01:00-02:30", None, "2026-10-25T02:10+01:00", "2026-10-26T01:00+01:00"),  # closed once, at the first
    ],
)
def test_windows(window: str, on: str | None, base: str, expected: str) -> None:
    days = parse_days(on) if on else None
    assert window_start(instant(base), BERLIN, parse_window(window), days) == instant(expected)


def walk(zone: ZoneInfo, start: datetime, minutes: int) -> list[tuple[datetime, datetime]]:
    """Every minute and the furthest that the wall clock has shown until then: the reference, by brute force."""
    furthest, walked = datetime.min, []
    for count in range(minutes):
        at = start + MINUTE * count
        furthest = max(furthest, at.astimezone(zone).replace(tzinfo=None, fold=0))
        walked.append((at, furthest))
    return walked


@settings(max_examples=25, deadline=None)
@given(st.data(), st.integers(-1500, 1500), st.times(), st.frozensets(st.integers(0, 6), min_size=1))
def test_time_of_day_is_the_first_crossing_of_a_walked_clock(
    changes: dict[str, list[Any]], data: st.DataObject, shift: int, at: time, days: frozenset[int]
) -> None:
    at = at.replace(second=0, microsecond=0, tzinfo=None, fold=0)
    whole = [c for of_zone in changes.values() for c in of_zone[-4:] if not (c.before.seconds % 60 or c.at.second)]
    where, changed_at, _, _ = data.draw(st.sampled_from(whole))
    base = changed_at + MINUTE * shift
    found = next_time_of_day(base, where, at, days)
    assert found >= base
    before = None
    for minute, furthest in walk(where, base - timedelta(days=2), 2 * 1440 + 1 + 8 * 1440):
        if before is not None and minute >= base:
            crossed = [day for day in days_between(before, furthest) if before < datetime.combine(day, at) <= furthest]
            if any(day.weekday() in days for day in crossed):
                assert found == minute
                return
        before = furthest
        if minute > found:
            break
    raise AssertionError(f"the walked clock shows {at} later than {found}")


def days_between(first: datetime, last: datetime) -> list[date]:
    return [first.date() + timedelta(days=n) for n in range((last.date() - first.date()).days + 1)]


@given(st.data(), st.integers(-3000, 3000), st.times(), st.times(), st.frozensets(st.integers(0, 6), min_size=1))
def test_a_window_is_open_where_it_lets_go_and_shut_before(
    changes: dict[str, list[Any]], data: st.DataObject, shift: int, start: time, end: time, days: frozenset[int]
) -> None:
    of_zone = data.draw(st.sampled_from([c for c in changes.values() if c]))
    where, at, _, _ = data.draw(st.sampled_from(of_zone))
    window, base = Window(start.replace(tzinfo=None), end.replace(tzinfo=None)), at + MINUTE * shift
    found = window_start(base, where, window, days)
    assert found >= base
    assert window_start(found, where, window, days) == found, "open there"
    if found > base:
        wall = local(found, where)
        assert any(
            window.on(day, where)[0] == found and day.weekday() in days
            for day in (wall.date(), wall.date() - timedelta(days=1))
        ), "a wait for a window ends at a start"
        assert window_start(found - timedelta(microseconds=1), where, window, days) == found, "shut before"


@given(st.data(), st.integers(-100, 100), st.times(), st.booleans())
def test_a_date_is_never_early(
    changes: dict[str, list[Any]], data: st.DataObject, days: int, at: time, weekdays: bool
) -> None:
    of_zone = data.draw(st.sampled_from([c for c in changes.values() if c]))
    where, changed_at, _, _ = data.draw(st.sampled_from(of_zone))
    day, at = local(changed_at, where).date(), at.replace(tzinfo=None, fold=0)
    ends_at = date_end(day, where, offset=Duration(days=days), at=at, days=WEEKDAYS if weekdays else None)
    target = day + timedelta(days=days)
    while weekdays and target.weekday() > 4:
        target += timedelta(days=1)
    wall = datetime.combine(target, at)
    assert local(ends_at, where) >= wall > local(ends_at - timedelta(seconds=1), where)
