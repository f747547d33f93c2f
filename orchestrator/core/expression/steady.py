"""How a value moves with `now`, and when a comparison of two such values tips over.

`now - entry.at > days(3)` changes once, at an instant that can be computed: both sides move steadily (at a constant
rate) with the present instant. What else is made of `now` can change at any time and is looked at again a minute later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from orchestrator.core.expression.moments import as_instant
from orchestrator.core.expression.nodes import Arithmetic, Attribute, Name, Node, Sign
from orchestrator.core.expression.operators import compare
from orchestrator.core.expression.scope import Evaluator, Scope, Value
from orchestrator.core.expression.values import is_number
from orchestrator.core.fading import first_change
from orchestrator.core.scores import Scores
from orchestrator.errors import DecisionError
from orchestrator.records import dataclass

MINUTE = timedelta(minutes=1)
"""After this long, a value made of `now` in any other way is looked at again."""

_STEP = timedelta(days=1)
_SMALLEST = timedelta(microseconds=1)
_NEAR = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Steadiness:
    """Of a variable: whether its value moves steadily with `now`, and an evaluator that does not note the minute."""

    steady: bool
    quiet: Evaluator
    fades: bool = False
    """Whether a score that fades is part of it."""


def steadiness_of(evaluator: Evaluator | None) -> Steadiness | None:
    """What `set_steadiness` left on an evaluator; None for one that does not move with `now`."""
    return getattr(evaluator, "steadiness", None)


def set_steadiness(evaluator: Evaluator, steadiness: Steadiness) -> None:
    """Marks the evaluator of a variable, so that the expressions that use it know how it moves."""
    function: Any = evaluator
    function.steadiness = steadiness


def moves_steadily(node: Node, variables: Mapping[str, Evaluator]) -> bool:
    """Whether the value moves with `now` at a constant rate that is not zero by construction."""
    match node:
        case Name(name="now") | Attribute(target=Attribute(target=Name(name="customer"), name="score")):
            return True
        case Name(name=name):
            found = steadiness_of(variables.get(name))
            return found is not None and found.steady
        case Sign(operand=operand):
            return moves_steadily(operand, variables)
        case Arithmetic(first=first, rest=rest):
            moving = moves_steadily(first, variables)
            for operator, term in rest:
                term_moves = moves_steadily(term, variables)
                steady = (
                    operator in ("+", "-")
                    or (operator == "*" and not (moving and term_moves))
                    or (operator == "/" and not term_moves)
                    or not (moving or term_moves)
                )
                if not steady:
                    return False
                moving = moving or term_moves
            return moving
        case _:
            return False


def fades(node: Node, variables: Mapping[str, Evaluator]) -> bool:
    """Whether a score is part of a value that moves steadily otherwise: points halve with time."""
    match node:
        case Attribute(target=Attribute(target=Name(name="customer"), name="score")):
            return True
        case Name(name=name):
            found = steadiness_of(variables.get(name))
            return found is not None and found.fades
        case Sign(operand=operand):
            return fades(operand, variables)
        case Arithmetic(first=first, rest=rest):
            return fades(first, variables) or any(fades(term, variables) for _, term in rest)
        case _:
            return False


def note_fading(
    scope: Scope, left: Evaluator, right: Evaluator, operator: str, offset: int, plain: tuple[str, float] | None
) -> None:
    """Notes the first instant after now at which a comparison with a score in it changes, if there is one.

    `plain`: the score's name and the number that it is compared with, where there is no more to it.
    """
    held: object = scope.customer.get("score")
    if type(held) is not Scores or not held.fading:
        note_crossing(scope, left, right, operator, offset)
        return
    now, limit = scope.now, scope.changes_at
    scope.tracking = False
    try:
        probe = _Probe(scope, left, right, operator, offset)
        current = probe.state(now)
        guess = held.meets_at(*plain) if plain is not None else None
        crossing = first_change(lambda at: probe.state(at) != current, now, guess, limit)
    except (DecisionError, OverflowError):
        crossing = None
    finally:
        scope.tracking, scope.now = True, now
    if crossing is not None:
        scope.note(crossing)


def note_crossing(scope: Scope, left: Evaluator, right: Evaluator, operator: str, offset: int) -> None:
    """Notes the first instant after now at which `left operator right` changes, if there is one.

    Whatever else the sides hold is constant until `scope.changes_at`, which is why nothing beyond it is looked at.
    """
    now, limit = scope.now, scope.changes_at
    scope.tracking = False
    try:
        crossing = _crossing(_Probe(scope, left, right, operator, offset), now, limit)
    except (DecisionError, OverflowError):  # beyond the calendar, or values that no longer compare: nothing to come
        crossing = None
    finally:
        scope.tracking, scope.now = True, now
    if crossing is not None:
        scope.note(crossing)


@dataclass(slots=True)
class _Probe:
    scope: Scope
    left: Evaluator
    right: Evaluator
    operator: str
    offset: int

    def sides(self, at: datetime) -> tuple[Value, Value]:
        self.scope.now = at
        return self.left(self.scope), self.right(self.scope)

    def state(self, at: datetime) -> int | bool | None:
        """What must change for the comparison's value to change; it changes at most once in each direction of time."""
        left, right = self.sides(at)
        if left is None or right is None:
            return None
        sign = compare(left, right, self.scope.zone, self.offset, self.operator)
        if sign is None:
            return None
        match self.operator:
            case "<":
                return sign < 0
            case "<=":
                return sign <= 0
            case ">":
                return sign > 0
            case ">=":
                return sign >= 0
            case _:
                return sign

    def difference(self, at: datetime) -> int | float | None:
        left, right = self.sides(at)
        if isinstance(left, timedelta) and isinstance(right, timedelta):
            return (left - right) // _SMALLEST
        if isinstance(left, (int, float)) and isinstance(right, (int, float)) and is_number(left) and is_number(right):
            return left - right
        if isinstance(left, (date, str)) and isinstance(right, (date, str)):
            zone, offset = self.scope.zone, self.offset
            return (as_instant(left, zone, offset) - as_instant(right, zone, offset)) // _SMALLEST
        return None


def _crossing(probe: _Probe, now: datetime, limit: datetime | None) -> datetime | None:
    current = probe.state(now)
    last = None if limit is None else limit - _SMALLEST
    if current is None or (last is not None and last <= now):
        return None
    changed: Callable[[datetime], bool] = lambda at: probe.state(at) != current  # noqa: E731
    if last is not None and not changed(last):
        return None
    guess = _estimate(probe, now, _STEP if last is None else min(_STEP, last - now))
    if guess is not None:
        for candidate in (guess, guess + _SMALLEST):
            if (
                candidate > now
                and changed(candidate)
                and (candidate - _SMALLEST <= now or not changed(candidate - _SMALLEST))
            ):
                return candidate
    high = last if last is not None else (None if guess is None else guess + _NEAR)
    if high is None or not changed(high):
        return None
    return _first_change(changed, now, high)


def _estimate(probe: _Probe, now: datetime, step: timedelta) -> datetime | None:
    """Where the sides meet if both go on as they do now, to the microsecond before; None where they never do."""
    here, there = probe.difference(now), probe.difference(now + step)
    if here is None or there is None or here == there:
        return None
    if isinstance(here, int) and isinstance(there, int):
        ahead = -here * (step // _SMALLEST) // (there - here)
    else:
        ahead = int(-here * (step // _SMALLEST) / (there - here))
    return now + ahead * _SMALLEST if ahead >= 0 else None


def _first_change(changed: Callable[[datetime], bool], low: datetime, high: datetime) -> datetime:
    """The first instant of (low, high] at which `changed`, to the microsecond, by halving."""
    while high - low > _SMALLEST:
        middle = low + (high - low) // 2
        if changed(middle):
            high = middle
        else:
            low = middle
    return high
