"""Look-ups over the live definitions, made once a deploy: who listens to what."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.core.accumulators import Accumulator
from orchestrator.core.expression.expr import Expr
from orchestrator.core.passage import FreeTime, Passage, passage
from orchestrator.core.program import (
    ChannelTemplate,
    Goal,
    IssueCoupon,
    Journey,
    MessageOptions,
    OnAttribute,
    OnCatalog,
    OnceAt,
    OnDate,
    OnEvent,
    OnInactive,
    OnInbound,
    OnSchedule,
    OnScore,
    OnSegment,
    OnStage,
    OnUpload,
    Send,
    Survey,
    Trigger,
    UntilEvent,
    UntilTrue,
    WaitSomething,
)
from orchestrator.core.project import ImpliedConsent, Project, Segment
from orchestrator.core.scores import ScoreSpec
from orchestrator.core.time.quiet import QuietTimes
from orchestrator.core.time.zone_in_force import ZoneInForce
from orchestrator.records import dataclass


class Way(NamedTuple):
    """A trigger of a live journey with its place in the file."""

    journey: Journey
    number: int
    trigger: Trigger


def way_name(way: Way) -> str:
    """The name of a trigger's timer: it survives a deploy that leaves the trigger where it is."""
    return f"{way.journey.id}:{way.number}"


ENTERED_BY_CHANGE: Final = frozenset({"segment_changed", "stage_changed"})
"""Events by which triggers of other kinds than `event` may let a customer in."""

Door = tuple[Journey, tuple[Trigger, ...]]
"""A journey with those of its triggers that one occasion concerns."""


@dataclass(frozen=True, slots=True)
class Hearers:
    """Whom events of one name concern: what of the seven stages (orchestrator.core.events) has to be looked at.

    `goals`, `exits`, `updates` and `waits`: whether any enrollment could have one for it; `doors`: whom it may let in;
    `changed`: it tells of a change by which triggers of other kinds than `event` may let somebody in.
    """

    segments: tuple[Segment, ...] = ()
    """Those whose membership it may change, in the order of their dependencies."""
    stages: bool = False
    goals: bool = False
    exits: bool = False
    updates: bool = False
    waits: bool = False
    doors: tuple[Door, ...] = ()
    changed: bool = False
    inactive: tuple[Way, ...] = ()
    implied: tuple[ImpliedConsent, ...] = ()
    """What consent it implies."""
    accumulators: tuple[Accumulator, ...] = ()
    """The computed attributes that it adds to."""
    scores: tuple[ScoreSpec, ...] = ()
    """Those for which it earns points."""
    standing: bool = False
    """It may change the standing points of scores."""
    only_remembered: bool = False
    """It joins the history and changes nothing else."""

    @property
    def inside(self) -> bool:
        """Whether those who are in a journey may hear it."""
        return self.goals or self.exits or self.updates or self.waits


class Index:
    """The live project, turned around. Journeys stand by priority (higher first), then by id.

    `doors` are the journeys that each event may enter; `listened` the events that anything at all listens to.
    """

    def __init__(self, project: Project, pinned: Iterable[Journey] = ()) -> None:
        self.project = project
        self.journeys = sorted(project.journeys.values(), key=lambda journey: (-journey.priority, journey.id))
        ways = [Way(journey, n, trigger) for journey in self.journeys for n, trigger in enumerate(journey.triggers)]
        by_event = _grouped((way.trigger.event, way) for way in ways if isinstance(way.trigger, OnEvent))
        self.doors = {event: doors_of(group) for event, group in by_event.items()}
        by_upload = _grouped((w.trigger.upload, w) for w in ways if isinstance(w.trigger, OnUpload))
        self.by_upload = {name: doors_of(group) for name, group in by_upload.items()}
        self.by_segment = _grouped((w.trigger.segment, w) for w in ways if isinstance(w.trigger, OnSegment))
        self.by_attribute = _grouped((w.trigger.attribute, w) for w in ways if isinstance(w.trigger, OnAttribute))
        self.by_stage = tuple(w for w in ways if isinstance(w.trigger, OnStage))
        self.by_inbound = _grouped((w.trigger.event, w) for w in ways if isinstance(w.trigger, OnInbound))
        self.dates = tuple(w for w in ways if isinstance(w.trigger, OnDate))
        self.date_attributes = frozenset(w.trigger.attribute for w in ways if isinstance(w.trigger, OnDate))
        self.inactive = tuple(w for w in ways if isinstance(w.trigger, OnInactive))
        self.by_inactive = _grouped((w.trigger.event, w) for w in ways if isinstance(w.trigger, OnInactive))
        self.schedules = tuple(w for w in ways if isinstance(w.trigger, (OnSchedule, OnceAt)))
        self.by_catalog = _grouped((w.trigger.catalog, w) for w in ways if isinstance(w.trigger, OnCatalog))
        self.interests = _interests(project, self.by_catalog)
        """By event, the paths of its properties by which people are found when a row of a catalog changes."""
        self.score_ways = tuple(w for w in ways if isinstance(w.trigger, OnScore))
        self.by_score = _grouped((w.trigger.score, w) for w in ways if isinstance(w.trigger, OnScore))
        self.accumulators = project.accumulators
        self.kept_out = frozenset(name for name, of in project.attributes.items() if of.computed)
        """Attributes that nobody sets."""
        self.standing = tuple(spec for spec in project.scores.values() if spec.standing)
        self.gathered = gathered_mark(project)
        """Of all that events add up to; empty: nothing."""
        self.segments = {segment.name: segment for segment in project.segments}
        self.defaults = {name: spec.default for name, spec in project.attributes.items() if spec.default is not None}
        self.staged = any(stage.where is not None for stage in project.stages)
        self.stage_events = frozenset().union(*(s.where.needs.events for s in project.stages if s.where))
        everything = [*self.journeys, *pinned]
        self.conditions = any(
            journey.watches or any(_has_condition(step) for step in journey.steps) for journey in everything
        )
        self.listened = frozenset().union(
            self.doors,
            self.by_inactive,
            self.by_inbound,
            *(j.events for j in everything),
            *(_events_of(segment.where) for segment in project.segments),
            self.stage_events,
            *(expr.needs.events for j in everything for expr in exprs_of(j)),
        )
        self.standing_events = frozenset[str]().union(
            *(_events_of(rule.where) for spec in self.standing for rule in spec.standing if rule.where is not None)
        )
        earning = {rule.event for spec in project.scores.values() for rule in spec.rules if rule.event is not None}
        adding = {of.event for of in project.accumulators.values()}
        named = self.listened | ENTERED_BY_CHANGE | {rule.event for rule in project.implied}
        named |= self.standing_events | earning | adding
        self.zones: dict[str, ZoneInForce] = {}
        """The zones in force of customers by the names that they gave, as far as anybody asked."""
        self.free_times: dict[tuple[QuietTimes | None, tuple[ZoneInfo, ...]], FreeTime] = {}
        """When it was found last to be not quiet, by zones, and by the rules of a place where quiet hours depend on it:
        most messages of a while go out in the same hours."""
        self._passages: dict[int, Passage] = {}
        """By the identity of the way, which each of them holds."""
        self._hearers = {event: self._hearers_of(event, everything) for event in named}
        self._others = self._hearers_of("", everything)

    def hearers(self, event: str) -> Hearers:
        """Whom events of this name concern."""
        return self._hearers.get(event, self._others)

    def passage(self, journey: Journey, options: MessageOptions, way: ChannelTemplate) -> Passage:
        """The passage of a step's way for customers without a language of their own; worked out once for each."""
        found = self._passages.get(id(way))
        if found is None or found.options is not options or found.journey is not journey:
            found = self._passages[id(way)] = passage(self.project, journey, options, way, self.project.locale)
        return found

    def _hearers_of(self, event: str, everything: Sequence[Journey]) -> Hearers:
        """The same, worked out. A segment may also have changed because a journey was entered or left, or another
        segment, without an event of their own."""
        accumulators = tuple(of for of in self.accumulators.values() if of.event == event)
        scores = tuple(
            spec for spec in self.project.scores.values() if any(rule.event == event for rule in spec.rules if event)
        )
        standing = event in self.standing_events
        moved = {of.name for of in accumulators} | ({"score"} if scores or standing else set())
        moved |= {"*"} if moved else set()
        if moved and not standing:  # which may rest on what moves
            standing = any(r.where and r.where.needs.customer & moved for s in self.standing for r in s.standing)
        segments = tuple(
            segment
            for segment in self.project.segments
            if segment.where.needs.segments
            or segment.where.needs.journeys
            or (event and event in _events_of(segment.where))
            or segment.where.needs.customer & moved
        )
        stages = self.staged and (
            event in self.stage_events
            or any(stage.where is not None and stage.where.needs.customer & moved for stage in self.project.stages)
        )
        implied = tuple(rule for rule in self.project.implied if rule.event == event)
        listening = self.conditions or event in self.listened or event in ENTERED_BY_CHANGE
        return Hearers(
            segments=segments,
            stages=stages,
            goals=any(j.goal is not None and j.goal.event == event for j in everything),
            exits=any(j.watches or any(rule.event == event for rule in j.exits) for j in everything),
            updates=any(rule.event == event for j in everything for rule in j.updates),
            waits=self.conditions or any(_waits_for(step, event) for j in everything for step in j.steps),
            doors=self.doors.get(event, ()),
            changed=event in ENTERED_BY_CHANGE or event in self.by_inbound,
            inactive=self.by_inactive.get(event, ()),
            implied=implied,
            accumulators=accumulators,
            scores=scores,
            standing=standing,
            only_remembered=not (listening or segments or implied or stages or accumulators or scores or standing),
        )

    @property
    def asks_ledger(self) -> bool:
        """Whether any decision may look at messages sent before: caps, `received`, `opened`, surveys, receipts."""
        exprs = [e for j in self.journeys for e in exprs_of(j)] + [s.where for s in self.project.segments]
        exprs += [stage.where for stage in self.project.stages if stage.where is not None]
        return (
            bool(self.project.caps)
            or any(e.needs.received or e.needs.steps for e in exprs)
            or any(isinstance(step, (Survey, IssueCoupon)) for j in self.journeys for step in j.steps)
        )

    def messages_asked_for(self) -> timedelta | None:
        """How long a message that is done with may still be asked for, by a cap; None: for ever, by an expression."""
        conditions = [s.where for s in self.project.segments]
        conditions += [stage.where for stage in self.project.stages if stage.where is not None]
        conditions += [expr for journey in self.journeys for expr in exprs_of(journey)]
        if any(expr.needs.received or expr.needs.steps for expr in conditions):
            return None
        if not self.project.caps:
            return timedelta(0)
        return max(rule.per for rule in self.project.caps) + self.project.settings.late_tolerance


def gathered_mark(project: Project) -> str:
    """Of the definitions of all that events add up to. Of scores the names alone: points that were earned are earned,
    whatever the rules say later."""
    parts = [f"{of.name}:{of.mark}" for of in project.accumulators.values()] + [f"+{name}" for name in project.scores]
    return hashlib.blake2b(" ".join(sorted(parts)).encode(), digest_size=4).hexdigest() if parts else ""


def _events_of(where: Expr) -> frozenset[str]:
    """The events that can change a condition, the built-in ones that stand behind `received`, `opened` ... included."""
    needs = where.needs
    events = set(needs.events)
    if needs.received:
        events.add("message_sent")
    if needs.steps:
        events |= {"email_opened", "email_clicked", "sms_clicked"}
    if needs.offers:
        events |= {"coupon_redeemed", "coupon_rolled_back"}
    if needs.customer & {"stage", "*"}:
        events.add("stage_changed")
    if needs.channels:
        events |= {"consent_changed", "message_failed", "sms_received"}
    return frozenset(events)


def _has_condition(step: object) -> bool:
    return isinstance(step, WaitSomething) and any(isinstance(a, UntilTrue) for a in step.alternatives)


def _waits_for(step: object, event: str) -> bool:
    return isinstance(step, WaitSomething) and any(
        isinstance(a, UntilEvent) and a.event == event for a in step.alternatives
    )


def doors_of(ways: Iterable[Way]) -> tuple[Door, ...]:
    """The triggers of each journey together, journeys in their order."""
    grouped: dict[str, tuple[Journey, list[Trigger]]] = {}
    for way in ways:
        grouped.setdefault(way.journey.id, (way.journey, []))[1].append(way.trigger)
    return tuple((journey, tuple(triggers)) for journey, triggers in grouped.values())


def _interests(project: Project, by_catalog: Mapping[str, Sequence[Way]]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    asked = [interest for ways in by_catalog.values() for way in ways for interest in getattr(way.trigger, "who", ())]
    asked += [i for rule in project.row_catalogs.values() for i in (rule.viewed, rule.bought) if i is not None]
    for interest in asked:
        if interest.property.split(".")[0] not in project.personal:  # which may be sealed, and names no item
            found.setdefault(interest.event, set()).add(interest.property)
    return {event: tuple(sorted(paths)) for event, paths in found.items()}


def _grouped(pairs: Iterable[tuple[str, Way]]) -> dict[str, tuple[Way, ...]]:
    groups: dict[str, list[Way]] = {}
    for name, way in pairs:
        groups.setdefault(name, []).append(way)
    return {name: tuple(group) for name, group in groups.items()}


def exprs_of(journey: Journey) -> Iterator[Expr]:
    """Every condition of a journey that reads facts (not the texts of its messages)."""
    for trigger in journey.triggers:
        yield from (expr for expr in (trigger.where, trigger.key) if expr is not None)
    for rule in journey.exits:
        yield from (expr for expr in (rule.where, rule.when) if expr is not None)
    yield from (rule.where for rule in journey.updates if rule.where is not None)
    if isinstance(journey.goal, Goal):
        yield from (e for e in (journey.goal.where, journey.goal.value, journey.goal.currency) if e is not None)
    for step in journey.steps:
        if step.skip_if is not None:
            yield step.skip_if
        for name in ("expr", "until", "condition", "offset_expr"):
            value = getattr(step, name, None)
            if isinstance(value, Expr):
                yield value
        for branch in getattr(step, "branches", ()):
            yield branch.when
        for alternative in getattr(step, "alternatives", ()):
            value = getattr(alternative, "when", None) or getattr(alternative, "where", None)
            if value is not None:
                yield value


def carries_coupon(journey: Journey) -> dict[int, IssueCoupon]:
    """Message steps by index, with the coupon step whose code they carry."""
    return {
        step.carrier: step
        for step in journey.steps
        if isinstance(step, IssueCoupon)
        and step.carrier is not None
        and isinstance(journey.steps[step.carrier], (Send, Survey))
    }
