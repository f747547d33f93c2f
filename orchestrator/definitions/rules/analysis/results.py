"""What the results of steps (the names given by `as:`) may hold where a step begins: not set, none, or a value.

A forward data flow over the graph: what may hold before a step is what may hold after any step before it, narrowed
by the conditions on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.core.expression.nodes import Node
from orchestrator.core.program import (
    Choose,
    Fetch,
    IssueCoupon,
    Journey,
    OpenTask,
    Repeat,
    Step,
    Survey,
    WaitSomething,
    Webhook,
)
from orchestrator.definitions.rules.analysis.conditions import Variables, absent_if, present_if
from orchestrator.definitions.rules.analysis.graph import Edge, Graph

UNSET, NONE, VALUE = 1, 2, 4
"""Bits: the name was never set, it was set to none, it holds something."""

State = dict[str, int]


class Setter(NamedTuple):
    """A step that sets a name."""

    step: Step
    name: str


@dataclass(frozen=True, eq=False)
class Results:
    """`before[n]` says what each name may hold when step n begins; of steps that cannot be reached it says nothing."""

    setters: tuple[Setter, ...]
    before: Mapping[int, State]
    variables: Variables

    @property
    def names(self) -> frozenset[str]:
        """Every name that some step sets."""
        return frozenset(setter.name for setter in self.setters)

    def state(self, step: Step, name: str) -> int:
        """What a name may hold while the step is done (its `skip_if` was not true); 0 where it cannot be reached."""
        state: State | None = self.before.get(step.index, {})
        if step.skip_if is not None and state:
            state = _narrowed(state, step.skip_if.node, False, self.variables)
        return state.get(name, 0) if state is not None else 0

    def state_before(self, step: Step, name: str) -> int:
        """What a name may hold where the step begins, for its `skip_if`."""
        return self.before.get(step.index, {}).get(name, 0)


def results_of(graph: Graph, variables: Variables) -> Results:
    """The results of a journey."""
    journey = graph.journey
    setters = tuple(Setter(step, name) for step in journey.steps for name in names_set(step))
    names = frozenset(setter.name for setter in setters)
    if not names:
        return Results((), {}, variables)
    before: dict[int, State] = {}
    main = [root for root in graph.roots if not journey.steps[root].in_exit]
    _flow(graph, variables, dict.fromkeys(main, dict.fromkeys(names, UNSET)), before)
    # An exit may come at any moment, so its steps find what any step may have left behind.
    at_any_time = dict.fromkeys(names, UNSET | NONE | VALUE)
    for name in names:
        at_any_time[name] = UNSET
        for setter in setters:
            if setter.name == name and setter.step.index in graph.reached and not setter.step.in_exit:
                at_any_time[name] |= NONE | VALUE
    _flow(graph, variables, {root: dict(at_any_time) for root in graph.roots if root not in main}, before)
    return Results(setters, before, variables)


def names_set(step: Step) -> Iterator[str]:
    """The names that a step sets, if it is reached and done."""
    match step:
        case Fetch():
            yield step.as_name
            yield f"{step.as_name}_status"
        case Webhook(as_name=str() as name):
            yield name
            yield f"{name}_status"
        case IssueCoupon():
            yield step.as_name
        case WaitSomething(as_name=str() as name) | Survey(as_name=str() as name):
            yield name
        case OpenTask(as_name=str() as name) if step.wait:
            yield name
        case _:
            return


def _flow(graph: Graph, variables: Variables, roots: Mapping[int, State], before: dict[int, State]) -> None:
    waiting = []
    for root, state in roots.items():
        before[root] = dict(state)
        waiting.append(root)
    while waiting:
        here = waiting.pop()
        for edge in graph.ways[here]:
            if edge.target < 0:
                continue
            after = _after(graph.journey, edge, before[here], variables)
            if after is None:
                continue
            known = before.get(edge.target)
            if known is None:
                before[edge.target] = after
            else:
                merged = {name: bits | after.get(name, 0) for name, bits in known.items()}
                if merged == known:
                    continue
                before[edge.target] = merged
            waiting.append(edge.target)


def _after(journey: Journey, edge: Edge, state: State, variables: Variables) -> State | None:
    """What holds after taking an edge; None where nobody can take it, because its conditions say otherwise."""
    step = journey.steps[edge.source]
    out: State | None = state
    if step.skip_if is not None:
        out = _narrowed(state, step.skip_if.node, edge.kind == "skipped", variables)
    if out is not None and edge.kind not in ("skipped", "failed"):
        out = {**out, **set_on(step, edge)}
    for condition, outcome in conditions_on(step, edge):
        if out is not None:
            out = _narrowed(out, condition, outcome, variables)
    return out


def conditions_on(step: Step, edge: Edge) -> Iterator[tuple[Node, bool]]:
    """The conditions of the step that were looked at on this edge, each with how it came out."""
    match step:
        case Choose(branches=branches):
            if edge.kind not in ("branch", "default"):
                return
            last = edge.number if edge.kind == "branch" else len(branches)
            for branch in branches[:last]:
                yield branch.when.node, False
            if edge.kind == "branch":
                yield branches[last].when.node, True
        case Repeat(condition=condition) if condition is not None:
            if edge.kind in ("body", "leave_loop"):
                yield condition.node, edge.kind == "body"


def set_on(step: Step, edge: Edge) -> State:
    """What the names that the step sets may hold behind an edge on which it was done."""
    match step:
        case Fetch(as_name=name):
            may_be_null = step.has_default and step.default is None
            return {name: VALUE | NONE if may_be_null else VALUE, f"{name}_status": VALUE | NONE}
        case Webhook(as_name=str() as name):
            return {name: VALUE, f"{name}_status": VALUE | NONE}
        case IssueCoupon(as_name=name):
            if edge.kind == "exhausted":
                return {name: NONE}
            return {name: VALUE | NONE if step.on_exhausted == "skip" else VALUE}
        case WaitSomething(as_name=str() as name) | Survey(as_name=str() as name):
            return {name: VALUE if edge.kind == "then" else NONE}
        case OpenTask(as_name=str() as name) if step.wait:
            return {name: VALUE}
        case _:
            return {}


def _narrowed(state: State, condition: Node, outcome: bool, variables: Variables) -> State | None:
    """What is left of a state where a condition came out as `outcome`; None where nothing is."""
    out = dict(state)
    for name in present_if(condition, outcome, variables) & state.keys():
        out[name] &= VALUE
    for name in absent_if(condition, outcome, variables) & state.keys():
        out[name] &= ~VALUE
    return out if all(out.values()) else None
