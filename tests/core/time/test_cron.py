from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.time.cron import parse_cron
from orchestrator.core.time.zones import local, zone_or_none
from orchestrator.errors import BadDate

BERLIN = ZoneInfo("Europe/Berlin")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "after", "minute", "at"),
    [
        ("0 9 * * MON", "2026-03-01T12:00+01:00", "2026-03-02T09:00", "2026-03-02T09:00+01:00"),
        ("0 9 * * MON", "2026-03-02T09:00+01:00", "2026-03-09T09:00", "2026-03-09T09:00+01:00"),  # strictly after
        ("0 9 * * 7", "2026-03-02T09:00+01:00", "2026-03-08T09:00", "2026-03-08T09:00+01:00"),  # 7 is Sunday, too
        ("0 0 L * *", "2026-02-01T00:00+01:00", "2026-02-28T00:00", "2026-02-28T00:00+01:00"),
        ("0 0 * * TUE#2", "2026-03-01T00:00+01:00", "2026-03-10T00:00", "2026-03-10T00:00+01:00"),
        ("0 0 29 2 *", "2026-03-01T00:00+01:00", "2028-02-29T00:00", "2028-02-29T00:00+01:00"),
        ("0 0 31 2 MON", "2026-01-31T00:00+01:00", "2026-02-02T00:00", "2026-02-02T00:00+01:00"),  # either day field
        ("*/15 9-17 * * MON-FRI", "2026-03-06T17:45+01:00", "2026-03-09T09:00", "2026-03-09T09:00+01:00"),
        ("5/15 * * * *", "2026-03-06T17:20+01:00", "2026-03-06T17:35", "2026-03-06T17:35+01:00"),
        ("30 2 * * *", "2026-03-28T12:00+01:00", "2026-03-29T02:30", "2026-03-29T03:00+02:00"),  # the gap's end
        ("30 2 * * *", "2026-03-29T03:00+02:00", "2026-03-30T02:30", "2026-03-30T02:30+02:00"),
        ("*/30 * * * *", "2026-03-29T01:30+01:00", "2026-03-29T03:00", "2026-03-29T03:00+02:00"),  # not three at once
        ("*/30 * * * *", "2026-03-29T03:00+02:00", "2026-03-29T03:30", "2026-03-29T03:30+02:00"),
        ("15,45 * * * *", "2026-03-29T01:45+01:00", "2026-03-29T02:15", "2026-03-29T03:00+02:00"),
        ("15,45 * * * *", "2026-03-29T03:00+02:00", "2026-03-29T03:15", "2026-03-29T03:15+02:00"),
        ("30 2 * * *", "2026-10-25T00:00+02:00", "2026-10-25T02:30", "2026-10-25T02:30+02:00"),  # the fold's first
        ("30 2 * * *", "2026-10-25T02:30+02:00", "2026-10-26T02:30", "2026-10-26T02:30+01:00"),  # and only that
        ("*/30 * * * *", "2026-10-25T02:30+02:00", "2026-10-25T03:00", "2026-10-25T03:00+01:00"),
    ],
)
def test_next_occurrence(text: str, after: str, minute: str, at: str) -> None:
    assert parse_cron(text).next_after(instant(after), BERLIN) == (datetime.fromisoformat(minute), instant(at))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("0 0 31 2 *", "never comes"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("0 0 9 * * MON", "6 fields"),
        ("0 0 9 * * MON", "leave out the seconds"),
        ("0 9 * *", "4 fields"),
        ("", "0 fields"),
        ("@daily", "did you mean '0 0 * * *'?"),
        ("@reboot", "1 fields"),
        ("R * * * *", "R and H are drawn anew"),
        ("R(0-10) * * * *", "R and H are drawn anew"),
        ("H H * * *", "R and H are drawn anew"),
        ("59/15 * * * *", "leads past 59"),
        ("60 * * * *", "as the minute of a schedule; expected 0 to 59"),
        ("0 24 * * *", "as the hour of a schedule; expected 0 to 23"),
        ("0 0 32 * *", "as the day of a schedule"),
        ("0 0 * FOO *", "as the month of a schedule; expected 1 to 12 or JAN to DEC"),
        ("0 0 * * LUNES", "as the weekday of a schedule; expected 0 to 7 or SUN to SAT"),
        ("0 0 * * MON#6", "'MON#6' as the weekday"),
        ("*/0 * * * *", "'*/0' as the minute"),
        ("9:00", "1 fields"),
        ("* " * 10_000, "expected five fields"),
        ("0 9 * * M\0N", "expected five fields"),
        (None, "found NoneType"),
        (900, "found int"),
    ],
)
def test_what_is_no_schedule_says_so(text: Any, word: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_cron(text)
    assert word in str(caught.value)
    assert len(str(caught.value)) < 250


FIELD = st.sampled_from(
    [
        *[
            "*",
            "0",
            "5",
            "31",
            "*/7",
            "1-5",
            "5-1",
            "MON",
            "FRI-MON",
            "L",
            "L5",
            "5L",
            "15W",
            "LW",
            "MON#2",
            "1,L",
            "?",
        ],
        *["R", "h", "60", "-1", "1e5", "2#9", "/", ",", "JAN", "9" * 40, "1-5/2", "0/0", "#3", "MON#2,FRI", "L1,2"],
    ]
)


@given(st.lists(FIELD, min_size=5, max_size=5))
def test_odd_schedules_are_read_or_refused(fields: list[str]) -> None:
    try:
        cron = parse_cron(" ".join(fields))
    except ValueError:
        return
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert cron.next_after(start, BERLIN).at > start


def test_after_the_calendars_end_there_is_none() -> None:
    with pytest.raises(BadDate, match="has no occurrence after"):
        parse_cron("0 0 1 1 *").next_after(datetime(9999, 6, 1, tzinfo=UTC), BERLIN)


def test_at_every_change_of_every_clock_each_local_minute_fires_once_and_each_instant_once(
    distinct_changes: list[Any],
) -> None:
    """The fold rule and the gap rule, against the clock itself: quarters of an hour around every change."""
    quarters = parse_cron("*/15 * * * *")
    quarter = timedelta(minutes=15)
    for zone, at, before, after in distinct_changes[::3]:
        start, end = at - 4 * quarter, at + abs(after - before) + 4 * quarter
        found = quarters.between(start, end, zone)
        minutes, instants = [o.local for o in found], [o.at for o in found]
        assert minutes == sorted(set(minutes)), "no local minute twice"
        assert instants == sorted(set(instants)), "no instant twice"
        assert start < instants[0] and instants[-1] <= end
        shown = [local(o.at, zone) for o in found]
        moved = [o for o, clock in zip(found, shown, strict=True) if clock != o.local]
        assert all(o.at == at and after > before for o in moved), "only a gap moves, and to its end"
        first, last = local(start, zone), max((at + before).replace(tzinfo=None), local(end, zone))
        named = [m for m in grid(first, last) if m > first]
        passed_over = [m for m in named if (at + before).replace(tzinfo=None) <= m < local(at, zone)]
        alone = passed_over[:1] if passed_over and local(at, zone) not in named else []
        assert minutes == [m for m in named if m not in passed_over or m in alone], (zone, at)


def grid(first: datetime, last: datetime) -> list[datetime]:
    hour = first.replace(minute=0, second=0, microsecond=0)
    quarters = (hour + timedelta(minutes=15 * n) for n in range(4 * 60))
    return [minute for minute in quarters if first <= minute <= last]


@given(st.data(), st.sampled_from(["* * * * *", "30 1 * * *", "0 */2 * * *", "45 23 * * SUN", "0 0 1,15 * *"]))
def test_next_after_agrees_with_between_and_with_itself(
    changes: dict[str, list[Any]], data: st.DataObject, text: str
) -> None:
    of_zone = data.draw(st.sampled_from([c for c in changes.values() if c]))
    zone, at, _, _ = data.draw(st.sampled_from(of_zone))
    start = at + timedelta(seconds=data.draw(st.integers(-90_000, 90_000)))
    cron = parse_cron(text)
    first = cron.next_after(start, zone)
    assert first.at > start
    assert cron.next_after(first.at - timedelta(microseconds=1), zone) == first
    second = cron.next_after(first.at, zone)
    assert second.at > first.at and second.local > first.local
    assert cron.between(start, second.at, zone) == [first, second]
    assert cron.between(start, first.at - timedelta(microseconds=1), zone) == []
    assert cron.next_after(start, zone) == first, "what was remembered misleads nobody"


def test_thirty_zones_share_one_schedule() -> None:
    cron, start = parse_cron("0 9 * * MON"), instant("2026-03-01T00:00Z")
    names = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Apia"]
    zones = [zone for name in names if (zone := zone_or_none(name)) is not None]
    assert sorted({cron.next_after(start, zone).at for zone in zones}) == sorted(
        datetime(2026, 3, 2, 9, tzinfo=zone).astimezone(UTC) for zone in zones
    )
