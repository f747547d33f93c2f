"""Business hours: how long after an instant so much time is worked off, by the opening hours of a team.

Hours open on chosen days, from `start` to `end` of local time, crossing midnight where `end` is earlier; public
holidays of a calendar are closed, and a weekend day that it makes a working day is open as a Monday is. A `d` of a
duration is as long as one day's hours.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from orchestrator.core.time.durations import Duration
from orchestrator.core.time.holiday_dates import Calendar, holiday_year
from orchestrator.core.time.waits import Window
from orchestrator.core.time.zones import local
from orchestrator.records import dataclass

_DAY: Final = timedelta(days=1)
_NOTHING: Final = timedelta(0)
_MOST_DAYS: Final = 4_000
"""Days that are looked at: somebody's `900d` of work ends before."""


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """When a team works. `days`: on which its hours start (Monday 0)."""

    window: Window
    days: frozenset[int]
    zone: ZoneInfo
    calendar: Calendar | None = None

    @property
    def length(self) -> timedelta:
        """One day's hours, on a day without a change of clocks."""
        start, end = (timedelta(hours=t.hour, minutes=t.minute) for t in (self.window.start, self.window.end))
        return end - start if end > start else end - start + _DAY

    def after(self, base: datetime, duration: Duration) -> datetime:
        """The instant at which this much was worked off since the instant `base`; without any, the next one of
        work."""
        left = duration.elapsed + self.length * duration.days
        day = local(base, self.zone).date() - _DAY
        for _ in range(_MOST_DAYS):
            opens_at, closes_at = self._on(day)
            opens_at = max(opens_at, base)
            if closes_at > opens_at:
                if left <= closes_at - opens_at:
                    return opens_at + left
                left -= closes_at - opens_at
            day += _DAY
        return base + left

    def _on(self, day: date) -> tuple[datetime, datetime]:
        """The hours that start on a local day; where there are none, two equal instants."""
        opens_at, closes_at = self.window.on(day, self.zone)
        weekday = day.weekday()
        if self.calendar is not None:
            year = holiday_year(self.calendar, day.year)
            if day in year.off:
                return opens_at, opens_at
            if day in year.working:
                weekday = 0
        return (opens_at, closes_at) if weekday in self.days else (opens_at, opens_at)
