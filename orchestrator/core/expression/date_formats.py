"""Dates read and written by a format: strptime's letters with English names, whatever the process's locale is.

Python's own strptime and strftime follow the locale and the platform, and build a pattern out of the author's text;
this reads from left to right once, so that no format and no data can make it slow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Final

MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_LONGEST_FORMAT = 200
_LONGEST_TEXT = 400
# How many digits a letter reads at most; what it writes is padded to as many.
_DIGITS: Mapping[str, int] = {"Y": 4, "y": 2, "m": 2, "d": 2, "e": 2, "H": 2, "I": 2, "M": 2, "S": 2, "j": 3, "f": 6}
_NAMES: Mapping[str, tuple[str, ...]] = {
    "B": MONTHS,
    "b": tuple(name[:3] for name in MONTHS),
    "A": DAYS,
    "a": tuple(name[:3] for name in DAYS),
    "p": ("AM", "PM"),
}
_SHORTHANDS: Mapping[str, str] = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "D": "%m/%d/%y"}
_TIME_LETTERS: Final = frozenset("HIMSfpzZ")
_ZONE = re.compile(r"[Zz]|([+-])([0-9]{2}):?([0-9]{2})")
_LETTERS: Final = frozenset({*_DIGITS, *_NAMES, "z", "Z"})
_TWO_DIGIT_YEARS_OF_1900_FROM = 69  # as POSIX has it: 69 is 1969, 68 is 2068


class Piece(str):
    """Plain text between the letters of a format."""


@lru_cache(maxsize=512)
def format_pieces(form: str) -> tuple[Piece | str, ...]:
    """A format as letters and plain pieces in between. A letter with a minus (`%-d`) writes no leading zero.

    Raises ValueError for an unknown letter or a format of more than 200 characters.
    """
    if len(form) > _LONGEST_FORMAT:
        raise ValueError(f"the format has {len(form)} characters, more than {_LONGEST_FORMAT}")
    pieces: list[Piece | str] = []
    for found in re.finditer(r"%(-?.?)|([^%]+)", form, re.DOTALL):
        letter, plain = found[1], found[2]
        if plain is not None or letter == "%":
            pieces.append(Piece(plain or "%"))
        elif letter in _SHORTHANDS:
            pieces.extend(format_pieces(_SHORTHANDS[letter]))
        elif letter.lstrip("-") not in _LETTERS or (letter.startswith("-") and letter[1:] not in _DIGITS):
            raise ValueError(
                f"the format has '%{letter}', which is unknown; %Y %m %d are year, month and day, %B and %b a month's"
                " name, %H %M %S a time, %% a percent sign"
            )
        else:
            pieces.append(letter)
    return tuple(pieces)


def has_time(form: str) -> bool:
    """Whether a format holds a time of day. Raises ValueError for an unknown letter."""
    return any(piece[-1] in _TIME_LETTERS for piece in format_pieces(form) if not isinstance(piece, Piece))


def write_moment(moment: date | datetime, form: str) -> str:
    """A date, or a datetime (in the zone it has), by a format. Raises ValueError for an unknown letter."""
    clock = moment if isinstance(moment, datetime) else datetime.combine(moment, time(0))
    return "".join(piece if isinstance(piece, Piece) else _written(clock, piece) for piece in format_pieces(form))


def _written(clock: datetime, letter: str) -> str:
    plain = letter.startswith("-")
    letter = letter[-1]
    match letter:
        case "B" | "b":
            return _NAMES[letter][clock.month - 1]
        case "A" | "a":
            return _NAMES[letter][clock.weekday()]
        case "p":
            return "PM" if clock.hour >= 12 else "AM"
        case "z" | "Z":
            return _written_offset(clock.utcoffset(), letter, clock)
    number = {
        "Y": clock.year,
        "y": clock.year % 100,
        "m": clock.month,
        "d": clock.day,
        "e": clock.day,
        "H": clock.hour,
        "I": clock.hour % 12 or 12,
        "M": clock.minute,
        "S": clock.second,
        "j": clock.timetuple().tm_yday,
        "f": clock.microsecond,
    }[letter]
    return str(number) if plain or letter == "e" else str(number).zfill(_DIGITS[letter])


def _written_offset(offset: timedelta | None, letter: str, clock: datetime) -> str:
    if offset is None:
        return ""
    if letter == "Z":
        return clock.tzname() or ""
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


@dataclass(slots=True)
class _Found:
    numbers: dict[str, int] = field(default_factory=dict)
    offset: timedelta | None = None


def read_moment_by(text: str, form: str) -> date | datetime:
    """The date that a text means by a format; with a time in it a datetime: naive (local), or aware in UTC where `%z`
    is given. What the format leaves out is 1 January or midnight; a missing year is an error.

    Raises ValueError for an unknown letter, a text that does not fit, or a date that there is not.
    """
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"found a text of {len(text)} characters where a date stands")
    found = _Found()
    place = 0
    text = text.strip()
    for piece in format_pieces(form.strip()):
        if isinstance(piece, Piece):
            place = _skip_plain(text, place, piece)
        else:
            place = _read_letter(text, place, piece[-1], found)
        if place < 0:
            raise ValueError(f"found '{text[:40]}', which does not fit the format '{form}'")
    if place != len(text):
        raise ValueError(f"found '{text[:40]}', which goes on after the format '{form}' ends")
    return _assembled(found, has_time(form))


def _skip_plain(text: str, place: int, piece: Piece) -> int:
    """The place after a plain piece, or -1; white space stands for any white space."""
    for char in re.sub(r"\s+", " ", piece):
        if char == " ":
            while place < len(text) and text[place].isspace():
                place += 1
        elif place < len(text) and text[place].casefold() == char.casefold():
            place += 1
        else:
            return -1
    return place


def _read_letter(text: str, place: int, letter: str, found: _Found) -> int:
    if letter in _DIGITS:
        if letter == "e":
            letter, place = "d", _skip_plain(text, place, Piece(" "))
        end = place
        while end < len(text) and end - place < _DIGITS[letter] and "0" <= text[end] <= "9":
            end += 1
        if end == place or (letter == "Y" and end - place != 4):
            return -1
        digits = text[place:end]
        found.numbers[letter] = int(digits.ljust(6, "0") if letter == "f" else digits)
        return end
    if letter in _NAMES:
        rest = text[place : place + 9].casefold()
        for number, name in enumerate(_NAMES[letter]):
            if rest.startswith(name.casefold()):
                found.numbers[letter] = number
                return place + len(name)
        return -1
    zone = _ZONE.match(text, place)
    if zone is None:
        return -1
    minutes = int(zone[2]) * 60 + int(zone[3]) if zone[1] else 0
    found.offset = timedelta(minutes=-minutes if zone[1] == "-" else minutes)
    return zone.end()


def _assembled(found: _Found, with_time: bool) -> date | datetime:
    number = found.numbers
    year = number.get("Y")
    if year is None and "y" in number:
        year = number["y"] + (1900 if number["y"] >= _TWO_DIGIT_YEARS_OF_1900_FROM else 2000)
    if year is None:
        raise ValueError("the format names no year, so that it names no date; add %Y")
    month = number.get("m", number.get("B", number.get("b", 0)) + 1)
    day = date(year, month, number.get("d", 1))
    if "j" in number:
        if number["j"] > date(year, 12, 31).timetuple().tm_yday or number["j"] < 1:
            raise ValueError(f"the year {year} has no day {number['j']}")
        day = date(year, 1, 1) + timedelta(days=number["j"] - 1)
    if not with_time:
        return day
    hour = number.get("H", number.get("I", 0))
    if "I" in number:
        if not 1 <= hour <= 12:
            raise ValueError(f"found the hour {hour}; %I goes from 1 to 12, %H from 0 to 23")
        hour = hour % 12 + 12 * number.get("p", 0)
    clock = time(hour, number.get("M", 0), number.get("S", 0), number.get("f", 0))
    moment = datetime.combine(day, clock)
    if found.offset is None:
        return moment
    try:
        return moment.replace(tzinfo=timezone(found.offset)).astimezone(UTC)
    except OverflowError:
        raise ValueError("the date lies outside the years 1 to 9999") from None
