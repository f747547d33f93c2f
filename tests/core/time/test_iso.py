from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.time.iso import format_instant, parse_instant, parse_offset, read_date


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 3, 1, 10, tzinfo=UTC), "2026-03-01T10:00:00Z"),
        (datetime(2026, 3, 1, 10, 0, 0, 500_000, tzinfo=UTC), "2026-03-01T10:00:00.500Z"),
        (datetime(2026, 3, 1, 10, 0, 0, 1, tzinfo=UTC), "2026-03-01T10:00:00.000001Z"),
        (datetime(2026, 3, 1, 18, tzinfo=timezone(timedelta(hours=8))), "2026-03-01T10:00:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
    ],
)
def test_instants_are_written_in_utc_with_a_fraction_only_where_there_is_one(instant: datetime, text: str) -> None:
    assert format_instant(instant) == text
    assert parse_instant(text) == instant


def test_a_time_without_a_zone_is_no_instant() -> None:
    with pytest.raises(ValueError, match="has no zone"):
        format_instant(datetime(2026, 3, 1))


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_survive_writing_and_reading(instant: datetime) -> None:
    assert parse_instant(format_instant(instant)) == instant


@pytest.mark.parametrize(
    "text",
    [
        *["2026-03-01T10:00:00Z", "2026-03-01 10:00:00Z", "2026-03-01t10:00:00z", "2026-03-01T18:00:00+08:00"],
        *["2026-03-01T10:00:00.000000000Z", "2026-03-01T10:00:00-00:00"],
    ],
)
def test_rfc_3339_is_read(text: str) -> None:
    assert parse_instant(text) == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("2026-03-01T10:00:00", "without a zone"),
        ("2026-03-01 10:00", "without a zone"),
        ("2026-03-01", "expected an instant with a zone"),
        ("2026-02-30T10:00:00Z", "day is out of range"),
        ("2026-03-01T10:00:60Z", "leap second"),
        ("2026-03-01T10:00:00+24:00", "expected an instant"),
        ("0001-01-01T00:00:00+01:00", "expected an instant"),
        ("10000-01-01T00:00:00Z", "years go from 0001 to 9999"),
        ("1772359200000", "bare number"),
        ("03/01/2026", "day and month could be either"),
        ("now", "expected an instant"),
        ("2026-03-01T10:00:00Z\n", "expected an instant"),
        ("２026-03-01T10:00:00Z", "expected an instant"),
        ("x" * 100_000, "expected an instant"),
        (None, "found NoneType"),
        (1772359200, "found int"),
    ],
)
def test_what_is_no_instant_says_so(text: Any, word: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_instant(text)
    assert word in str(caught.value)
    assert len(str(caught.value)) < 250


def test_offsets_are_signed_and_fixed() -> None:
    assert parse_offset("+30m") == timedelta(minutes=30)
    assert parse_offset("-40d") == timedelta(days=-40)
    assert parse_offset("+0s") == timedelta(0)
    assert parse_offset("+1w1d") == timedelta(hours=192)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("30m", "did you mean '+30m'?"),
        ("+1mo", "such as '30d'"),
        ("+1 day", "did you mean '1d'?"),
        ("", "found ''"),
        ("+", "found '+'"),
        (30, "found int"),
    ],
)
def test_what_is_no_offset_says_so(text: Any, word: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_offset(text)
    assert word in str(caught.value)


def test_dates_are_read_as_what_they_are() -> None:
    assert read_date("2026-03-01") == date(2026, 3, 1)
    assert type(read_date("2026-03-01")) is date
    assert read_date("2026-03-01 10:00") == datetime(2026, 3, 1, 10)
    assert read_date("2026-03-01T10:00 +08:00") == datetime(2026, 3, 1, 2, tzinfo=UTC)


@given(st.text(max_size=40), st.sampled_from([parse_instant, parse_offset, read_date]))
def test_hostile_text_is_read_or_refused(text: str, read: Callable[[str], object]) -> None:
    try:
        found = read(text)
    except ValueError:
        return
    assert found is not None
