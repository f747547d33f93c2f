"""Where a customer can go: the steps of a compiled journey as a graph, with every way from each step.

A `repeat` counts its passes: the way back from its body's end is an edge of its own kind (AGAIN), which is taken a
bounded number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, assert_never

from orchestrator.core.program import (
    AddScore,
    Choose,
    Do,
    Enroll,
    Fetch,
    Goto,
    IssueCoupon,
    Journey,
    Leave,
    OpenTask,
    Repeat,
    RepeatAgain,
    Send,
    SetAttributes,
    SetStage,
    Split,
    Step,
    Survey,
    Tag,
    Track,
    Unenroll,
    WaitFor,
    WaitSomething,
    WaitUntilDate,
    WaitUntilTime,
    WaitWindow,
    Webhook,
)

Kind = Literal[
    "next", "skipped", "failed", "past", "then", "else", "branch", "default", "variant", "control", "body",
    "leave_loop", "again", "exhausted", "jump",
]  # fmt: skip


class Edge(NamedTuple):
    """One way from a step to another, or to END. `number` tells the branches of a `choose` apart."""

    source: int
    target: int
    kind: Kind
    number: int = 0


@dataclass(frozen=True, eq=False)
class Graph:
    """All ways of one journey. `ways[n]` are those that begin at step n; `roots` are where the flow enters."""

    journey: Journey
    ways: tuple[tuple[Edge, ...], ...]
    roots: tuple[int, ...]

    @cached_property
    def reached(self) -> frozenset[int]:
        """The steps that can be reached at all."""
        return self.reach(self.roots)

    def reach(self, starts: Iterable[int], through: Callable[[Edge], bool] = lambda edge: True) -> frozenset[int]:
        """The steps that can be reached from `starts`, these included, by edges for which `through` is true."""
        seen: set[int] = set()
        waiting = [start for start in starts if start >= 0]
        while waiting:
            here = waiting.pop()
            if here in seen:
                continue
            seen.add(here)
            waiting.extend(edge.target for edge in self.ways[here] if edge.target >= 0 and through(edge))
        return frozenset(seen)

    def edges(self) -> Iterator[Edge]:
        """Every edge, by its source."""
        for ways in self.ways:
            yield from ways

    @cached_property
    def into(self) -> tuple[tuple[Edge, ...], ...]:
        """For each step, the edges that lead to it."""
        found: list[list[Edge]] = [[] for _ in self.ways]
        for edge in self.edges():
            if edge.target >= 0:
                found[edge.target].append(edge)
        return tuple(map(tuple, found))

    @cached_property
    def back(self) -> tuple[Edge, ...]:
        """The edges that lead back to a step before, or to the same: without one there is no circle."""
        return tuple(edge for edge in self.edges() if 0 <= edge.target <= edge.source)

    def circles(self, through: Callable[[Edge], bool], without: frozenset[int] = frozenset()) -> list[frozenset[int]]:
        """The largest sets of steps (reached, not in `without`) from each of which every other, and it itself, can be
        reached again by edges for which `through` is true; in the order of their first steps."""
        if not any(map(through, self.back)):
            return []
        inside = self.reached - without

        def ahead(here: int) -> list[int]:
            return [edge.target for edge in self.ways[here] if edge.target in inside and through(edge)]

        return sorted(components(sorted(inside), ahead), key=min)


def components(nodes: Sequence[int], ahead: Callable[[int], Sequence[int]]) -> list[frozenset[int]]:
    """The strongly connected sets that hold a cycle (Tarjan's algorithm, without recursion)."""
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    found: list[frozenset[int]] = []
    for root in nodes:
        if root in number:
            continue
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(ahead(root)))]
        while work:
            here, following = work[-1]
            for there in following:
                if there not in number:
                    number[there] = low[there] = len(number)
                    stack.append(there)
                    on_stack.add(there)
                    work.append((there, iter(ahead(there))))
                    break
                if there in on_stack:
                    low[here] = min(low[here], number[there])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[here])
                if low[here] == number[here]:
                    cut = stack.index(here)
                    members = stack[cut:]
                    del stack[cut:]
                    on_stack.difference_update(members)
                    if len(members) > 1 or here in ahead(here):
                        found.append(frozenset(members))
    return found


def graph_of(journey: Journey) -> Graph:
    """The graph of a compiled journey; the steps of the exits' `do` lists are in it, with roots of their own."""
    ways = tuple(tuple(dict.fromkeys(_ways(journey, step))) for step in journey.steps)
    roots = tuple(dict.fromkeys([journey.first, *(rule.do for rule in journey.exits)]))
    return Graph(journey, ways, tuple(root for root in roots if root >= 0))


def _ways(journey: Journey, step: Step) -> Iterator[Edge]:
    here = step.index
    if step.skip_if is not None:
        yield Edge(here, step.next, "skipped")
    if step.on_error == "continue":
        yield Edge(here, step.on_error_next, "failed")
    yield from _own_ways(journey, step)


def _own_ways(journey: Journey, step: Step) -> Iterator[Edge]:
    here = step.index
    match step:
        case WaitFor() | WaitUntilTime() | WaitUntilDate() | WaitWindow():
            yield Edge(here, step.next, "next")
            if step.if_past == "skip_next" and step.following is not None:
                yield Edge(here, journey.steps[step.following].next, "past")
        case WaitSomething():
            yield Edge(here, step.then, "then")
            if step.up_to is not None:
                yield Edge(here, step.otherwise, "else")
        case Survey():
            if step.up_to is None:
                yield Edge(here, step.next, "next")
            else:
                yield Edge(here, step.then, "then")
                yield Edge(here, step.otherwise, "else")
        case Choose():
            for number, branch in enumerate(step.branches):
                yield Edge(here, branch.target, "branch", number)
            yield Edge(here, step.otherwise, "default")
        case Do():
            yield Edge(here, step.first, "body")
        case Split():
            for number, variant in enumerate(step.variants):
                yield Edge(here, variant.target, "variant", number)
            if step.control > 0:
                yield Edge(here, step.next, "control")
        case Repeat():
            yield Edge(here, step.first, "body")
            if step.condition is not None:
                yield Edge(here, step.next, "leave_loop")
        case RepeatAgain():
            repeat = journey.steps[step.repeat]
            assert isinstance(repeat, Repeat)
            if repeat.times > 1:
                yield Edge(here, repeat.first, "again")
            yield Edge(here, repeat.next, "leave_loop")
        case Goto():
            yield Edge(here, step.target, "jump")
        case Leave():
            return
        case IssueCoupon():
            yield Edge(here, step.next, "next")
            if step.on_exhausted == "goto":
                yield Edge(here, step.exhausted_target, "exhausted")
        case (
            Send() | Fetch() | Webhook() | OpenTask() | SetAttributes() | Tag() | SetStage() | AddScore() | Track()
            | Enroll()
            | Unenroll()
        ):  # fmt: skip
            yield Edge(here, step.next, "next")
        case _:
            assert_never(step)
