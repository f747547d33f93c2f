from __future__ import annotations

from collections.abc import Callable
from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.time.clock_text import parse_days, parse_time_of_day, parse_window
from orchestrator.core.time.waits import Window


@pytest.mark.parametrize(
    ("text", "expected"),
    [("09:00", time(9)), ("9:00", time(9)), ("00:00", time(0)), ("23:59", time(23, 59)), ("09:00:30", time(9, 0, 30))],
)
def test_times_of_day(text: str, expected: time) -> None:
    assert parse_time_of_day(text) == expected


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("9am", "did you mean '09:00'?"),
        ("9 pm", "did you mean '21:00'?"),
        ("12am", "did you mean '00:00'?"),
        ("9.30 p.m.", "did you mean '21:30'?"),
        ("0930", "did you mean '09:30'?"),
        ("9h30", "did you mean '09:30'?"),
        ("21", "did you mean '21:00'?"),
        ("24:00", "the day begins at '00:00'"),
        ("25:00", "which no clock shows"),
        ("12:60", "which no clock shows"),
        ("23:59:60", "which no clock shows"),
        ("noon", "expected a time of day from '00:00' to '23:59'"),
        ("", "expected a time of day"),
        ("1" * 100_000, "expected a time of day"),
        (1080, "found int"),
        (None, "found NoneType"),
    ],
)
def test_what_is_no_time_of_day(text: Any, word: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_time_of_day(text)
    assert word in str(caught.value)


def test_windows() -> None:
    assert parse_window("08:00-20:00") == Window(time(8), time(20))
    assert parse_window("22:00 - 06:00") == Window(time(22), time(6))
    assert parse_window("20:00-24:00") == Window(time(20), time(0))
    assert parse_window("00:00-24:00") == Window(time(0), time(0))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("08:00", "expected two times such as '08:00-20:00'"),
        ("08:00-12:00-20:00", "expected two times"),
        ("8am-8pm", "did you mean '08:00'?"),
        ("09:00-09:00", "never open; a whole day is '00:00-24:00'"),
        ("00:00-00:00", "never open"),
        ("24:00-08:00", "the day begins at '00:00'"),
        (None, "found NoneType"),
        ("-" * 1000, "expected two times"),
    ],
)
def test_what_is_no_window(text: Any, word: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_window(text)
    assert word in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["mon", "wed"], {0, 2}),
        (["mon..fri"], {0, 1, 2, 3, 4}),
        ("mon..fri", {0, 1, 2, 3, 4}),
        (["fri..mon"], {4, 5, 6, 0}),
        (["mon..tue", "sat"], {0, 1, 5}),
        (["sun..sun"], {6}),
        ("sun", {6}),
    ],
)
def test_days(value: object, expected: set[int]) -> None:
    assert parse_days(value) == expected


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (["Monday"], "did you mean 'mon'?"),
        (["MON"], "did you mean 'mon'?"),
        (["mon-fri"], "did you mean 'mon..fri'?"),
        ("Monday to Friday", "did you mean 'mon..fri'?"),
        ("weekdays", "did you mean 'mon..fri'?"),
        ("weekend", "did you mean 'sat..sun'?"),
        ([1], "found int"),
        ([], "found an empty list"),
        ({"mon": 1}, "found dict"),
        (None, "found NoneType"),
        (["mon..xyz"], "expected days out of mon, tue"),
    ],
)
def test_what_is_no_day(value: object, word: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_days(value)
    assert word in str(caught.value)


@given(st.text(max_size=60), st.sampled_from([parse_time_of_day, parse_window, parse_days]))
def test_hostile_text_is_read_or_refused(text: str, read: Callable[[str], object]) -> None:
    try:
        found = read(text)
    except ValueError:
        return
    assert found is not None
