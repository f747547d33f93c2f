"""How a journey is entered: each kind of trigger by one small function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any, Final, NamedTuple

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.program import (
    ALWAYS,
    NEVER,
    OnApi,
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
    Reentry,
    Trigger,
    ZoneRule,
)
from orchestrator.core.reply_words import intent_of, spelled
from orchestrator.definitions.compiler.catalogs import interest
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.compiler.names import Names
from orchestrator.definitions.compiler.types import trigger_entry, trigger_event
from orchestrator.definitions.models.triggers import (
    ApiTrigger,
    AttributeTrigger,
    CatalogTrigger,
    DateTrigger,
    EventTrigger,
    InactiveTrigger,
    InboundTrigger,
    OnceTrigger,
    ReentryAfter,
    ScheduleTrigger,
    ScoreTrigger,
    SegmentTrigger,
    StageTrigger,
    TriggerBase,
    UploadTrigger,
)
from orchestrator.definitions.source import Path

_CUSTOMER: Final = "customer."


class _Door(NamedTuple):
    """A trigger's surroundings. `shared` are the fields that all triggers have, ready for the core's class."""

    fields: Fields
    path: Path
    journey_zone: ZoneRule
    shared: dict[str, Any]
    catalogs: Mapping[str, Mapping[str, Any]]
    events: Mapping[str, Mapping[str, Any]]


def compile_trigger(model: TriggerBase, path: Path, fields: Fields, names: Names, journey_zone: ZoneRule) -> Trigger:
    """One trigger. `names` are those of the journey's door: no results; `journey_zone` is its `timezone`.

    `entry` is at the door what it would be inside, but for an event, which is `event` there.
    """
    names = names.seeing_event(trigger_event(model, names.types))
    if not isinstance(model, EventTrigger) and (model.where is not None or model.key is not None):
        names = names.with_types(replace(names.types, entry=trigger_entry(model, names.types)))
    shared = {
        "id": model.id or model.kind,
        "where": fields.optional(model.where, (*path, "where"), names),
        "key": fields.optional(model.key, (*path, "key"), names),
        "reentry": _reentry(model, path, fields),
        "overlap": model.overlap or "refuse",
        "unless_in": tuple(model.unless_in),
        "include_existing": getattr(model, "existing", "exclude") == "include",
    }
    types = names.types
    return _COMPILERS[type(model)](model, _Door(fields, path, journey_zone, shared, types.catalogs, types.events))


def _reentry(model: TriggerBase, path: Path, fields: Fields) -> Reentry:
    match model.reentry:
        case ReentryAfter(after=after, since=since):
            return Reentry(after=fields.fixed(after, (*path, "reentry", "after")), since=since)
        case "always":
            return ALWAYS
        case "never":
            return NEVER
        case _:
            again = model.overlap in ("restart", "parallel") or isinstance(model, CatalogTrigger)
            return ALWAYS if again else NEVER


def _on_event(model: EventTrigger, door: _Door) -> OnEvent:
    return OnEvent(event=model.event, **door.shared)


def _on_segment(model: SegmentTrigger, door: _Door) -> OnSegment:
    return OnSegment(segment=model.segment, edge=model.edge, **door.shared)


def _on_attribute(model: AttributeTrigger, door: _Door) -> OnAttribute:
    return OnAttribute(
        attribute=model.attribute.removeprefix(_CUSTOMER),
        has_from=model.has_from,
        from_value=model.from_,
        has_to=model.has_to,
        to_value=model.to,
        **door.shared,
    )


def _on_schedule(model: ScheduleTrigger, door: _Door) -> OnSchedule:
    cron = door.fields.cron(model.schedule, (*door.path, "schedule"))
    return OnSchedule(cron=cron, segment=model.segment, zone=_clock(model, door), **door.shared)


def _once_at(model: OnceTrigger, door: _Door) -> OnceAt:
    return OnceAt(
        local=datetime.fromisoformat(model.once),  # a local time: the field's check refuses zones
        segment=model.segment,
        zone=_clock(model, door),
        spread=door.fields.fixed(model.spread, (*door.path, "spread")) or timedelta(0),
        **door.shared,
    )


def _clock(model: ScheduleTrigger | OnceTrigger, door: _Door) -> Any:
    """Whose clock: the trigger's own zone, else the journey's if it is a fixed one, else (None) each customer's."""
    if model.timezone is None:
        return door.journey_zone.zone
    return door.fields.zone(model.timezone, (*door.path, "timezone"))


def _on_date(model: DateTrigger, door: _Door) -> OnDate:
    offset = door.fields.duration(model.offset, (*door.path, "offset"), negative=True)
    if offset is not None and offset.has_elapsed and "at" in model.model_fields_set:
        door.fields.offset_beside_at(offset, (*door.path, "offset"))
    return OnDate(
        attribute=model.date.removeprefix(_CUSTOMER),
        offset=offset,
        at=door.fields.time_of_day(model.at, (*door.path, "at")) or time(0),
        every=model.every,
        calendar=model.calendar,
        if_missed=model.if_missed,
        **door.shared,
    )


def _on_inactive(model: InactiveTrigger, door: _Door) -> OnInactive:
    inactive = model.inactive
    idle_for = door.fields.fixed(inactive.for_, (*door.path, "inactive", "for")) or timedelta(0)
    return OnInactive(event=inactive.event, idle_for=idle_for, or_never=inactive.or_never, **door.shared)


def _on_stage(model: StageTrigger, door: _Door) -> OnStage:
    return OnStage(to=model.stage.to, from_stage=model.stage.from_, **door.shared)


def _on_score(model: ScoreTrigger, door: _Door) -> OnScore:
    score = model.score
    return OnScore(score=score.name, bound=score.crosses, direction=score.direction, **door.shared)


def _on_inbound(model: InboundTrigger, door: _Door) -> OnInbound:
    keywords = set()
    for number, keyword in enumerate(model.inbound.keyword):
        word = spelled(keyword)
        path = (*door.path, "inbound", "keyword", number)
        if not word:
            message = "a keyword without a letter or a digit is in no reply"
            door.fields.complain(path, "bad_value", message, "write a word, such as YES")
        elif intent_of(keyword) == "stop" and model.inbound.channel != "email":
            message = f"'{keyword[:40]}' ends all messages to whoever writes it: this journey could never answer"
            door.fields.complain(path, "bad_value", message, "take another word; STOP and its like need no journey")
        keywords.add(word)
    return OnInbound(channel=model.inbound.channel, keywords=frozenset(keywords), **door.shared)


def _on_catalog(model: CatalogTrigger, door: _Door) -> OnCatalog:
    known = door.catalogs
    columns = known.get(model.catalog)
    if columns is None:
        message = f"there is no catalog '{model.catalog}'"
        hint = did_you_mean(model.catalog, list(known)) or f"add journeys/catalogs/{model.catalog}.csv"
        door.fields.complain((*door.path, "catalog"), "unknown_catalog", message, hint)
    names = tuple(columns) if columns is not None else None
    if names is not None:
        for number, column in enumerate(model.fields):
            if column not in names:
                message = f"'{model.catalog}' has no column '{column}'"
                hint = did_you_mean(column, names) or f"its columns are {', '.join(names[:10])}"
                door.fields.complain((*door.path, "fields", number), "unknown_column", message, hint)
    asked = (interest(who, (*door.path, "who", n), door.fields, names, door.events) for n, who in enumerate(model.who))
    return OnCatalog(
        catalog=model.catalog,
        kinds=tuple(dict.fromkeys(model.on)),
        who=tuple(who for who in asked if who is not None),
        by=model.by / 100,
        fields=tuple(model.fields),
        **door.shared,
    )


def _on_upload(model: UploadTrigger, door: _Door) -> OnUpload:
    return OnUpload(upload=model.upload, **door.shared)


def _on_api(model: ApiTrigger, door: _Door) -> OnApi:
    return OnApi(**door.shared)


_COMPILERS: Final[dict[type[TriggerBase], Callable[[Any, _Door], Trigger]]] = {
    EventTrigger: _on_event,
    SegmentTrigger: _on_segment,
    AttributeTrigger: _on_attribute,
    ScheduleTrigger: _on_schedule,
    OnceTrigger: _once_at,
    DateTrigger: _on_date,
    InactiveTrigger: _on_inactive,
    StageTrigger: _on_stage,
    ScoreTrigger: _on_score,
    InboundTrigger: _on_inbound,
    CatalogTrigger: _on_catalog,
    ApiTrigger: _on_api,
    UploadTrigger: _on_upload,
}
"""One function a kind of trigger."""
