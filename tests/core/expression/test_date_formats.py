"""Dates by a format: English names whatever the locale, read from left to right once."""

from __future__ import annotations

import locale
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.expression.date_formats import read_moment_by, write_moment


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("2015 July 1", "%Y %B %d", date(2015, 7, 1)),
        ("2015 july 01", "%Y %B %d", date(2015, 7, 1)),
        ("2015   July\t1 ", "%Y %B %d", date(2015, 7, 1)),
        ("1.2.2026", "%d.%m.%Y", date(2026, 2, 1)),
        ("1Feb26", "%d%b%y", date(2026, 2, 1)),
        ("69", "%y", date(1969, 1, 1)),
        ("68", "%y", date(2068, 1, 1)),
        ("2026-060", "%Y-%j", date(2026, 3, 1)),
        ("20260301", "%Y%m%d", date(2026, 3, 1)),
        ("Sun, 1 Mar 2026", "%a, %d %b %Y", date(2026, 3, 1)),
        ("3/1/2026 2:05 PM", "%m/%d/%Y %I:%M %p", datetime(2026, 3, 1, 14, 5)),
        ("3/1/2026 12:05 am", "%m/%d/%Y %I:%M %p", datetime(2026, 3, 1, 0, 5)),
        ("2026-03-01 10:11:12.5", "%F %T.%f", datetime(2026, 3, 1, 10, 11, 12, 500_000)),
        ("2026-03-01T10:00+08:00", "%Y-%m-%dT%H:%M%z", datetime(2026, 3, 1, 2, tzinfo=UTC)),
        ("2026-03-01T10:00Z", "%Y-%m-%dT%H:%M%z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("100% 2026", "100%% %Y", date(2026, 1, 1)),
    ],
)
def test_read(text: str, form: str, expected: date) -> None:
    assert read_moment_by(text, form) == expected


@pytest.mark.parametrize(
    ("text", "form", "message"),
    [
        ("2026 Foo 1", "%Y %B %d", "does not fit"),
        ("2026-02-30", "%Y-%m-%d", "day is out of range|day 30"),
        ("26", "%Y", "does not fit"),
        ("2026-03-01 x", "%Y-%m-%d", "goes on"),
        ("01", "%d", "no year"),
        ("0000", "%Y", "year 0"),
        ("2026 13", "%Y %I", "hour 13"),
        ("2026 366", "%Y %j", "no day 366"),
        ("2026", "%Q", "%Q"),
        ("2026", "%", "%"),
        ("0001-01-01 00:00 +1400", "%Y-%m-%d %H:%M %z", "years 1 to 9999"),
        ("2026 25", "%Y %H", "hour"),
        ("x" * 500, "%Y", "500 characters"),
        ("２０２６", "%Y", "does not fit"),
    ],
)
def test_refused(text: str, form: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_moment_by(text, form)


@given(st.dates())
def test_what_is_written_is_read_again(day: date) -> None:
    for form in ("%Y-%m-%d", "%d %B %Y", "%b %-d, %Y", "%A %e %B %Y", "%Y/%j"):
        assert read_moment_by(write_moment(day, form), form) == day


@given(st.datetimes())
def test_times_are_read_again(moment: datetime) -> None:
    for form in ("%Y-%m-%d %H:%M:%S.%f", "%d %B %Y %I:%M:%S %p %f"):
        assert read_moment_by(write_moment(moment, form), form) == moment


@given(st.datetimes(min_value=datetime(1000, 1, 1)))
def test_as_the_standard_library_writes_in_english(moment: datetime) -> None:
    assert locale.setlocale(locale.LC_TIME) in {"C", "C.UTF-8", "en_US.UTF-8"}
    for form in ("%Y %y %m %d %H %I %M %S %f %j %p %A %a %B %b %%", "%F %T %R %D"):
        assert write_moment(moment, form) == moment.strftime(form)


def test_offsets_are_written() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    assert write_moment(moment, "%z %Z") == "+0000 UTC"
    assert write_moment(datetime(2026, 3, 1), "[%z%Z]") == "[]"
    west = moment.astimezone(timezone(-timedelta(hours=3, minutes=30)))
    assert write_moment(west, "%z") == "-0330"
