from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.time.zones import local, local_midnight_after, second_of_fold, to_utc, zone_or_none
from orchestrator.errors import BadDate

SECOND = timedelta(seconds=1)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def zone(name: str) -> ZoneInfo:
    found = zone_or_none(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["Europe/Lisbon", "Asia/Shanghai", "UTC", "Etc/GMT+5", "America/Argentina/Ushuaia"])
def test_iana_names_are_zones(name: str) -> None:
    assert zone(name).key == name
    assert zone_or_none(name) is zone_or_none(name)


@pytest.mark.parametrize(
    "name",
    [
        *[
            None,
            "",
            " ",
            "europe/lisbon",
            "EUROPE/LISBON",
            "Europe",
            "Europe/",
            "Europe/Lisbon ",
            "../etc/passwd",
            "/etc/x",
        ],
        *["localtime", "posixrules", "Factory", "posix/Europe/Lisbon", "right/UTC", "tzdata.zi", "zone.tab", "..", "."],
        *["Europe/Lisbon\0", "\ud800", "a" * 100_000, "+01:00", "GMT+25", 3, 1.5, True, b"UTC", ["UTC"], {"UTC": 1}],
    ],
)
def test_anything_else_is_no_zone(name: object) -> None:
    assert zone_or_none(name) is None


@given(st.one_of(st.text(max_size=40), st.binary(max_size=8), st.floats(), st.lists(st.text(max_size=3), max_size=2)))
def test_hostile_names_are_no_zone_and_no_error(name: object) -> None:
    found = zone_or_none(name)
    assert found is None or found.key == name


def test_every_zone_at_every_change_moves_gaps_forward_and_takes_the_first_of_a_fold(
    changes: dict[str, list[Any]],
) -> None:
    assert sum(map(len, changes.values())) > 20_000, "the scan has found the changes"
    once = {change[1:]: change for of_zone in changes.values() for change in of_zone}
    every_zone = [change for of_zone in changes.values() for change in of_zone[:2] + of_zone[-2:]]
    for where, at, before, after in [*once.values(), *every_zone]:
        last = (at + before).replace(tzinfo=None)  # what the clock would have shown at the change
        first = (at + after).replace(tzinfo=None)  # what it showed instead
        assert to_utc(last - SECOND, where) == at - SECOND if before <= after else True
        if after > before:
            for wall in (last, last + (first - last) / 2, first - SECOND, first):
                assert to_utc(wall, where) == at, (where, wall)
                assert second_of_fold(wall, where) is None
        elif after < before:
            for wall in (first, first + (last - first) / 2, last - SECOND):
                assert to_utc(wall, where) == (wall - before).replace(tzinfo=UTC), (where, wall)
                assert second_of_fold(wall, where) == (wall - after).replace(tzinfo=UTC), (where, wall)
            assert to_utc(last, where) == (last - after).replace(tzinfo=UTC), (where, last)
        assert local(at, where) == first
        assert local(at - SECOND, where) == last - SECOND


@given(st.data(), st.integers(-72 * 3600, 72 * 3600))
def test_no_local_time_comes_early_or_goes_backwards(
    changes: dict[str, list[Any]], data: st.DataObject, seconds: int
) -> None:
    where, at, before, _ = data.draw(st.sampled_from(data.draw(st.sampled_from([c for c in changes.values() if c]))))
    wall = (at + before).replace(tzinfo=None) + timedelta(seconds=seconds)
    found = to_utc(wall, where)
    assert local(found, where) >= wall, "never before the clock shows it"
    assert local(found - SECOND, where) < wall, "and never later than the first instant that does"
    assert to_utc(wall + SECOND, where) >= found
    assert to_utc(wall.replace(fold=1), where) == found, "the fold is not looked at"


@pytest.mark.parametrize(
    ("name", "wall", "expected"),
    [
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T03:00+02:00"),  # a gap of an hour
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T02:30+02:00"),  # a fold: the first
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-04T02:30+11:00"),  # half an hour
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-05T01:45+11:00"),
        ("Antarctica/Troll", "2026-03-29T02:00", "2026-03-29T03:00+02:00"),  # two hours
        ("Antarctica/Troll", "2026-10-25T01:30", "2026-10-25T01:30+02:00"),
        ("Pacific/Apia", "2011-12-30T09:00", "2011-12-31T00:00+14:00"),  # a day that never was
        ("Europe/Dublin", "2026-03-29T01:30", "2026-03-29T02:00+01:00"),  # summer is standard, winter "negative"
        ("Europe/Dublin", "2026-10-25T01:30", "2026-10-25T01:30+01:00"),
        ("Europe/Dublin", "2045-03-26T01:30", "2045-03-26T02:00+01:00"),  # beyond the tables: by rule
        ("America/Santiago", "2026-09-06T00:00", "2026-09-06T01:00-03:00"),  # no midnight
    ],
)
def test_local_times_that_people_ask_about(name: str, wall: str, expected: str) -> None:
    assert to_utc(datetime.fromisoformat(wall), zone(name)) == instant(expected)


@pytest.mark.parametrize(
    ("name", "now", "expected"),
    [
        ("Asia/Shanghai", "2026-03-01T15:59:59Z", "2026-03-01T16:00Z"),
        ("Asia/Shanghai", "2026-03-01T16:00Z", "2026-03-02T16:00Z"),  # strictly after
        ("America/Santiago", "2026-09-06T03:00Z", "2026-09-06T04:00Z"),  # 00:00 is in a gap: the day begins at 01:00
        ("America/Havana", "2026-11-01T04:30Z", "2026-11-02T05:00Z"),  # 00:30, to come again, but the day began once
        ("America/St_Johns", "2006-10-29T01:00Z", "2006-10-29T02:30Z"),  # clocks go from 00:01 back to 23:01:
        ("America/St_Johns", "2006-10-29T02:30Z", "2006-10-29T03:30Z"),  # midnight comes twice
        ("America/St_Johns", "2006-10-29T02:45Z", "2006-10-29T03:30Z"),
        ("America/St_Johns", "2006-10-29T03:30Z", "2006-10-30T03:30Z"),
        ("Pacific/Apia", "2011-12-30T09:59Z", "2011-12-30T10:00Z"),
    ],
)
def test_the_next_local_day_begins(name: str, now: str, expected: str) -> None:
    assert local_midnight_after(instant(now), zone(name)) == instant(expected)


def test_the_ends_of_the_calendar_are_bad_dates() -> None:
    east, west = zone("Etc/GMT-14"), zone("Etc/GMT+12")
    assert to_utc(datetime.max, east) < datetime.max.replace(tzinfo=UTC)
    assert to_utc(datetime.min, west) > datetime.min.replace(tzinfo=UTC)
    with pytest.raises(BadDate, match="years 1 to 9999"):
        to_utc(datetime.min, east)
    with pytest.raises(BadDate, match="years 1 to 9999"):
        to_utc(datetime.max, west)
    with pytest.raises(BadDate, match="years 1 to 9999"):
        local(datetime.max.replace(tzinfo=UTC), east)
    with pytest.raises(BadDate, match="years 1 to 9999"):
        local(datetime.min.replace(tzinfo=UTC), west)
    with pytest.raises(BadDate, match="years 1 to 9999"):
        local_midnight_after(datetime.max.replace(tzinfo=UTC), west)
