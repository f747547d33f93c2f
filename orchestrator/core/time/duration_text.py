"""The spelling of durations: reading it, writing it, and saying how a wrong one should have been written."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

LONGEST_DAYS: Final = 36525
"""One hundred years, in days."""
MONTH_DAYS: Final = 30.4375
"""A hundredth of a twelfth of that: the average month."""

UNITS: Final = ("y", "mo", "w", "d", "h", "m", "s")

_PARTS = re.compile(r"([+-]?)((?:[0-9]+(?:mo|[ywdhms]))+)")
_PART = re.compile(r"([0-9]+)(mo|[ywdhms])")
_LONGEST_NUMBER = 12  # digits: more than any bound needs, few enough to be quick
_LONGEST_TEXT = 64

_EXPECTED = "expected a number and a unit out of s, m, h, d, w, mo, y, such as '30m', '3d' or '1h30m'"

_WORDS = {
    "s": "s sec secs second seconds 秒 秒钟",
    "m": "m min mins minute minutes 分 分钟",
    "h": "h hr hrs hour hours 小时 时",
    "d": "d day days 天 日",
    "w": "w wk wks week weeks 周 星期",
    "mo": "mo mos mon month months 月 个月",
    "y": "y yr yrs year years 年",
}
_UNIT_OF_WORD = {word: unit for unit, words in _WORDS.items() for word in words.split()}
_LOOSE_PART = re.compile(r"\s*([0-9]+(?:[.,][0-9]+)?)\s*([^\W\d_]+)\s*(?:,|and\b)?\s*")
_ISO_8601 = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE | re.ASCII
)
_CLOCK = re.compile(r"([0-9]{1,3}):([0-5][0-9])(?::([0-5][0-9]))?")
_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


def read_parts(text: str, *, negative: bool) -> tuple[int, dict[str, int]]:
    """The sign (1 or -1) and the count of each unit that `text` names, each at most once.

    Raises ValueError with what was found, what was expected and the nearest right spelling.
    """
    match = _PARTS.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST_TEXT else None
    if match is None:
        raise ValueError(_complaint(text))
    sign = -1 if match[1] == "-" else 1
    parts: dict[str, int] = {}
    for number, unit in _PART.findall(match[2]):
        if unit in parts:
            raise ValueError(f"found the duration '{text}', which names '{unit}' twice; add the two up")
        if len(number) > _LONGEST_NUMBER:
            raise ValueError(f"found the duration '{text}', which is longer than 100 years; use at most 100y")
        parts[unit] = int(number)
    if sign < 0 and not negative and any(parts.values()):
        raise ValueError(f"found the duration '{text}', but it cannot be negative here; did you mean '{match[2]}'?")
    return sign, parts


def spell_elapsed(elapsed: timedelta) -> str:
    """An elapsed time in `h`, `m` and `s`, such as `26h`, `-1h30m`, `0s` (a fraction of a second is dropped)."""
    seconds = int(abs(elapsed) / timedelta(seconds=1))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    spelled = "".join(f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if n)
    return f"-{spelled}" if spelled and elapsed < timedelta(0) else spelled or "0s"


def _complaint(text: object) -> str:
    if not isinstance(text, str):
        return f"found {type(text).__name__} where a duration stands; {_EXPECTED}"
    shown = text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."
    found = f"found '{shown}' where a duration stands; {_EXPECTED}"
    bare = text.strip()
    sign, body = ("-", bare[1:].strip()) if bare.startswith("-") else ("", bare.removeprefix("+").strip())
    if len(text) > _LONGEST_TEXT or not body:
        return found
    if re.fullmatch(r"[0-9]+", body):
        number = sign + body
        return f"found the bare number '{shown}'; a duration needs a unit: '{number}m', '{number}h' or '{number}d'"
    if re.fullmatch(r"[0-9]+M", body):
        number = sign + body[:-1]
        return f"{found}; did you mean '{number}m' (minutes) or '{number}mo' (months)?"
    if re.fullmatch(r"[0-9.]+\s*(ms|msec|milliseconds?|us|ns)", body, re.IGNORECASE):
        return f"{found}; the smallest unit is a second, '1s'"
    nearest = _nearest(body)
    return f"{found}; did you mean '{sign}{nearest}'?" if nearest else found


def _nearest(body: str) -> str | None:
    """The right spelling of a duration written in words, with spaces or fractions, in ISO 8601 or as a clock."""
    if (iso := _ISO_8601.fullmatch(body)) and any(iso.groups()):
        return "".join(f"{n}{unit}" for n, unit in zip(iso.groups(), UNITS, strict=True) if n)
    if clock := _CLOCK.fullmatch(body):
        seconds = int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3] or 0)
        return spell_elapsed(timedelta(seconds=seconds))
    position, spelled = 0, ""
    while position < len(body):
        part = _LOOSE_PART.match(body, position)
        unit = _UNIT_OF_WORD.get(part[2].lower()) if part else None
        if part is None or unit is None:
            return None
        number = part[1].replace(",", ".")
        if "." in number:
            seconds_of_unit = _SECONDS.get(unit)
            seconds_exact = float(number) * seconds_of_unit if seconds_of_unit else 0.5
            if not seconds_exact.is_integer() or seconds_exact > LONGEST_DAYS * 86400:
                return None
            spelled += spell_elapsed(timedelta(seconds=seconds_exact))
        else:
            spelled += number + unit
        position = part.end()
    try:
        read_parts(spelled, negative=True)
    except ValueError:
        return None
    return spelled
