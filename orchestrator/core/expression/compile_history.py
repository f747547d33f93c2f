"""Functions of the past as closures: windows over a customer's events, and other facts (the language reference,
section 4).

A window is (t - within, t] on the events' own timestamps and reaches back at most settings.history; `did`, `count`,
`first` and `last` without `within` and `where` see everything. A value over a window changes by itself when a counted
event leaves it, which is noted while the scope is tracking.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, Final, NamedTuple

from orchestrator.core.expression.context import Context, conversion
from orchestrator.core.expression.nodes import Attribute, Fact, History, Name, Node, walk
from orchestrator.core.expression.operators import compare
from orchestrator.core.expression.scope import Evaluator, PastEvent, Scope, Value, event_data
from orchestrator.core.expression.values import bounded_number, describe, is_number
from orchestrator.errors import EvaluationError

_AT: Final = itemgetter(0)
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_IT_RESERVED: Final = frozenset({"at", "name", "id", "properties"})
_UNBOUNDED: Final = frozenset({"did", "count", "first", "last"})


class _Window(NamedTuple):
    """The places [low, high) of the events that count, and how long one stays in; None: for ever."""

    events: Sequence[PastEvent]
    low: int
    high: int
    stays_for: timedelta | None


def compile_history(node: History, context: Context) -> Evaluator:
    """The evaluator of a question about past events."""
    window = _window_of(node)
    where = _compile_where(node, context)
    match node.function:
        case "did":
            return _did(window, where)
        case "count":
            return _count(window, where)
        case "first":
            return _one(window, where, newest=False)
        case "last":
            return _one(window, where, newest=True)
        case "sum" | "avg" | "min" | "max":
            return _figure(node, window, where, context)


def _window_of(node: History) -> Callable[[Scope], _Window]:
    name, since_entry = node.event.text, node.since_entry
    within = None if node.within is None else node.within.length_for
    unbounded = node.function in _UNBOUNDED and within is None and node.where is None

    def window(scope: Scope) -> _Window:
        facts = scope.facts
        events = facts.events(name)
        low, high = 0, len(events)
        stays_for: timedelta | None = None
        if not unbounded and high:
            now, history_for = scope.now, facts.history_for
            stays_for = history_for if within is None or within > history_for else within
            start = _earlier(now, stays_for)
            if events[-1].at > now:
                high = bisect_right(events, now, key=_AT)
                if scope.tracking:
                    scope.note(events[high].at)
            if events[0].at <= start:
                low = bisect_right(events, start, key=_AT)
        if since_entry and high:
            low = max(low, _entered_place(scope, events, name, high))
        return _Window(events, low, max(low, high), stays_for)

    return window


def _entered_place(scope: Scope, events: Sequence[PastEvent], name: str, high: int) -> int:
    """The place of the first event after the entry: at its instant or later, the event that let in left out."""
    entry_at = scope.facts.entry_at
    if entry_at is None:
        return high
    place = bisect_left(events, entry_at, key=_AT)
    entry = scope.entry or {}
    if place < high and entry.get("name") == name and events[place].at == entry.get("at") == entry_at:
        place += 1
    return place


def _earlier(now: datetime, length: timedelta) -> datetime:
    try:
        return now - length
    except OverflowError:
        return _EARLIEST


def _note_leaving(scope: Scope, event: PastEvent, stays_for: timedelta) -> None:
    try:
        scope.note(event.at + stays_for)
    except OverflowError:  # beyond the year 9999: it never leaves
        return


Where = Callable[[Scope, Sequence[PastEvent], range], Iterator[PastEvent]]


def _compile_where(node: History, context: Context) -> Where | None:
    """A pass over some places that yields the events for which `where` is true."""
    if node.where is None:
        return None
    evaluate = context.inside_where().compile(node.where)
    data: Callable[[PastEvent], dict[str, Any]] = itemgetter(2) if _reads_only_properties(node.where) else event_data

    def matching(scope: Scope, events: Sequence[PastEvent], places: range) -> Iterator[PastEvent]:
        outer, hoisted = scope.it, scope.hoisted
        remembered: dict[str, Value] = {}
        for place in places:
            event = events[place]
            scope.it, scope.hoisted = data(event), remembered
            try:
                holds = evaluate(scope)
            finally:
                scope.it, scope.hoisted = outer, hoisted
            if holds:
                yield event

    return matching


def _reads_only_properties(where: Node) -> bool:
    """Whether `it` is only asked for names that no reserved name overlays, so that the raw properties will do."""
    names = sum(1 for node in walk(where) if isinstance(node, Name) and node.name == "it")
    plain = sum(
        1
        for node in walk(where)
        if isinstance(node, Attribute)
        and isinstance(node.target, Name)
        and node.target.name == "it"
        and node.name not in _IT_RESERVED
    )
    return names == plain


def _newest_match(scope: Scope, seen: _Window, where: Where | None) -> PastEvent | None:
    if where is None:
        return seen.events[seen.high - 1] if seen.high > seen.low else None
    return next(where(scope, seen.events, range(seen.high - 1, seen.low - 1, -1)), None)


def _did(window: Callable[[Scope], _Window], where: Where | None) -> Evaluator:
    def did(scope: Scope) -> Value:
        seen = window(scope)
        event = _newest_match(scope, seen, where)
        if scope.tracking and event is not None and seen.stays_for is not None:
            _note_leaving(scope, event, seen.stays_for)
        return event is not None

    return did


def _one(window: Callable[[Scope], _Window], where: Where | None, *, newest: bool) -> Evaluator:
    def one(scope: Scope) -> Value:
        seen = window(scope)
        if newest:
            event = _newest_match(scope, seen, where)
        elif where is None:
            event = seen.events[seen.low] if seen.high > seen.low else None
        else:
            event = next(where(scope, seen.events, range(seen.low, seen.high)), None)
        if event is None:
            return None
        if scope.tracking and seen.stays_for is not None:
            _note_leaving(scope, event, seen.stays_for)
        return event_data(event)

    return one


def _count(window: Callable[[Scope], _Window], where: Where | None) -> Evaluator:
    if where is not None:

        def count_matching(scope: Scope) -> Value:
            return len(_matches(scope, window(scope), where))

        return count_matching

    def count(scope: Scope) -> Value:
        seen = window(scope)
        if scope.tracking and seen.stays_for is not None and seen.high > seen.low:
            _note_leaving(scope, seen.events[seen.low], seen.stays_for)
        return seen.high - seen.low

    return count


def _matches(scope: Scope, seen: _Window, where: Where | None) -> Sequence[PastEvent]:
    """The events that count, ascending; notes when the oldest of them leaves."""
    places = range(seen.low, seen.high)
    found = seen.events[seen.low : seen.high] if where is None else list(where(scope, seen.events, places))
    if scope.tracking and found and seen.stays_for is not None:
        _note_leaving(scope, found[0], seen.stays_for)
    return found


def _figure(node: History, window: Callable[[Scope], _Window], where: Where | None, context: Context) -> Evaluator:
    """sum, avg, min, max of a property; events without it do not count."""
    assert node.prop is not None  # by its signature
    prop, offset, function = node.prop.text, node.offset, node.function
    convert = conversion(context.property_type(node.event.text, prop))
    combine = {"sum": _sum, "avg": _avg, "min": _least, "max": _greatest}[function]

    def figure(scope: Scope) -> Value:
        found = (event.properties.get(prop) for event in _matches(scope, window(scope), where))
        values = [value for value in found if value is not None]
        if convert is not None:
            values = [convert(value, scope.zone, offset) for value in values]
        return combine(values, scope, offset)

    return figure


def _sum(values: list[Any], scope: Scope, offset: int) -> int | float:
    total: int | float = 0
    for value in values:
        if not is_number(value):
            raise EvaluationError(f"cannot add up {describe(value)}; expected numbers in this property", offset=offset)
        try:
            total += value
        except OverflowError:
            raise EvaluationError("the sum is too large", offset=offset) from None
    return bounded_number(total, offset)


def _avg(values: list[Any], scope: Scope, offset: int) -> Value:
    return _sum(values, scope, offset) / len(values) if values else None


def _least(values: list[Any], scope: Scope, offset: int) -> Value:
    return _extreme(values, -1, scope, offset)


def _greatest(values: list[Any], scope: Scope, offset: int) -> Value:
    return _extreme(values, 1, scope, offset)


def _extreme(values: list[Any], wanted: int, scope: Scope, offset: int) -> Value:
    best: Value = None
    for value in values:
        if best is None or compare(value, best, scope.zone, offset, "min" if wanted < 0 else "max") == wanted:
            best = value
    return best


def compile_fact(node: Fact) -> Evaluator:
    """The evaluator of a question that a store answers."""
    function, word = node.function, node.words[0].text
    match function:
        case "consented":
            channel = node.words[1].text
            return lambda scope: bool(scope.facts.consented(word, channel))
        case "visits":
            return lambda scope: scope.facts.visits(word)
        case "recommended":
            return lambda scope: scope.facts.recommended(word)
        case "received":
            return _happened(lambda scope: scope.facts.received(word), node)
        case "entered":
            return _happened(lambda scope: scope.facts.entered(word), node)
        case "in_segment" | "reachable" | "opened" | "clicked" | "redeemed" | "in_journey":
            return lambda scope: bool(getattr(scope.facts, function)(word))


def _happened(instants: Callable[[Scope], Sequence[datetime]], node: Fact) -> Evaluator:
    """Whether any of some instants lies in the window; without `within`, whether there is one."""
    if node.within is None:
        return lambda scope: len(instants(scope)) > 0
    within = node.within.length_for

    def happened(scope: Scope) -> Value:
        seen, now = instants(scope), scope.now
        stays_for = min(within, scope.facts.history_for)
        high = bisect_right(seen, now)
        if scope.tracking and high < len(seen):
            scope.note(seen[high])
        if not high or seen[high - 1] <= _earlier(now, stays_for):
            return False
        if scope.tracking:
            scope.note(seen[high - 1] + stays_for)
        return True

    return happened
