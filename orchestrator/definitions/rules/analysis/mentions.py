"""Where plain fields name something that is declared elsewhere: a segment, an offer, a topic, an event ...

Names inside expressions are checked by the expression checker; these are the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from orchestrator.definitions.compiler.flow import StepNode
from orchestrator.definitions.models.actions import (
    CouponStep,
    EnrollStep,
    ScoreStep,
    SetStep,
    StageStep,
    TaskStep,
    TrackStep,
    UnenrollStep,
)
from orchestrator.definitions.models.flow import SurveyStep, WaitStep
from orchestrator.definitions.models.journey import EventExit, JourneyModel
from orchestrator.definitions.models.messages import MessageStep, SendStep
from orchestrator.definitions.models.triggers import (
    AttributeTrigger,
    CatalogTrigger,
    DateTrigger,
    EventTrigger,
    InactiveTrigger,
    OnceTrigger,
    ScheduleTrigger,
    ScoreTrigger,
    SegmentTrigger,
    StageTrigger,
    TriggerBase,
)
from orchestrator.definitions.models.waits import AnyEvent, AnySegment, WaitAny, WaitEvent, WaitSegment
from orchestrator.definitions.source import Path

Kind = Literal["segment", "offer", "topic", "queue", "journey", "event", "stage", "attribute", "score"]


class Mention(NamedTuple):
    """A name at a place. `key`: it is the key there, not the value. `checked`: the compiler tells unknown ones."""

    kind: Kind
    name: str
    path: Path
    key: bool = False
    checked: bool = False


def mentions_in(model: JourneyModel, nodes: Iterable[StepNode]) -> Iterator[Mention]:
    """The mentions in a journey's file and in its steps, in the order of the file's parts."""
    yield from _in_head(model)
    for node in nodes:
        yield from _in_step(node.model, node.path)


def _in_head(model: JourneyModel) -> Iterator[Mention]:
    if model.stage is not None:
        yield Mention("stage", model.stage, ("stage",))
    if model.topic is not None:
        yield Mention("topic", model.topic, ("topic",))
    for number, trigger in enumerate(model.enter):
        yield from _in_trigger(trigger, ("enter", number))
    for number, rule in enumerate(model.exit):
        if isinstance(rule, EventExit):
            yield Mention("event", rule.event, ("exit", number, "event"))
    for number, update in enumerate(model.update):
        yield Mention("event", update.event, ("update", number, "event"))
    if model.goal is not None:
        yield Mention("event", model.goal.event, ("goal", "event"))


def _in_trigger(trigger: TriggerBase, path: Path) -> Iterator[Mention]:
    for number, journey in enumerate(trigger.unless_in):
        yield Mention("journey", journey, (*path, "unless_in", number))
    match trigger:
        case EventTrigger():
            yield Mention("event", trigger.event, (*path, "event"))
        case InactiveTrigger():
            yield Mention("event", trigger.inactive.event, (*path, "inactive", "event"))
        case SegmentTrigger():
            yield Mention("segment", trigger.segment, (*path, "segment"))
        case ScheduleTrigger(segment=str() as segment) | OnceTrigger(segment=str() as segment):
            yield Mention("segment", segment, (*path, "segment"))
        case AttributeTrigger():
            yield Mention("attribute", trigger.attribute, (*path, "attribute"))
        case DateTrigger():
            yield Mention("attribute", trigger.date, (*path, "date"))
        case CatalogTrigger():
            for number, who in enumerate(trigger.who):
                yield Mention("event", who.event, (*path, "who", number, "event"))
        case ScoreTrigger():
            yield Mention("score", trigger.score.name, (*path, "score", "name"))
        case StageTrigger():
            for key, stage in (("to", trigger.stage.to), ("from", trigger.stage.from_)):
                if stage is not None:
                    yield Mention("stage", stage, (*path, "stage", key))


def _in_step(step: Any, path: Path) -> Iterator[Mention]:
    match step:
        case MessageStep():
            yield from _topic(step.message.topic, (*path, step.verb))
        case SendStep():
            yield from _topic(step.send.topic, (*path, "send"))
        case SurveyStep():
            yield from _topic(step.survey.topic, (*path, "survey"))
        case CouponStep():
            yield Mention("offer", step.coupon.offer, (*path, "coupon", "offer"))
        case TaskStep():
            yield Mention("queue", step.task.queue, (*path, "task", "queue"))
            if step.task.owns or step.task.assign in ("owner", "other"):
                key = "owns" if step.task.owns else "assign"
                yield Mention("attribute", "customer.owner", (*path, "task", key))
        case SetStep():
            for attribute in step.set_:
                yield Mention("attribute", attribute, (*path, "set", attribute), key=True)
        case StageStep():
            yield Mention("stage", step.stage, (*path, "stage"))
        case ScoreStep():
            for score in step.score:
                yield Mention("score", score, (*path, "score", score), key=True)
        case TrackStep():
            yield Mention("event", step.track.event, (*path, "track", "event"))
        case EnrollStep():
            yield Mention("journey", step.enroll.journey, (*path, "enroll", "journey"))
        case UnenrollStep():
            yield Mention("journey", step.unenroll.journey, (*path, "unenroll", "journey"))
        case WaitStep():
            yield from _in_wait(step.wait, (*path, "wait"))


def _topic(topic: str | None, path: Path) -> Iterator[Mention]:
    if topic is not None:
        yield Mention("topic", topic, (*path, "topic"))


def _in_wait(wait: Any, path: Path) -> Iterator[Mention]:
    match wait:
        case WaitEvent() | AnyEvent():
            yield Mention("event", wait.event, (*path, "event"))
        case WaitSegment() | AnySegment():
            yield Mention("segment", wait.segment, (*path, "segment"), checked=True)
        case WaitAny():
            for number, item in enumerate(wait.any):
                yield from _in_wait(item, (*path, "any", number))
