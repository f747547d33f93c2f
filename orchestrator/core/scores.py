"""Scores: points that rules add, and that time takes away again (the language reference, section 9).

A score is points that were earned, which decay, and standing points of rules about the profile, which hold as long as
their condition does. Earned points halve with every half-life, counted from the event's own timestamp, so that neither
the order of arrival nor how often somebody looked changes what is left. Nothing is written down when time passes:
`total` is worked out for the instant that asks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.core.fading import FARTHEST, first_change
from orchestrator.records import dataclass

if TYPE_CHECKING:  # expressions know scores, too
    from orchestrator.core.expression.expr import Expr

DECIMALS: Final = 4
"""Of a score as everybody sees it: points that faded below half of the last one are none."""


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """`add` points for every `event` (for which `where` holds), or, without an event, as long as `where` holds."""

    add: float
    event: str | None = None
    where: Expr | None = None


@dataclass(frozen=True, slots=True)
class ScoreSpec:
    """One of the project's scores. `half_life` None: points stay. `least` and `most` bound what is seen, and what an
    addition can come to."""

    name: str
    half_life: timedelta | None = None
    least: float | None = None
    most: float | None = None
    rules: tuple[ScoreRule, ...] = ()

    @property
    def standing(self) -> tuple[ScoreRule, ...]:
        """The rules about the profile."""
        return tuple(rule for rule in self.rules if rule.event is None)

    def bounded(self, value: float) -> float:
        """The value within the bounds."""
        if self.most is not None and value > self.most:
            return self.most
        return self.least if self.least is not None and value < self.least else value


class Points(NamedTuple):
    """A customer's points: `value` was earned as it stood at `at`; `standing` does not decay."""

    value: float
    at: datetime
    standing: float = 0.0


NO_POINTS: Final[Mapping[str, Points]] = {}
"""Of customers who never earned any."""


def left(spec: ScoreSpec, value: float, since: datetime, now: datetime) -> float:
    """What is left of points after the time between two instants; all of them where that is none."""
    if spec.half_life is None or now <= since or not value:
        return value
    return float(value * 2.0 ** (-((now - since) / spec.half_life)))


def total(spec: ScoreSpec, points: Points | None, now: datetime) -> int | float:
    """The score at an instant, rounded to 4 decimals; a whole number where it is one. Without points: 0, within the
    bounds."""
    if points is None:
        value = spec.bounded(0.0)
    else:
        value = spec.bounded(left(spec, points.value, points.at, now) + points.standing)
    rounded = round(value, DECIMALS)
    return int(rounded) if rounded == int(rounded) else rounded


def earned(spec: ScoreSpec, points: Points | None, add: float, at: datetime, now: datetime) -> Points:
    """The points after `add` more, which were earned at `at` (never after `now`). The bounds hold at the later of the
    two instants that meet: what lies beyond them is lost."""
    if points is None:
        points = Points(0.0, at)
    at = min(at, now)
    later = max(points.at, at)
    held = left(spec, points.value, points.at, later)
    value = _added(spec, held, left(spec, add, at, later), points.standing)
    return Points(value, later, points.standing)


def _added(spec: ScoreSpec, held: float, add: float, standing: float) -> float:
    """Earned points after an addition, which goes as far as the bounds let it: where standing points alone are beyond
    one, it brings nothing, and never the contrary of what it says."""
    wanted = held + add
    if add > 0 and spec.most is not None:
        return max(held, min(wanted, spec.most - standing))
    if add < 0 and spec.least is not None:
        return min(held, max(wanted, spec.least - standing))
    return wanted


def with_standing(points: Points | None, standing: float, now: datetime) -> Points:
    """The points with other standing ones."""
    return Points(0.0, now, standing) if points is None else points._replace(standing=standing)


def reaches_at(spec: ScoreSpec, points: Points | None, bound: float, now: datetime) -> datetime | None:
    """The first instant after `now` at which time alone has brought the score across a bound: from at least `bound` to
    below it, or the other way round, where points below zero fade. None: it never does."""
    if points is None or spec.half_life is None or not points.value:
        return None
    before = total(spec, points, now) >= bound
    guess = _meets_at(spec, points, bound)
    return first_change(lambda at: (total(spec, points, at) >= bound) != before, now, guess)


def _meets_at(spec: ScoreSpec, points: Points, bound: float) -> datetime | None:
    """When the points come to a bound, before anything is rounded; None where they never do, or beyond a century."""
    wanted = bound - points.standing
    if spec.half_life is None or not wanted or (wanted > 0) != (points.value > 0) or abs(wanted) > abs(points.value):
        return None
    halves = math.log2(points.value / wanted)
    return None if halves * (spec.half_life / FARTHEST) > 1 else points.at + spec.half_life * halves


def united(spec: ScoreSpec, one: Points | None, two: Points | None) -> Points | None:
    """The points of two customers who turned out to be one: what both earned, within the bounds. Standing points are
    the first's, until its rules are looked at."""
    if one is None or two is None:
        return one or two
    later = max(one.at, two.at)
    held, add = left(spec, one.value, one.at, later), left(spec, two.value, two.at, later)
    return Points(_added(spec, held, add, one.standing), later, one.standing)


def brought(spec: ScoreSpec, one: Points | None, both: Points | None) -> tuple[float, datetime] | None:
    """What the points of somebody else brought to those of `one`, and as of when; None: nothing."""
    if both is None or both == one:
        return None
    before = 0.0 if one is None else left(spec, one.value, one.at, both.at)
    return both.value - before, both.at


def without(spec: ScoreSpec, points: Points, added: float, since: datetime) -> Points:
    """The points without what somebody else's brought to them, as far as it has not faded since."""
    later = max(points.at, since)
    value = left(spec, points.value, points.at, later) - left(spec, added, since, later)
    return Points(value, later, points.standing)


class Scores:
    """A customer's scores as expressions see them: `customer.score`, at whatever instant they ask for."""

    __slots__ = ("_points", "_specs")

    def __init__(self, specs: Mapping[str, ScoreSpec], points: Mapping[str, Points]) -> None:
        self._specs = specs
        self._points = points

    def total(self, name: str, now: datetime) -> int | float | None:
        """One of them; None: there is no score of this name."""
        spec = self._specs.get(name)
        return None if spec is None else total(spec, self._points.get(name), now)

    def totals(self, now: datetime) -> dict[str, int | float]:
        """All of them."""
        return {name: total(spec, self._points.get(name), now) for name, spec in self._specs.items()}

    @property
    def fading(self) -> bool:
        """Whether time alone changes any of them."""
        return any(
            points.value and (spec := self._specs.get(name)) is not None and spec.half_life is not None
            for name, points in self._points.items()
        )

    def meets_at(self, name: str, bound: float) -> datetime | None:
        """About when time alone brings one of them to a bound."""
        spec, points = self._specs.get(name), self._points.get(name)
        return None if spec is None or points is None else _meets_at(spec, points, bound)
