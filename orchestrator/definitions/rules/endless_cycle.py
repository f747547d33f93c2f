"""A circle of steps that turns without time going by, or that nothing ends (the language reference, section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.program import Goto, IssueCoupon, Step
from orchestrator.definitions.rules.analysis.bounds import bounds, leaves
from orchestrator.definitions.rules.analysis.graph import Edge
from orchestrator.definitions.rules.analysis.passing import lets_time_pass
from orchestrator.definitions.rules.analysis.subject import JourneySubject, Subject
from orchestrator.errors import Problem

CODE: Final = "endless_cycle"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Circles made by `goto`; a `repeat` counts its own passes."""
    for journey in subject.journeys:
        told: set[int] = set()
        for circle in timeless_circles(journey):
            step = closing_step(journey, circle)
            told |= circle
            message = f"the steps from line {_line(journey, circle)} to here go round without a wait"
            hint = "put a wait such as `wait: 1d` between them; a time of day or a condition may be met already"
            yield journey.verb_problem(step, CODE, message, hint)
        for circle in unbounded_circles(journey):
            # A circle that nobody can leave at all is told by endless_path.
            if told & circle or not leaves(journey.graph, circle):
                continue
            step = closing_step(journey, circle)
            name = f"'{journey.steps[min(circle)].id}'"
            message = f"nothing bounds how often the steps from line {_line(journey, circle)} to here are done"
            hint = f"go back only while e.g. visits({name}) < 5, or use `repeat` with `times`"
            yield journey.verb_problem(step, CODE, message, hint)


def timeless_circles(journey: JourneySubject) -> list[frozenset[int]]:
    """Circles through which a customer can go for ever within one instant."""

    def at_once(edge: Edge) -> bool:
        return edge.kind != "again" and not lets_time_pass(journey.journey, edge)

    return journey.graph.circles(at_once)


def unbounded_circles(journey: JourneySubject) -> list[frozenset[int]]:
    """Circles in which no condition counts the rounds or looks at the time."""
    if ends_by_time(journey):
        return []
    graph = journey.graph
    bounded = frozenset(
        index for circle in graph.circles(_by_goto) for index in circle if bounds(journey, journey.steps[index], circle)
    )
    return graph.circles(_by_goto, without=bounded)


def _by_goto(edge: Edge) -> bool:
    return edge.kind != "again"


def ends_by_time(journey: JourneySubject) -> bool:
    """Whether an exit rule ends every enrollment when its time has come."""
    return any(rule.when is not None and rule.when.needs.timed for rule in journey.journey.exits)


def closing_step(journey: JourneySubject, circle: frozenset[int]) -> Step:
    """The step that leads back: the first `goto` of the circle to a step before it, or to itself."""
    jumps = [journey.steps[index] for index in sorted(circle) if isinstance(journey.steps[index], (Goto, IssueCoupon))]
    for step in jumps:
        back = [edge.target for edge in journey.graph.ways[step.index] if edge.kind in ("jump", "exhausted")]
        if any(target in circle and target <= step.index for target in back):
            return step
    return jumps[0] if jumps else journey.steps[min(circle)]


def _line(journey: JourneySubject, circle: frozenset[int]) -> int:
    return journey.document.position(journey.path(journey.steps[min(circle)])).line
