"""How long after a coupon was issued each later step comes: at least, and at most.

Ways back are not taken (a repeat's passes count through its `every`). A wait for a date counted from `entry.at` ends
at a known time after the entry, whatever was waited for before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from orchestrator.core.expression.nodes import Attribute, Name
from orchestrator.core.program import IssueCoupon, Journey, Step, WaitUntilDate
from orchestrator.definitions.rules.analysis.graph import Edge, Graph
from orchestrator.definitions.rules.analysis.passing import DAY, NOTHING, Passing, passing
from orchestrator.definitions.rules.analysis.results import names_set
from orchestrator.definitions.rules.analysis.subject import JourneySubject

_ENTRY_AT = Attribute(Name("entry"), "at")


class Elapsed(NamedTuple):
    """Of all ways to a step: what passes at least on the quickest, at least on the slowest, and at most."""

    quickest: timedelta = NOTHING
    slowest: timedelta = NOTHING
    longest: timedelta | None = NOTHING

    def beside(self, other: Elapsed) -> Elapsed:
        """Of two sets of ways."""
        longest = None if self.longest is None or other.longest is None else max(self.longest, other.longest)
        return Elapsed(min(self.quickest, other.quickest), max(self.slowest, other.slowest), longest)

    def then(self, more: Passing) -> Elapsed:
        """With more time behind it."""
        longest = None if self.longest is None or more.high is None else self.longest + more.high
        return Elapsed(self.quickest + more.low, self.slowest + more.low, longest)

    def until(self, place: Passing, base: Elapsed) -> Elapsed:
        """Up to a place in time after the entry, where counting began `base` after the entry; not backwards."""
        assert place.high is not None
        at_least = NOTHING if base.longest is None else place.low - base.longest
        longest = None if self.longest is None else max(self.longest, place.high - base.quickest)
        return Elapsed(max(self.quickest, at_least), max(self.slowest, at_least), longest)


def elapsed_after(journey: JourneySubject, coupon: IssueCoupon) -> Mapping[int, Elapsed]:
    """For each step that the coupon's code can reach, how long after the coupon a customer comes there."""
    base = _since_entry(journey).get(coupon.index, Elapsed(longest=None))
    starts = [edge.target for edge in journey.graph.ways[coupon.index] if edge.kind == "next" and edge.target >= 0]
    again = frozenset(step.index for step in journey.steps if coupon.as_name in names_set(step))
    return _flow(journey, coupon.index, starts, base, stops=again)


def _since_entry(journey: JourneySubject) -> Mapping[int, Elapsed]:
    """How long after the entry a customer comes to each step."""
    first = journey.journey.first
    return {} if first < 0 else _flow(journey, first, [first], Elapsed(), frozenset())


def _flow(
    journey: JourneySubject, root: int, starts: list[int], base: Elapsed, stops: frozenset[int]
) -> Mapping[int, Elapsed]:
    """Time added up along the ways from `starts`, which are no further than one step from `root`."""
    graph = journey.graph
    order = _forward_order(graph, root)
    after = dict.fromkeys(starts, Elapsed())
    for here in order:
        if here not in after or here in stops:
            continue
        for edge in graph.ways[here]:
            if order.get(edge.target, -1) > order[here]:
                there = _added(journey.journey, edge, after[here], base)
                known = after.get(edge.target)
                after[edge.target] = there if known is None else known.beside(there)
    return after


def _added(journey: Journey, edge: Edge, before: Elapsed, base: Elapsed) -> Elapsed:
    """What has passed behind an edge; `base` is how long after the entry the counting began."""
    place = _after_entry(journey.steps[edge.source]) if edge.kind == "next" else None
    return before.then(passing(journey, edge)) if place is None else before.until(place, base)


def _after_entry(step: Step) -> Passing | None:
    """Where a wait for a date counted from `entry.at` ends, from the entry; None for any other step."""
    if not isinstance(step, WaitUntilDate) or step.until.node != _ENTRY_AT or step.offset_expr is not None:
        return None
    offset = step.offset.roughly if step.offset is not None else NOTHING
    around: timedelta = DAY if step.at is not None else NOTHING
    later: timedelta = 6 * DAY if step.days is not None else NOTHING
    return Passing(offset - around, offset + around + later)


def _forward_order(graph: Graph, start: int) -> dict[int, int]:
    """The steps that can be reached from `start`, each behind all from which a way leads to it; ways back aside."""
    done: list[int] = []
    seen = {start}
    work = [(start, iter(graph.ways[start]))]
    while work:
        here, ways = work[-1]
        for edge in ways:
            if edge.target >= 0 and edge.target not in seen:
                seen.add(edge.target)
                work.append((edge.target, iter(graph.ways[edge.target])))
                break
        else:
            done.append(here)
            work.pop()
    return {index: place for place, index in enumerate(reversed(done))}
