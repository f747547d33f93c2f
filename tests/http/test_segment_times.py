"""Timestamps of any kind are an instant that can be worked with, or are refused; none lies after its arrival."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.http.segment_times import EARLIEST, LATEST, happened_at, read_instant

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
INSTANTS = st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None), timezones=st.just(UTC))
DIGITS = st.from_regex(r"[0-9T:+\-. Zz]{0,30}", fullmatch=True)


@given(
    st.one_of(st.text(max_size=40), DIGITS, st.integers(), st.floats(), st.none(), st.booleans(), st.lists(st.none()))
)
def test_anything_is_an_instant_in_range_or_is_refused(value: Any) -> None:
    try:
        at = read_instant(value)
    except ValueError:
        return
    assert at.tzinfo is UTC
    assert EARLIEST <= at <= LATEST


@given(INSTANTS)
def test_text_and_numbers_say_the_same(at: datetime) -> None:
    assert read_instant(at.isoformat()) == at
    assert read_instant(at.isoformat().replace("+00:00", "z")) == at
    assert read_instant(at.astimezone(UTC).replace(tzinfo=None).isoformat()) == at


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000])
def test_numbers_count_from_1970(unit: int) -> None:
    assert read_instant(int(NOW.timestamp() * unit)) == NOW


@given(INSTANTS, st.one_of(st.none(), INSTANTS))
def test_nothing_happened_after_it_arrived(own: datetime, sent_at: datetime | None) -> None:
    at = happened_at(own, sent_at, NOW)
    assert at <= NOW
    assert at.tzinfo is UTC


@given(st.integers(0, 10**9), INSTANTS.filter(lambda at: at.year < 9000))
def test_a_clock_that_is_wrong_all_along_does_not_matter(age: int, wrong: datetime) -> None:
    sent_at = wrong + timedelta(seconds=age)
    assert happened_at(wrong, sent_at, NOW) == NOW - timedelta(seconds=age)
