"""Durations as people write them: `90s`, `1h30m`, `3d`, `2w`, `1mo`, `1y`, `-7d`.

Two readings of the same words (the language reference, sections 4 and 5):

- In waits, offsets, `up_to`, `due`, `valid_for`: `s m h` are elapsed time, `d w mo y` are calendar time in the zone
  in force, so `1d` keeps the wall clock across a DST change and `24h` does not. That is `parse_duration`.
- In expressions, caps, reentry, inactive, goals, decay, caches and retention every unit has a fixed length: `d` is
  24 hours, `w` is 168, and `mo` and `y` are errors. That is `parse_fixed`.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import field
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from orchestrator.core.time.duration_text import LONGEST_DAYS, MONTH_DAYS, read_parts, spell_elapsed
from orchestrator.core.time.zones import local, same_offset, to_utc
from orchestrator.errors import BadDate
from orchestrator.records import dataclass

_ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class Duration:
    """A span with a calendar part and an elapsed part; the sign is carried by every part.

    Two durations are equal when their parts are: `1h30m` equals `90m`.
    """

    months: int = 0
    """Calendar months: `mo` and twelve for each `y`."""
    days: int = 0
    """Calendar days: `d` and seven for each `w`."""
    elapsed: timedelta = _ZERO
    """`h`, `m` and `s` together."""
    text: str = field(default="0s", compare=False)
    """As the author wrote it, for messages."""

    @classmethod
    def of(cls, elapsed: timedelta) -> Duration:
        """A purely elapsed duration, such as an expression gives (`duration('7d')` is 168 hours there)."""
        return cls(elapsed=elapsed, text=spell_elapsed(elapsed))

    @property
    def calendar(self) -> bool:
        """Has a part in `d w mo y`: where it ends depends on the zone."""
        return bool(self.months or self.days)

    @property
    def has_elapsed(self) -> bool:
        """Has a part in `s m h`: cannot stand beside `at`."""
        return bool(self.elapsed)

    @property
    def elapsed_only(self) -> bool:
        """Has no calendar part: the same length everywhere."""
        return not (self.months or self.days)

    @property
    def is_zero(self) -> bool:
        """Moves nothing: `0s`, `0d`."""
        return not (self.months or self.days or self.elapsed)

    @property
    def roughly(self) -> timedelta:
        """The length with months of 30.4375 days and days of 24 hours: to compare and to warn, never to compute."""
        return timedelta(days=self.months * MONTH_DAYS + self.days) + self.elapsed

    def positive(self) -> bool:
        """Moves forward in time."""
        return self.roughly > _ZERO

    def after(self, base: datetime, zone: ZoneInfo, times: int = 1) -> datetime:
        """The instant this long (times over) after the UTC instant `base`.

        The calendar part comes first, in local wall time (months clip to the month's end, then days), then the
        elapsed part. `times` multiplies the parts before they are applied, so that an anchor day is kept:
        31 January + 2 x `1mo` is 31 March. Raises BadDate outside the years 1 to 9999.
        """
        try:
            if self.days and not self.months and same_offset(base.toordinal(), self.days * times, zone):
                moved = base + _days(self.days * times)
                return moved + self.elapsed * times if self.elapsed else moved
            if self.months or self.days:
                base = to_utc(shift_days(local(base, zone), self.months * times, self.days * times), zone)
            return base + self.elapsed * times
        except OverflowError:
            raise _beyond_calendar(self, base) from None

    def on_date(self, day: date, times: int = 1) -> date:
        """The date that the calendar part (times over) leads to from `day`; the elapsed part is not looked at.

        Raises BadDate outside the years 1 to 9999.
        """
        try:
            moved = shift_days(datetime(day.year, day.month, day.day), self.months * times, self.days * times)
        except OverflowError:
            raise _beyond_calendar(self, day) from None
        return moved.date()

    def __str__(self) -> str:
        return self.text


NO_TIME = Duration()


@lru_cache(maxsize=1024)
def _days(count: int) -> timedelta:
    """So many days: making the span anew takes longer than the sum it is for."""
    return timedelta(count)


def shift_days(wall: datetime, months: int, days: int) -> datetime:
    """A local time moved by months (clipped to the month's end), then by days.

    Raises OverflowError outside the years 1 to 9999.
    """
    if months:
        year, month0 = divmod(wall.year * 12 + wall.month - 1 + months, 12)
        if not 1 <= year <= 9999:
            raise OverflowError(f"year {year}")
        wall = wall.replace(year=year, month=month0 + 1, day=min(wall.day, monthrange(year, month0 + 1)[1]))
    return wall + timedelta(days=days) if days else wall


def parse_duration(text: str, *, negative: bool = True) -> Duration:
    """Reads a duration whose `d w mo y` are calendar time; at most 100 years either way.

    Raises ValueError that says what was found, what was expected and the nearest right spelling; with
    `negative=False` also for a duration before zero.
    """
    return _parsed(text, negative) if isinstance(text, str) else _parse(text, negative)


def _parse(text: str, negative: bool) -> Duration:
    sign, parts = read_parts(text, negative=negative)
    months = parts.get("mo", 0) + 12 * parts.get("y", 0)
    days = parts.get("d", 0) + 7 * parts.get("w", 0)
    seconds = parts.get("s", 0) + 60 * parts.get("m", 0) + 3600 * parts.get("h", 0)
    if months * MONTH_DAYS + days + seconds / 86400 > LONGEST_DAYS:
        raise ValueError(f"found the duration '{text}', which is longer than 100 years; use at most 100y")
    return Duration(sign * months, sign * days, sign * timedelta(seconds=seconds), text)


_parsed = lru_cache(maxsize=4096)(_parse)


def parse_fixed(text: str, *, negative: bool = False) -> timedelta:
    """Reads a duration in which `d` is 24 hours and `w` is 168; at most 100 years.

    Raises ValueError as `parse_duration` does, and for `mo` and `y`, which have no fixed length.
    """
    duration = parse_duration(text, negative=negative)
    if duration.months:
        days = round(abs(duration.months) * MONTH_DAYS) + abs(duration.days)
        sign = "-" if duration.months < 0 else ""
        raise ValueError(
            f"found the duration '{text}', but months and years have no fixed length here, where 1d is 24 hours;"
            f" use days or weeks, such as '{sign}{days}d'"
        )
    return timedelta(days=duration.days) + duration.elapsed


def _beyond_calendar(duration: Duration, base: date) -> BadDate:
    return BadDate(f"{duration} from {base.isoformat()} leaves the years 1 to 9999; use a date within them")
