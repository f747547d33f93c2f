"""One journey file becomes one program: `compile_journey`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.core.program import (
    CUSTOMER_ZONE,
    ExitRule,
    Goal,
    Journey,
    Step,
    Trigger,
    UntilEvent,
    UpdateRule,
    WaitSomething,
)
from orchestrator.definitions.compiler.carriers import carriers
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.compiler.flow import AGAIN, Place, StepNode, first_of, lay_out, size_of, walk
from orchestrator.definitions.compiler.ids import assign_ids, duplicates
from orchestrator.definitions.compiler.names import Names
from orchestrator.definitions.compiler.plan import Plan
from orchestrator.definitions.compiler.rules import (
    at_the_door,
    compile_exits,
    compile_goal,
    compile_late,
    compile_limits,
    compile_migration,
    compile_throttle,
    compile_updates,
    with_variables,
)
from orchestrator.definitions.compiler.spot import Surroundings
from orchestrator.definitions.compiler.steps import compile_step
from orchestrator.definitions.compiler.tree import tree_of
from orchestrator.definitions.compiler.triggers import compile_trigger
from orchestrator.definitions.compiler.types import entry_record, event_record, result_types
from orchestrator.definitions.models.actions import TaskStep
from orchestrator.definitions.models.flow import RepeatStep, SurveyStep, WaitStep
from orchestrator.definitions.models.journey import EventExit, JourneyModel
from orchestrator.definitions.source import Document, Path
from orchestrator.errors import Problem
from orchestrator.records import dataclass


@dataclass(frozen=True, slots=True)
class JourneySource:
    """A journey with where it comes from, for lint, tests and tools.

    `journey` is None where the file has errors. `nodes` are the steps of the file in its order, those of the exits
    last. `paths` lead to each of its steps in the document, by index (the end
    of a `repeat` has the repeat's); `names` say what expressions may name there.
    """

    id: str
    model: JourneyModel
    document: Document
    journey: Journey | None
    problems: tuple[Problem, ...]
    nodes: tuple[StepNode, ...]
    paths: tuple[Path, ...]
    names: tuple[Names, ...]


@dataclass(frozen=True, slots=True)
class _Region:
    """The journey's steps, or those of one exit: laid out, with the names in force."""

    nodes: tuple[StepNode, ...]
    places: Sequence[Place]
    names: Names


def version_of(data: Mapping[str, Any]) -> str:
    """The version of a journey file: the first 12 hex digits of the SHA-256 of its content.

    Comments, layout, the order of keys and the file's own `tests` make no difference.
    """
    content = {key: value for key, value in data.items() if key != "tests"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:12]


def compile_journey(model: JourneyModel, document: Document, plan: Plan) -> JourneySource:
    """The program of a journey; all problems of its file that show when it is compiled, in no order."""
    fields = Fields(document)
    main = tree_of(model.steps, ("steps",))
    exits = [tree_of(rule.do, ("exit", number, "do")) for number, rule in enumerate(model.exit)]
    ids = assign_ids(walk(main)) | assign_ids((node for nodes in exits for node in walk(nodes)), below_exit=True)
    _complain_of_duplicates(ids, fields)

    inside = _names_inside(model, ids, fields, plan)
    regions = _lay_out_all(model, main, exits, ids, inside)
    steps: list[Step] = []
    for region in regions:
        steps += _compile_region(region, fields, plan)
    for nodes in exits:
        _complain_of_waits(nodes, fields)

    journey = _assemble(model, document, regions, tuple(steps), fields, inside)
    broken = any(problem.severity == "error" for problem in fields.problems)
    return JourneySource(
        id=model.journey,
        model=model,
        document=document,
        journey=None if broken else journey,
        problems=tuple(fields.problems),
        nodes=tuple(ids),
        paths=tuple(place.node.path for region in regions for place in region.places),
        names=tuple(region.names for region in regions for _ in region.places),
    )


def _names_inside(model: JourneyModel, ids: Mapping[StepNode, str], fields: Fields, plan: Plan) -> Names:
    """What expressions may name once someone has entered."""
    types, interned = plan.types, plan.readings.interned
    inside = replace(
        types,
        entry=interned(entry_record(model, types, plan.enrolled_with.get(model.journey, ()))),
        results={name: interned(kind) for name, kind in result_types(ids, types).items()},
        steps=frozenset(ids.values()),
    )
    return with_variables(model, fields, Names(inside, {}, plan.hushed, plan.readings))


def _lay_out_all(
    model: JourneyModel,
    main: tuple[StepNode, ...],
    exits: Sequence[tuple[StepNode, ...]],
    ids: Mapping[StepNode, str],
    inside: Names,
) -> list[_Region]:
    """The journey's steps first, then those of its exits: one row. Steps of an event's exit see that event."""
    regions = [_Region(main, lay_out(main, ids), inside)]
    start = size_of(main)
    for rule, nodes in zip(model.exit, exits, strict=True):
        event = event_record(rule.event, inside.types) if isinstance(rule, EventExit) else None
        names = inside.seeing_event(event) if event is not None else inside
        regions.append(_Region(nodes, lay_out(nodes, ids, start=start, in_exit=True), names))
        start += size_of(nodes)
    return regions


def _compile_region(region: _Region, fields: Fields, plan: Plan) -> list[Step]:
    index_of = {place.node: place.index for place in region.places if place.node.verb != AGAIN}
    around = Surroundings(
        fields=fields,
        names=region.names,
        targets={place.id: place.index for place in region.places if place.node.verb != AGAIN},
        currency=plan.currency,
        carriers={
            index_of[coupon]: index_of[message]
            for coupon, message in carriers(region.nodes, plan.template_names).items()
        },
    )
    return [compile_step(place, around) for place in region.places]


def _assemble(
    model: JourneyModel,
    document: Document,
    regions: Sequence[_Region],
    steps: tuple[Step, ...],
    fields: Fields,
    inside: Names,
) -> Journey:
    zone = fields.zone_rule(model.timezone, ("timezone",), inside) or CUSTOMER_ZONE
    door = at_the_door(inside)
    starts = [first_of(region.nodes, region.places[0].index if region.places else 0) for region in regions]
    goal = compile_goal(model, fields, inside)
    exits = compile_exits(model, starts[1:], fields, inside)
    updates = compile_updates(model, fields, inside)
    triggers: tuple[Trigger, ...] = tuple(
        compile_trigger(trigger, ("enter", number), fields, door, zone) for number, trigger in enumerate(model.enter)
    )
    return Journey(
        id=model.journey,
        version=version_of(document.data),
        triggers=triggers,
        steps=steps,
        first=starts[0],
        title=model.title or "",
        stage=model.stage,
        topic=model.topic,
        timezone=zone,
        exits=exits,
        updates=updates,
        goal=goal,
        holdout=model.holdout / 100,
        priority=model.priority,
        throttle=compile_throttle(model, fields),
        limits=compile_limits(model),
        late=compile_late(model, fields),
        migrate=compile_migration(model, _own_steps(regions[0]), fields),
        events=_events(steps, exits, updates, goal),
        vars=tuple(inside.vars.items()),
        by_id={step.id: step.index for step in steps},
    )


def _own_steps(region: _Region) -> dict[str, int]:
    """The steps that the file names, by their ids."""
    return {place.id: place.index for place in region.places if place.node.verb != AGAIN}


def _events(
    steps: Iterable[Step], exits: Iterable[ExitRule], updates: Iterable[UpdateRule], goal: Goal | None
) -> frozenset[str]:
    """Every event that a running enrollment listens to."""
    found = {rule.event for rule in exits if rule.event is not None}
    found |= {rule.event for rule in updates}
    if goal is not None:
        found.add(goal.event)
    for step in steps:
        if isinstance(step, WaitSomething):
            found |= {item.event for item in step.alternatives if isinstance(item, UntilEvent)}
    return frozenset(found)


def _complain_of_duplicates(ids: dict[StepNode, str], fields: Fields) -> None:
    for node, holder in duplicates(ids):
        named = node if node.explicit_id is not None else holder
        other = holder if named is node else node
        line = fields.document.position(other.path).line
        by_itself = "" if other.explicit_id is not None else " by itself"
        message = f"the id '{ids[node]}' is given twice; the step in line {line} is called so{by_itself}"
        fields.complain((*named.path, "id"), "duplicate_step", message, "choose another id")


def _complain_of_waits(nodes: Sequence[StepNode], fields: Fields) -> None:
    """An exit's steps run once, at one instant."""
    for node in walk(nodes):
        model = node.model
        waits = (
            isinstance(model, WaitStep)
            or (isinstance(model, SurveyStep) and model.survey.up_to is not None)
            or (isinstance(model, TaskStep) and model.task.wait)
            or (isinstance(model, RepeatStep) and model.repeat.every is not None)
        )
        if waits:
            message = f"the steps of an exit run at once and cannot wait, and this `{node.verb}` does"
            hint = "start another journey with `enroll`, and wait there"
            fields.complain((*node.path, node.verb), "wait_in_exit", message, hint, key=True)
