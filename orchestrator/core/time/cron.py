"""Five-field schedules: `0 9 * * MON`.

The fields are read by croniter; when a schedule fires in a zone is ours (the language reference, section 2): once per
local minute, also in the night in which that minute happens twice, and where a local minute does not exist, at the
first instant after the gap. Several minutes of one schedule that a gap moves to one instant are one occurrence.

croniter is not asked for instants: it fires twice in a fold. Nor is its word taken on what is valid: it lets pass
dates that never come (`0 0 31 2 *`), a sixth field, aliases and random fields.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.core.time.iso import shown
from orchestrator.core.time.zones import local, to_utc
from orchestrator.errors import BadDate
from orchestrator.records import dataclass

_EXPECTED = "expected five fields, minute hour day month weekday, such as '0 9 * * MON'"
_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * SUN",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LONGEST_TEXT = 200
_RANDOM_OR_HASHED = re.compile(r"(?:^|[\s,])[RH](?:[\s,/(]|$)", re.IGNORECASE)
_START_AND_STEP = re.compile(r"(?:^|,)([0-9]{1,2})/([0-9]{1,4})")
_FIELDS = (
    ("minute", "0 to 59", 59),
    ("hour", "0 to 23", 23),
    ("day", "1 to 31 or L", 31),
    ("month", "1 to 12 or JAN to DEC", 12),
    ("weekday", "0 to 7 or SUN to SAT", 7),
)
_CRONITER_RAISES = (ValueError, KeyError, IndexError, TypeError, AttributeError)
# A weekday of a given number in a February of 29 days: the rarest date that comes at all (40 years over 2100).
_RAREST_YEARS = 41


class Occurrence(NamedTuple):
    """One firing of a schedule."""

    local: datetime
    """The naive local minute that the schedule names; the occurrence's identity (`2026-11-27T10:00`)."""
    at: datetime
    """The UTC instant at which it fires."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule that can come; made by `parse_cron`."""

    text: str
    """The five fields as the author wrote them."""
    times: tuple[time, ...] = field(compare=False, repr=False)
    """Every local time of day at which it fires on its days, ascending."""
    days: str = field(compare=False, repr=False)
    """A five-field schedule of midnights on its days, for croniter."""

    def next_after(self, at: datetime, zone: ZoneInfo) -> Occurrence:
        """The first occurrence strictly after the UTC instant `at`. Raises BadDate after the year 9999."""
        remembered = _next_after_cached(self, zone)
        if remembered and remembered[0][0] <= at < remembered[0][1].at:
            return remembered[0][1]
        found = self._search(at, zone)
        remembered[:] = [(at, found)]
        return found

    def between(self, start: datetime, end: datetime, zone: ZoneInfo) -> list[Occurrence]:
        """Every occurrence after `start` (exclusive) up to `end` (inclusive), in order."""
        found = []
        at = start
        while (occurrence := self.next_after(at, zone)).at <= end:
            found.append(occurrence)
            at = occurrence.at
        return found

    def fires_on(self, minute: datetime) -> bool:
        """Whether the schedule names this naive local minute."""
        place = bisect_left(self.times, minute.time())
        named = place < len(self.times) and self.times[place] == minute.time()
        return named and minute.day in _days_of_month(self.days, minute.year, minute.month)

    def _search(self, at: datetime, zone: ZoneInfo) -> Occurrence:
        # `to_utc` never goes backwards as local minutes go forward, so the first minute in local order whose instant
        # lies after `at` is the answer; minutes up to the wall clock's are over (in a fold, later ones may be, too).
        for minute in self._minutes_after(local(at, zone)):
            fires_at = to_utc(minute, zone)
            if fires_at > at:
                # Moved by a gap: if the schedule also names the minute at which the gap ends, that one is meant.
                clock = local(fires_at, zone)
                return Occurrence(clock if clock != minute and self.fires_on(clock) else minute, fires_at)
        raise BadDate(f"the schedule '{self.text}' has no occurrence after {at.isoformat()} before the year 9999")

    def _minutes_after(self, wall: datetime) -> Iterator[datetime]:
        """The local minutes that the schedule names, strictly after a local time, in order."""
        start = wall.date()
        for year, month in _months_from(start):
            for day_number in _days_of_month(self.days, year, month):
                day = date(year, month, day_number)
                if day < start:
                    continue
                first = bisect_right(self.times, wall.time()) if day == start else 0
                for at in self.times[first:]:
                    yield datetime.combine(day, at)


def parse_cron(text: str) -> Cron:
    """Reads a five-field schedule.

    Raises ValueError, with what was found and the way out, for another number of fields, aliases, random or hashed
    fields, values out of range, and dates that never come.
    """
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT or not text.isprintable():
        raise ValueError(f"found {shown(text)} where a schedule stands; {_EXPECTED}")
    return _parsed(text)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Cron:
    fields = text.split()
    if alias := _ALIASES.get(text.strip().lower()):
        raise ValueError(f"found the schedule '{text}'; did you mean '{alias}'?")
    if len(fields) != 5:
        way_out = "; leave out the seconds" if len(fields) == 6 else ""
        raise ValueError(f"found a schedule of {len(fields)} fields, {shown(text)}; {_EXPECTED}{way_out}")
    if _RANDOM_OR_HASHED.search(text):
        raise ValueError(f"found the schedule '{text}'; R and H are drawn anew by each reader: write the numbers out")
    minutes, hours = _expand(fields)
    days = " ".join(["0", "0", *fields[2:]])
    try:
        comes = _ever(days)
    except _CRONITER_RAISES:
        raise ValueError(f"found the schedule '{text}', whose day and weekday cannot be read together") from None
    if not comes:
        raise ValueError(f"found the schedule '{text}', whose date never comes: no month that it names has such a day")
    return Cron(text, tuple(time(hour, minute) for hour in hours for minute in minutes), days)


def _expand(fields: list[str]) -> tuple[list[int], list[int]]:
    """The minutes and hours that the first two of five valid fields name."""
    from croniter import croniter

    for place, (given, (name, possible, last)) in enumerate(zip(fields, _FIELDS, strict=True)):
        found = f"found {shown(given)} as the {name} of a schedule"
        # croniter 7 reads a step that leaves the range as the start alone; version 6 read it otherwise.
        if any(int(start) + int(step) > last for start, step in _START_AND_STEP.findall(given)):
            raise ValueError(f"{found}, whose step leads past {last}; leave out the step")
        alone = ["*"] * 5
        alone[place] = given
        try:
            croniter.expand(" ".join(alone))
        except _CRONITER_RAISES:
            raise ValueError(f"{found}; expected {possible}, a range, a list or a step such as '*/5'") from None
    expanded, _ = croniter.expand(" ".join(fields))
    minutes = [n for n in expanded[0] if isinstance(n, int)] or list(range(60))
    hours = [n for n in expanded[1] if isinstance(n, int)] or list(range(24))
    return sorted(minutes), sorted(hours)


def _ever(days: str) -> bool:
    """Whether a schedule of midnights fires at all."""
    from croniter import CroniterBadDateError, croniter

    try:
        croniter(days, datetime(2000, 1, 1), ret_type=datetime, max_years_between_matches=_RAREST_YEARS).get_next()
    except CroniterBadDateError:
        return False
    return True


@lru_cache(maxsize=8192)
def _days_of_month(days: str, year: int, month: int) -> tuple[int, ...]:
    """The days of one month on which a schedule of midnights fires: croniter's reading of its last three fields."""
    from croniter import CroniterBadDateError, croniter

    first = datetime(year, month, 1)
    midnights = croniter(days, first - timedelta(minutes=1), ret_type=datetime, max_years_between_matches=1)
    found: list[int] = []
    try:
        while (midnight := midnights.get_next()).year == year and midnight.month == month:
            found.append(midnight.day)
    except CroniterBadDateError:
        pass  # none in the year that follows, so none more in this month
    return tuple(found)


@lru_cache(maxsize=4096)
def _next_after_cached(cron: Cron, zone: ZoneInfo) -> list[tuple[datetime, Occurrence]]:
    """The last answer for this schedule and zone: a virtual clock asks again and again before it is reached."""
    return []


def _months_from(day: date) -> Iterator[tuple[int, int]]:
    for count in range(day.year * 12 + day.month - 1, 9999 * 12):
        yield count // 12, count % 12 + 1
