"""Which messages mention which coupon."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from orchestrator.core.program import IssueCoupon, Send, Survey
from orchestrator.core.project import Topic
from orchestrator.definitions.compiler.names import names_asked
from orchestrator.definitions.rules.analysis.results import VALUE
from orchestrator.definitions.rules.analysis.subject import JourneySubject, Subject, given, messages, ways_of


class Carrying(NamedTuple):
    """The n-th way of a message that mentions the coupon of a name."""

    message: Send | Survey
    number: int
    name: str


def coupons(journey: JourneySubject) -> list[IssueCoupon]:
    """The coupon steps that can be reached."""
    return [step for step in journey.steps if isinstance(step, IssueCoupon) and step.index in journey.graph.reached]


def carrying(subject: Subject, journey: JourneySubject) -> Iterator[Carrying]:
    """Every way of a message that mentions a coupon which may have been issued before it."""
    names = {step.as_name for step in coupons(journey)}
    if not names:
        return
    for step in messages(journey):
        in_step = frozenset(name for text in journey.texts_at(step) for name in names_asked(text.source))
        in_step -= names_asked(step.skip_if.source) if step.skip_if is not None else frozenset()
        for number, way in enumerate(ways_of(step)):
            in_template = subject.names_in(way)
            for name in sorted(names & (in_step | (in_template - given(step.options)))):
                if journey.results.state(step, name) & VALUE:
                    yield Carrying(step, number, name)


def topics_of(subject: Subject, journey: JourneySubject, step: Send | Survey, number: int) -> list[Topic]:
    """The topics that a way of a message may have; the languages of a template may differ."""
    topics = subject.project.topics
    if step.options.topic is not None:
        names: list[str | None] = [step.options.topic]
    else:
        variants = subject.variants(ways_of(step)[number])
        names = [variant.topic or journey.journey.topic for variant in variants] or [journey.journey.topic]
    return [topics[name] for name in dict.fromkeys(names) if name is not None and name in topics]
