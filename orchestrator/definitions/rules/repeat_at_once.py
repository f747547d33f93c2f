"""A `repeat` whose passes all happen at one instant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.advance import MOST_STEPS
from orchestrator.core.program import Enroll, IssueCoupon, OpenTask, Repeat, Send, Survey, Track, Webhook
from orchestrator.definitions.rules.analysis.passing import lets_time_pass
from orchestrator.definitions.rules.analysis.subject import JourneySubject, Subject
from orchestrator.errors import Problem

CODE: Final = "repeat_at_once"
SEVERITY: Final = "warning"

_SEEN_OUTSIDE = (Send, Survey, Webhook, OpenTask, IssueCoupon, Track, Enroll)


def check(subject: Subject) -> Iterator[Problem]:
    """Repeats of several passes with neither `every` nor a wait inside: an error where the engine would give up."""
    for journey in subject.journeys:
        for step in journey.steps:
            if isinstance(step, Repeat) and step.times > 1 and _at_once(journey, step):
                yield from _problems(journey, step)


def _at_once(journey: JourneySubject, repeat: Repeat) -> bool:
    """Whether a pass can lead to the next without time going by."""
    if repeat.every is not None and repeat.every.positive():
        return False
    inside = journey.graph.reach(
        [repeat.first], lambda edge: not lets_time_pass(journey.journey, edge) and edge.source != repeat.again
    )
    return repeat.again in inside


def _problems(journey: JourneySubject, repeat: Repeat) -> Iterator[Problem]:
    body = [step for step in journey.steps[repeat.index + 1 : repeat.again] if repeat.id in step.loops]
    taken = repeat.times * (len(body) + 1)
    if taken > MOST_STEPS:
        most = f"at most {MOST_STEPS:,} are done"
        message = f"{repeat.times} passes without a wait are {taken:,} steps at one instant; {most}"
        path = (*journey.path(repeat), "repeat", "times")
        yield journey.problem(path, CODE, message, "add `every: 1d`, or repeat less often")
    elif any(isinstance(step, _SEEN_OUTSIDE) for step in body):
        message = f"all {repeat.times} passes happen at the same instant"
        hint = "add `every: 1d`, or put a wait among the steps"
        yield journey.verb_problem(repeat, CODE, message, hint, SEVERITY)
