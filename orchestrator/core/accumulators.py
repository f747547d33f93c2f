"""Computed attributes that events add up to: kept with every event, and for good (the language reference, section 12).

What is kept of each is small and can be added to: a number, a decimal text, the first or last value with its instant,
or how often each value came. The result stands among the customer's attributes, where everything else reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, assert_never

from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.time.iso import format_instant
from orchestrator.records import dataclass

if TYPE_CHECKING:
    from orchestrator.core.expression.expr import Expr

Kind = Literal["count", "sum", "min", "max", "first", "last", "most"]
EMPTY_IS_ZERO: Final = frozenset({"count", "sum"})
"""Kinds that are 0 where there was no event; the others are none."""
MOST_VALUES: Final = 100
"""So many values are counted at once to find the most frequent one. A new one beyond them takes the place, and the
count, of the rarest: the space-saving algorithm (Metwally, Agrawal, El Abbadi 2005), which never loses a value that
makes up more than a hundredth of all."""
_EXACT: Final = Context(prec=60)
"""Sums are exact: 0.1 and 0.2 is 0.3, in whatever order they came."""
_LONGEST: Final = 200
"""Characters of a value that is kept."""


@dataclass(frozen=True, slots=True)
class Accumulator:
    """One computed attribute. `path` leads through objects and lists to the property; empty: the event itself, whose
    instant `first` and `last` give. `mark` tells one definition from another."""

    name: str
    kind: Kind
    event: str
    path: tuple[str, ...] = ()
    where: Expr | None = None
    mark: str = ""


def mark_of(kind: str, event: str, path: tuple[str, ...], where: str) -> str:
    """Eight hex digits for a definition."""
    return hashlib.blake2b("\x1f".join((kind, event, *path, where)).encode(), digest_size=4).hexdigest()


class Computed(NamedTuple):
    """What a customer's computed attributes rest on: by name the mark of the definition, and what is kept. `mark` is
    that of all definitions together under which they were last set up."""

    mark: str = ""
    states: Mapping[str, tuple[str, Any]] = {}


NOTHING_COMPUTED: Final = Computed()


def added(of: Accumulator, state: Any, event: PastEvent) -> Any:
    """What is kept after one more event (for which `where` holds). `state` None: nothing yet."""
    at, _, properties, _ = event
    if not of.path:
        if of.kind == "count":
            return (state or 0) + 1
        return _dated(of.kind, state, format_instant(at), at)
    for value in values_at(properties, of.path):
        state = _with_value(of.kind, state, value, at)
    return state


def recount(of: Accumulator, events: Iterable[PastEvent], holds: Callable[[PastEvent], bool]) -> Any:
    """What is kept after all of these, in their order."""
    state: Any = None
    for event in events:
        if holds(event):
            state = added(of, state, event)
    return state


def value_of(of: Accumulator, state: Any) -> Any:
    """The attribute's value; None: nothing was kept."""
    if state is None:
        return None
    match of.kind:
        case "count" | "min" | "max":
            return state
        case "sum":
            found = Decimal(state)
            return int(found) if int(found.as_tuple().exponent) >= 0 else float(found)
        case "first" | "last":
            return state[0]
        case "most":
            return min(state, key=lambda value: (-state[value], value))
        case _:
            assert_never(of.kind)


def united(of: Accumulator, one: Any, two: Any) -> Any:
    """What is kept of two customers who turned out to be one."""
    if one is None or two is None:
        return two if one is None else one
    match of.kind:
        case "count":
            return one + two
        case "sum":
            return _sum(one, Decimal(two))
        case "min" | "max":
            return _extreme(of.kind, one, two)
        case "first" | "last":
            return _dated(of.kind, one, two[0], two[1])
        case "most":
            state = one
            for value, count in two.items():
                state = _tallied(state, value, count)
            return state
        case _:
            assert_never(of.kind)


def values_at(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """The values to which a path leads: through objects by name, through lists to each of their items."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from values_at(item, path)
    elif not path:
        if value is not None:
            yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from values_at(value[path[0]], path[1:])


def _with_value(kind: Kind, state: Any, value: Any, at: datetime) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match kind:
        case "count":
            return (state or 0) + 1
        case "sum":
            return _sum(state or "0", Decimal(repr(value))) if number else state
        case "min" | "max":
            plain = value if number else _text(value)
            return state if plain is None else plain if state is None else _extreme(kind, state, plain)
        case "first" | "last":
            plain = value if number or isinstance(value, bool) else _text(value)
            return state if plain is None else _dated(kind, state, plain, at)
        case "most":
            text = str(value) if type(value) is int else _text(value)
            return state if text is None else _tallied(state or {}, text, 1)
        case _:
            assert_never(kind)


def _text(value: Any) -> str | None:
    """A value as text; None for what has no short one."""
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, str) and len(value) <= _LONGEST else None


def _sum(state: str, value: Decimal) -> str:
    try:
        return str(_EXACT.add(Decimal(state), value))
    except InvalidOperation:  # no number is infinite here, and none is that large
        return state


def _extreme(kind: str, one: Any, two: Any) -> Any:
    if isinstance(one, str) != isinstance(two, str):
        return one  # numbers and texts have no order: the first kind of value stays
    return min(one, two) if kind == "min" else max(one, two)


def _dated(kind: str, state: Any, value: Any, at: datetime) -> Any:
    """The first value, or the last one: of several at one instant the first, or the last, that came."""
    if state is not None and (state[1] <= at if kind == "first" else state[1] > at):
        return state
    return [value, at]


def _tallied(state: Mapping[str, int], value: str, count: int) -> dict[str, int]:
    tally = dict(state)
    if value not in tally and len(tally) >= MOST_VALUES:
        rarest = min(tally, key=lambda known: (tally[known], known))
        count += tally.pop(rarest)
    tally[value] = tally.get(value, 0) + count
    return tally
