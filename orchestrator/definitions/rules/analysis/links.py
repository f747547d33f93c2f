"""Which journey lets which other begin at the very instant at which it begins itself: by an event, an `enroll`, or a
change of the profile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, Literal, NamedTuple

from orchestrator.core.expression.needs import needs
from orchestrator.core.expression.nodes import And, Attribute, Compare, Filter, Name, Node
from orchestrator.core.expression.nodes import Literal as Constant
from orchestrator.core.interpolation import Template
from orchestrator.core.program import (
    AddScore,
    Enroll,
    Journey,
    OnApi,
    OnAttribute,
    OnEvent,
    OnInbound,
    OnScore,
    OnSegment,
    OnStage,
    Send,
    SetAttributes,
    SetStage,
    Step,
    Survey,
    Tag,
    Track,
    Trigger,
)
from orchestrator.definitions.rules.analysis.passing import lets_time_pass
from orchestrator.definitions.rules.analysis.subject import JourneySubject, Subject

_IDEMPOTENT: Final = frozenset({"trim", "lower", "upper", "default", "round", "int", "float", "string", "abs"})
NEW_VALUE: Final = "the new value"
_ANY: Final = object()
"""A value that is computed and may be another one each time."""
_SAME: Final = object()
"""A value that is computed and stays as it is."""


class Impulse(NamedTuple):
    """What a step does that a journey may begin with. Of a tracked event `value` are its properties."""

    kind: Literal["event", "enroll", "attribute", "tag", "stage", "score"]
    name: str
    value: Any
    step: Step


class Link(NamedTuple):
    """An impulse of one journey opens the door of another.

    `readmits`: the door opens again at once for the same customer. `doubt` names what may keep it shut all the same.
    """

    source: str
    target: str
    impulse: Impulse
    readmits: bool
    doubt: str | None = None
    over_segment: bool = False
    """The door is a segment, which the impulse may or may not lead into."""

    @property
    def ends(self) -> tuple[str, str]:
        return self.source, self.target

    @property
    def step(self) -> Step:
        """The step that gives the impulse."""
        return self.impulse.step

    @property
    def calls_itself(self) -> bool:
        """A journey's own step opens its own door, and no `where` may keep it shut: at best a step without effect."""
        return (
            self.source == self.target
            and self.doubt in (None, NEW_VALUE)
            and self.impulse.kind not in ("tag", "score")
            and self.impulse.value is not _SAME
            and not self.over_segment
        )

    @property
    def by_name(self) -> bool:
        """By an event or an `enroll`, which happen however often they are done."""
        return self.impulse.kind in ("event", "enroll")

    def words(self, target: str) -> str:
        """What the step does to its target, for a sentence."""
        match self.impulse:
            case Impulse(kind="enroll"):
                return f"`enroll` starts {target}"
            case Impulse(kind="event", name=name, step=Track()):
                deed = f"`track` makes the event '{name}'"
            case Impulse(kind="event", name=name):
                deed = f"this message makes the event '{name}'"
            case Impulse(kind="attribute", name=name):
                deed = f"`set` changes customer.{name}"
            case Impulse(kind="tag", name=name, step=step):
                deed = f"`{step.verb}` changes the tag '{name}'"
            case Impulse(kind="score", name=name):
                deed = f"`score` changes the score '{name}'"
            case _:
                deed = "`stage` moves the customer"
        return f"{deed}, which lets {target} begin"


def links_of(subject: Subject) -> list[Link]:
    """All links of a project."""
    doors: dict[str | None, list[tuple[Journey, Trigger]]] = {}
    for journey in subject.journeys:
        for trigger in journey.journey.triggers:
            event = trigger.event if isinstance(trigger, (OnEvent, OnInbound)) else None
            doors.setdefault(event, []).append((journey.journey, trigger))
    reads = {segment.name: segment.where.needs.customer for segment in subject.project.segments}
    found = []
    for journey in subject.journeys:
        for impulse in impulses(journey):
            if impulse.kind == "enroll":
                enrolled = subject.project.journeys.get(impulse.name)
                if enrolled is not None:
                    found.append(_enrolled(journey.id, enrolled, impulse))
                continue
            for target, trigger in doors.get(impulse.name if impulse.kind == "event" else None, ()):
                if _opens(impulse, trigger, reads):
                    doubt, over_segment = _doubt(impulse, trigger), isinstance(trigger, OnSegment)
                    found.append(Link(journey.id, target.id, impulse, _readmits(trigger), doubt, over_segment))
    return found


def impulses(journey: JourneySubject) -> Iterator[Impulse]:
    """The impulses that a journey gives before any time goes by, those of exits that are met at once included."""
    program = journey.journey
    starts = [program.first, *(rule.do for rule in program.exits if rule.when is not None)]
    reached = journey.graph.reach(starts, lambda edge: not lets_time_pass(program, edge))
    for index in sorted(reached):
        step = journey.steps[index]
        match step:
            case Track():
                yield Impulse("event", step.event, dict(step.properties), step)
            case Send() | Survey():
                yield Impulse("event", "message_sent", None, step)
            case Enroll():
                yield Impulse("enroll", step.journey, None, step)
            case SetAttributes():
                for name, template in step.values:
                    yield Impulse("attribute", name, _value(template, name), step)
            case Tag():
                for tag in (step.tag, *step.more):
                    yield Impulse("tag", tag, step.add, step)
            case AddScore():
                for score, points in step.points:
                    yield Impulse("score", score, points, step)
            case SetStage():
                yield Impulse("stage", "stage", step.stage, step)


def repeatable(links: Sequence[Link]) -> list[Link]:
    """The links that can be taken again and again: a change of the profile only where something changes it back."""
    values: dict[tuple[str, str], list[Any]] = {}
    for link in links:
        known = values.setdefault((link.impulse.kind, link.impulse.name), [])
        if not link.by_name and link.impulse.value not in known:
            known.append(link.impulse.value)

    def changes_back(link: Link) -> bool:
        seen = values[link.impulse.kind, link.impulse.name]
        return len(seen) > 1 or any(value is _ANY for value in seen)

    return [link for link in links if link.by_name or changes_back(link)]


def _enrolled(source: str, target: Journey, impulse: Impulse) -> Link:
    """`enroll` comes in by the `api` trigger, else by the rules of the first one."""
    api = next((trigger for trigger in target.triggers if isinstance(trigger, OnApi)), None)
    door = api or target.triggers[0]
    return Link(source, target.id, impulse, _readmits(door), _doubt(impulse, api))


def _doubt(impulse: Impulse, trigger: Trigger | None) -> str | None:
    if trigger is not None and trigger.where is not None:
        return "a `where`"
    return NEW_VALUE if impulse.value is _ANY else None


def _readmits(trigger: Trigger) -> bool:
    return trigger.reentry.always or trigger.reentry.after == timedelta(0)


def _opens(impulse: Impulse, trigger: Trigger, reads: dict[str, frozenset[str]]) -> bool:
    match trigger:
        case OnEvent(event=event):
            return impulse.kind == "event" and impulse.name == event and not _shut(trigger, impulse.value)
        case OnInbound(event=event):
            return impulse.kind == "event" and impulse.name == event
        case OnAttribute():
            return _is_change_of(impulse, trigger.attribute) and (
                not trigger.has_to or impulse.value in (_ANY, _SAME, trigger.to_value)
            )
        case OnStage(to=stage):
            return impulse.kind == "stage" and stage in (None, impulse.value)
        case OnScore(score=score, direction=direction):
            return impulse.kind == "score" and impulse.name == score and (impulse.value > 0) == (direction == "up")
        case OnSegment(segment=segment):
            return impulse.kind != "event" and any(
                _is_change_of(impulse, name) for name in reads.get(segment, frozenset())
            )
        case _:
            return False


def _is_change_of(impulse: Impulse, attribute: str) -> bool:
    match impulse.kind:
        case "attribute":
            return impulse.name == attribute
        case "tag":
            return attribute == "tags"
        case "stage":
            return attribute == "stage"
        case "score":
            return attribute == "score"
        case _:
            return False


def _value(template: Template, attribute: str) -> Any:
    exprs = template.exprs
    if not exprs:
        return template.literal
    moves = any(_moves(expr.node, attribute) or expr.needs.timed for expr in exprs)
    return _ANY if moves else _SAME


def _moves(node: Node, attribute: str) -> bool:
    """Whether the attribute is computed from itself, other than by a filter that changes nothing the second time."""
    while isinstance(node, Filter) and node.name in _IDEMPOTENT:
        node = node.target
    return node != Attribute(Name("customer"), attribute) and attribute in needs(node).customer


def _shut(trigger: OnEvent, properties: dict[str, Template] | None) -> bool:
    """Whether `where` compares a property with another constant than the one the event is tracked with."""
    if trigger.where is None or properties is None:
        return False
    node = trigger.where.node
    parts = node.operands if isinstance(node, And) else (node,)
    return any(_fails(part, properties) for part in parts)


def _fails(part: Node, properties: dict[str, Template]) -> bool:
    match part:
        case Compare(
            first=Attribute(target=Name(name="event"), name=name),
            rest=(("==" | "!=" as operator, Constant(value=value)),),
        ):
            given = properties.get(name)
            if given is None:
                return (operator == "==") == (value is not None)
            return not given.exprs and (given.literal == value) != (operator == "==")
        case _:
            return False
