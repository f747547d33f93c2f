"""How many messages a provider may get on a day: a quota, and the ramp by which a new one is warmed up.

    ?daily=50000                            so many a day, in the project's zone
    ?ramp=500:2026-03-01:x1.5               500 on the first of March, each day half as many again
    ?ramp=500:2026-03-01:x1.5&daily=50000   ... up to the quota

A provider with a ramp gets nothing before its first day. Together with failover, the one that is being warmed up stands
first: it takes its share of the day, and the next one all that is over.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

from orchestrator.channels.protocol import Answer, Channel, Outgoing
from orchestrator.errors import UsageError

PLAN_OPTIONS: Final = ("daily", "ramp")
"""Words behind the `?` that every channel's URL may hold."""
MOST_A_DAY: Final = 1_000_000_000
_RAMP: Final = re.compile(r"(\d{1,10}):(\d{4}-\d{2}-\d{2}):x(\d{1,3}(?:\.\d{1,4})?)")


class Ramp(NamedTuple):
    """`first` on the first day, and each day `growth` times as many."""

    first: int
    first_day: date
    growth: float


class DailyPlan(NamedTuple):
    """What a provider may get; None: no such bound."""

    daily: int | None = None
    ramp: Ramp | None = None

    def quota(self, day: date) -> int:
        """Of a local day: never more than `daily`, never less than on the day before, once a ramp has begun."""
        bound = MOST_A_DAY if self.daily is None else self.daily
        if self.ramp is None:
            return bound
        days = (day - self.ramp.first_day).days
        if days < 0:
            return 0
        # Compared as logarithms first: powers of thousands of days are no numbers any more.
        if math.log(self.ramp.first) + days * math.log(self.ramp.growth) >= math.log(MOST_A_DAY):
            return bound
        return min(bound, math.floor(self.ramp.first * self.ramp.growth**days + 1e-6))


def parse_plan(given: Mapping[str, str]) -> DailyPlan | None:
    """From the words of a URL; None: it has none of them. Raises UsageError."""
    daily, ramp = given.get("daily"), given.get("ramp")
    if daily is None and ramp is None:
        return None
    return DailyPlan(None if daily is None else _daily(daily), None if ramp is None else _ramp(ramp))


def _daily(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= MOST_A_DAY):
        raise UsageError(
            f"a channel's address says daily={text[:40]}; expected messages a day, such as daily=50000", "bad_setting"
        )
    return int(text)


def _ramp(text: str) -> Ramp:
    found = _RAMP.fullmatch(text)
    try:
        if found is not None:
            ramp = Ramp(int(found[1]), date.fromisoformat(found[2]), float(found[3]))
            if 1 <= ramp.first <= MOST_A_DAY and 1 < ramp.growth <= 100:
                return ramp
    except ValueError:  # no such day
        pass
    raise UsageError(
        f"a channel's address says ramp={text[:40]}; expected the first day's messages, that day, and the daily growth "
        "(above 1), such as ramp=500:2026-03-01:x1.5",
        "bad_setting",
    )


class PlannedChannel:
    """An adapter whose provider has a plan, which whoever lets messages through keeps (runtime.daily_quota)."""

    def __init__(self, inner: Channel, plan: DailyPlan) -> None:
        self.inner = inner
        self.plan = plan
        self.idempotent = inner.idempotent
        self.width = inner.width
        self.rate = inner.rate

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """As the adapter does."""
        return self.inner.send(messages)

    def close(self) -> None:
        """As the adapter does."""
        self.inner.close()


def plan_of(channel: Channel) -> DailyPlan | None:
    """The plan of the provider inside what was wrapped around it."""
    found: Channel | None = channel
    while found is not None:
        if isinstance(found, PlannedChannel):
            return found.plan
        found = getattr(found, "inner", None)
    return None
