"""How much time passes on the way from one step to another: at least, and at most.

Days are taken as 24 hours and months as 30.4 days: good enough to compare and to warn (the engine computes exactly).
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from orchestrator.core.expression.expr import Expr
from orchestrator.core.program import (
    Journey,
    OpenTask,
    Repeat,
    RepeatAgain,
    Step,
    Survey,
    UntilEvent,
    WaitFor,
    WaitSomething,
    WaitUntilDate,
    WaitUntilTime,
    WaitWindow,
)
from orchestrator.definitions.rules.analysis.graph import Edge

NOTHING = timedelta(0)
DAY = timedelta(days=1)


class Passing(NamedTuple):
    """At least `low`, at most `high`; None: without a known end."""

    low: timedelta = NOTHING
    high: timedelta | None = NOTHING


AT_ONCE = Passing()
UNKNOWN = Passing(NOTHING, None)


def passing(journey: Journey, edge: Edge) -> Passing:
    """The time that passes on an edge. Holds by quiet hours, throttles and answers of other systems are not counted."""
    step = journey.steps[edge.source]
    if edge.kind in ("skipped", "failed", "past"):
        return AT_ONCE
    match step:
        case WaitFor(duration=duration) if duration is not None:
            return Passing(duration.roughly, duration.roughly)
        case WaitFor() | WaitUntilDate():
            return UNKNOWN
        case WaitUntilTime() | WaitWindow():
            return Passing(NOTHING, DAY if step.days is None else 7 * DAY)
        case WaitSomething() | Survey() if step.up_to is not None:
            longest = step.up_to.roughly
            return Passing(longest if edge.kind == "else" else NOTHING, longest)
        case WaitSomething():
            return UNKNOWN
        case OpenTask(wait=True):
            return Passing(NOTHING, None if step.due is None or step.due_in is not None else step.due.roughly)
        case RepeatAgain():
            return _rest_of_loop(journey, step, edge)
        case _:
            return AT_ONCE


def _rest_of_loop(journey: Journey, step: RepeatAgain, edge: Edge) -> Passing:
    """One way through a repeat's body stands for all: the passes between the first and the last take their `every`."""
    repeat = journey.steps[step.repeat]
    assert isinstance(repeat, Repeat)
    if edge.kind == "again" or repeat.every is None:
        return AT_ONCE
    longest = repeat.every.roughly * (repeat.times - 1)
    return Passing(NOTHING if repeat.condition is not None else longest, longest)


def lets_time_pass(journey: Journey, edge: Edge) -> bool:
    """Whether the edge holds a positive wait, so that a circle through it does not turn within one instant.

    A wait until a time of day, for a window or for a condition is none: it ends at once where it is already met. In
    doubt (a computed duration or date) it is taken for one.
    """
    step = journey.steps[edge.source]
    if edge.kind in ("skipped", "failed", "past"):
        return False
    match step:
        case WaitFor():
            return step.duration is None or step.duration.positive()
        case WaitUntilDate():
            return not _is_fixed(step.until)
        case WaitSomething():
            if edge.kind == "else":
                return step.up_to is not None and step.up_to.positive()
            return all(isinstance(alternative, UntilEvent) for alternative in step.alternatives)
        case Survey():
            return step.up_to is not None and (edge.kind == "then" or step.up_to.positive())
        case OpenTask():
            return step.wait
        case RepeatAgain():
            repeat = journey.steps[step.repeat]
            return isinstance(repeat, Repeat) and edge.kind == "again" and _positive(repeat)
        case _:
            return False


def is_wait(step: Step) -> bool:
    """Whether a customer may stand on this step until a time or until something happens."""
    match step:
        case WaitFor() | WaitUntilTime() | WaitUntilDate() | WaitWindow() | WaitSomething():
            return True
        case Survey():
            return step.up_to is not None
        case OpenTask():
            return step.wait
        case RepeatAgain():
            return False
        case Repeat():
            return _positive(step)
        case _:
            return False


def _positive(repeat: Repeat) -> bool:
    return repeat.every is not None and repeat.every.positive()


def _is_fixed(until: Expr) -> bool:
    """A date that does not move by itself: of the entry or the profile, or a constant."""
    needs = until.needs
    return not (needs.timed or needs.events or needs.results or needs.steps or needs.received)
