"""The tracking plan as types: what `customer`, `event`, `entry` and results hold at each place of a journey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.core.expression.reserved import properties_of
from orchestrator.core.expression.types import (
    BOOLEAN,
    DATE,
    DATETIME,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    UNKNOWN,
    Enum,
    ListOf,
    Record,
    Type,
    Types,
    either,
)
from orchestrator.definitions.compiler.flow import StepNode
from orchestrator.definitions.models.actions import CouponStep, EnrollStep, FetchStep, TaskStep, WebhookStep
from orchestrator.definitions.models.flow import SurveyStep, WaitStep
from orchestrator.definitions.models.journey import JourneyModel
from orchestrator.definitions.models.schema import PropertySpec, SchemaModel
from orchestrator.definitions.models.triggers import (
    ApiTrigger,
    AttributeTrigger,
    CatalogTrigger,
    DateTrigger,
    EventTrigger,
    InactiveTrigger,
    InboundTrigger,
    OnceTrigger,
    ScheduleTrigger,
    ScoreTrigger,
    SegmentTrigger,
    StageTrigger,
    TriggerBase,
    UploadTrigger,
)
from orchestrator.definitions.models.waits import AnyEvent, Happening, WaitAny, WaitEvent

_WORDS: Mapping[str, Type] = {
    "string": STRING,
    "integer": INTEGER,
    "number": NUMBER,
    "boolean": BOOLEAN,
    "date": DATE,
    "datetime": DATETIME,
    "object": OBJECT,
    "list": ListOf(UNKNOWN),
}
_MOVED = Record({"from": STRING, "to": STRING})
_SCORED = Record({"from": NUMBER, "to": NUMBER})
_COUPON = Record({"code": STRING, "expires_at": DATETIME, "url": STRING})
_TASK = Record({"status": STRING, "outcome": STRING, "assignee": STRING, "closed_at": DATETIME})
_ANSWER = Record(
    {
        "survey": STRING,
        "step": STRING,
        "score": NUMBER,
        "choice": STRING,
        "text": STRING,
        "name": STRING,
        "at": DATETIME,
    }
)


# --- the tracking plan ----------------------------------------------------------------------------------------------


def property_type(spec: PropertySpec) -> Type:
    """The type of a declared property. A list or object without `of` is unknown inside."""
    if spec.enum is not None:
        return Enum(tuple(spec.enum))
    if spec.of is None:
        return _WORDS[spec.type]
    inside = _inside(spec.of)
    return ListOf(inside) if spec.type == "list" else inside


def _inside(of: str | Mapping[str, PropertySpec]) -> Type:
    if isinstance(of, str):
        return _WORDS[of]
    return Record({name: property_type(spec) for name, spec in of.items()})


def customer_types(schema: SchemaModel) -> dict[str, Type]:
    """The declared attributes."""
    return {name: property_type(spec) for name, spec in schema.customer.items()}


def event_types(schema: SchemaModel) -> dict[str, dict[str, Type]]:
    """The declared events with their properties."""
    return {
        event: {name: property_type(spec) for name, spec in properties.items()}
        for event, properties in schema.events.items()
    }


def catalog_types(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> dict[str, Type]:
    """The columns of a catalog, typed by what stands in them; an empty cell says nothing."""
    found: dict[str, set[type]] = {name: set() for name in columns}
    for row in rows:
        for name, value in row.items():
            if value is not None:
                found.setdefault(name, set()).add(type(value))
    return {name: either(_PYTHON.get(kind, UNKNOWN) for kind in kinds) for name, kinds in found.items()}


_PYTHON: Mapping[type, Type] = {
    bool: BOOLEAN,
    int: INTEGER,
    float: NUMBER,
    str: STRING,
    list: ListOf(UNKNOWN),
    dict: OBJECT,
}


# --- events and entries ---------------------------------------------------------------------------------------------


def event_record(event: str, types: Types) -> Record:
    """The properties of an event; of one that is neither declared nor built in nothing is known."""
    properties = properties_of(event, types)
    return OBJECT if properties is None else Record(properties)


def union(records: Iterable[Record]) -> Record:
    """What may be found in one of several objects: the properties of all of them."""
    columns: dict[str, list[Type]] = {}
    is_open = False
    for record in records:
        is_open = is_open or record.open or record.fields is None
        for name, kind in (record.fields or {}).items():
            columns.setdefault(name, []).append(kind)
    fields = {name: either(kinds) for name, kinds in columns.items()}
    return Record(fields, open=is_open) if fields else Record(None if is_open else {}, open=is_open)


def trigger_event(trigger: TriggerBase, types: Types) -> Record | None:
    """What `event` is in a trigger's `where` and `key`; None where no event is looked at."""
    match trigger:
        case EventTrigger():
            return event_record(trigger.event, types)
        case SegmentTrigger():
            return event_record("segment_changed", types)
        case StageTrigger():
            return event_record("stage_changed", types)
        case InboundTrigger():
            return event_record(trigger.event, types)
        case ApiTrigger():
            return OBJECT
        case _:
            return None


def entry_record(journey: JourneyModel, types: Types, enrolled_with: Iterable[str] = ()) -> Record:
    """What `entry` holds: the values of every trigger, those that `update` merges in, those that an `enroll` gives."""
    records = [trigger_entry(trigger, types) for trigger in journey.enter]
    records += [event_record(update.event, types) for update in journey.update]
    given = Record(dict.fromkeys(enrolled_with, UNKNOWN))
    return union([*records, given] if given.fields else records)


def trigger_entry(trigger: TriggerBase, types: Types) -> Record:
    """What `entry` holds of one trigger's values."""
    match trigger:
        case EventTrigger() | InboundTrigger():
            return event_record(trigger.event, types)
        case SegmentTrigger() | StageTrigger():
            return _MOVED
        case ScoreTrigger():
            return _SCORED
        case AttributeTrigger():
            kind = types.customer.get(trigger.attribute.removeprefix("customer."), UNKNOWN)
            return Record({"from": kind, "to": kind})
        case ScheduleTrigger() | OnceTrigger():
            return Record({"occurrence": STRING})
        case DateTrigger():
            return Record({"date": DATE})
        case InactiveTrigger():
            return Record({"last_at": DATETIME})
        case CatalogTrigger():
            columns = types.catalogs.get(trigger.catalog)
            row = OBJECT if columns is None else Record(columns)
            said: dict[str, Type] = {"catalog": STRING, "key": STRING, "change": STRING, "before": row, "after": row}
            return Record(said)
        case ApiTrigger() | UploadTrigger():
            return OBJECT
        case _:
            return OBJECT


def enrolled_with(steps: Iterable[StepNode]) -> dict[str, set[str]]:
    """By journey, the names of the values that `enroll` steps among these give to it."""
    found: dict[str, set[str]] = {}
    for node in steps:
        if isinstance(node.model, EnrollStep):
            found.setdefault(node.model.enroll.journey, set()).update(node.model.enroll.with_)
    return found


# --- results --------------------------------------------------------------------------------------------------------


def result_types(ids: Mapping[StepNode, str], types: Types) -> dict[str, Type]:
    """What the steps named by `as:` leave behind, by name; of a name that several steps share, what fits all."""
    found: dict[str, list[Type]] = {}
    for node, step_id in ids.items():
        for name, kind in _results(node.model, step_id, types):
            found.setdefault(name, []).append(kind)
    return {name: _merged(kinds) for name, kinds in found.items()}


def _results(step: Any, step_id: str, types: Types) -> Sequence[tuple[str, Type]]:
    match step:
        case WaitStep(wait=Happening(as_=str() as name) as wait):
            return [(name, _happening(wait, types))]
        case FetchStep():
            name = step.fetch.as_ or step_id
            return [(name, UNKNOWN), (f"{name}_status", INTEGER)]
        case WebhookStep(webhook=webhook) if webhook.as_ is not None:
            return [(webhook.as_, UNKNOWN), (f"{webhook.as_}_status", INTEGER)]
        case CouponStep():
            return [(step.coupon.as_, _COUPON)]
        case TaskStep(task=task) if task.as_ is not None:
            return [(task.as_, _TASK)]
        case SurveyStep(survey=survey) if survey.as_ is not None:
            return [(survey.as_, _ANSWER)]
        case _:
            return []


def _happening(wait: Happening, types: Types) -> Type:
    """`{name, at, ...properties}`."""
    match wait:
        case WaitEvent():
            events = [wait.event]
        case WaitAny():
            events = [item.event for item in wait.any if isinstance(item, AnyEvent)]
        case _:
            events = []
    merged = union(event_record(event, types) for event in events)
    if merged.fields is None and merged.open:
        return OBJECT
    return Record({**(merged.fields or {}), "name": STRING, "at": DATETIME}, open=merged.open)


def _merged(kinds: Sequence[Type]) -> Type:
    records = [kind for kind in kinds if isinstance(kind, Record)]
    return union(records) if len(records) == len(kinds) else either(kinds)
