"""What bounds a circle of steps: a condition in it that counts the rounds or looks at the time, and leads out."""

from __future__ import annotations

from typing import Final

from orchestrator.core.expression.builtin_events import EVENTS
from orchestrator.core.expression.nodes import Call, Fact, History, Name, Node, walk
from orchestrator.core.program import Choose, IssueCoupon, Step, Track, WaitUntilDate
from orchestrator.definitions.rules.analysis.graph import Graph
from orchestrator.definitions.rules.analysis.subject import JourneySubject

_DEEPEST: Final = 20


def leaves(graph: Graph, circle: frozenset[int]) -> bool:
    """Whether a way leads out of the circle."""
    return any(_leads_out(graph, index, circle) for index in circle)


def bounds(journey: JourneySubject, step: Step, circle: frozenset[int]) -> bool:
    """Whether the step sees to it that the circle ends: a choice that leads out of it and must do so one day."""
    match step:
        case WaitUntilDate(if_past="exit") | IssueCoupon(on_exhausted="exit"):
            return True
    if not _leads_out(journey.graph, step.index, circle):
        return False
    conditions = [step.skip_if] if step.skip_if is not None else []
    if isinstance(step, Choose):
        conditions += [branch.when for branch in step.branches]
    return any(_counts(when.node, journey) for when in conditions)


def _leads_out(graph: Graph, index: int, circle: frozenset[int]) -> bool:
    return any(edge.target not in circle for edge in graph.ways[index] if edge.kind != "failed")


def _counts(node: Node, journey: JourneySubject, depth: int = 0) -> bool:
    """Whether a condition must come out otherwise one day: it counts visits or what the journey itself does, or it
    looks at the time."""
    tracked = {step.event for step in journey.steps if isinstance(step, Track)}
    for part in walk(node):
        match part:
            case Fact(function="visits") | Call(function="days_since" | "days_until"):
                return True
            case Name(name="now" | "today" | "loop"):
                return True
            case History(function="count", event=event) if event.text in tracked or event.text in EVENTS:
                return True
            case Name(name=name) if name in journey.variables and depth < _DEEPEST:
                if _counts(journey.variables[name], journey, depth + 1):
                    return True
    return False
