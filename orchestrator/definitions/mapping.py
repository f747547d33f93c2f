"""Reads mapping files (docs/interfaces.md) and compiles their expressions, once, for all rows of a table.

Expressions see `row` and the variables above them, and nothing else: no customer, no history, and no clock, so that
the same table gives the same events today and tomorrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.core.time.zones import zone_or_none
from orchestrator.definitions.mapping_expressions import ExpressionReader, Field, constant
from orchestrator.definitions.mapping_models import MappedEventModel, MappingModel, ProfileModel
from orchestrator.definitions.scenario_findings import Findings, Where
from orchestrator.definitions.scenario_models import plain_consents
from orchestrator.definitions.scenario_verbatim import with_source_text
from orchestrator.definitions.source import Document
from orchestrator.definitions.validation import validate
from orchestrator.errors import Problem
from orchestrator.records import dataclass

PROFILE_FIELDS = ("email", "phone", "timezone", "locale", "country", "currency", "stage")
"""What of a profile is one text each."""


@dataclass(frozen=True, slots=True)
class EventPlan:
    """How a row gives one event. `place` is its place in the file, from 0; `names` belong to `values`."""

    name: str
    place: int
    at: Field
    when: Field | None
    id: Field | None
    names: tuple[str, ...]
    values: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class ProfilePlan:
    """How a row gives the profile that its customer is created with. `texts` are the PROFILE_FIELDS that are given."""

    texts: tuple[tuple[str, Field], ...]
    created_at: Field | None
    attributes: tuple[tuple[str, Field], ...]
    tags: Field | None
    consents: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class TableMapping:
    """A compiled mapping. `columns` are those it reads, each with the problem to tell where a table lacks it."""

    zone: ZoneInfo
    customer: Field
    events: tuple[EventPlan, ...]
    profile: ProfilePlan | None
    columns: Mapping[str, Problem]
    path: str

    @property
    def gives_ids(self) -> bool:
        """Whether an event has an id of the table's own, so that two rows may give events of one id."""
        return any(event.id is not None for event in self.events)


def load_mapping(
    document: Document, default_zone: ZoneInfo, *, needs_events: bool = True
) -> tuple[TableMapping | None, tuple[Problem, ...]]:
    """The mapping in `document`, and every problem; None where a problem is an error.

    `default_zone` is the project's zone, for a mapping without `timezone`. `needs_events` False: for a table of
    customers, which need have none.
    """
    document = with_source_text(document, [("events", "*", "event")])
    findings = Findings(document)
    model, problems = validate(document, MappingModel)
    findings.problems.extend(problems)
    if model is None:
        return None, findings.ordered
    reader = ExpressionReader(findings)
    for name, source in model.vars.items():
        reader.declare(name, source, ("vars", name))
    mapping = TableMapping(
        zone=(zone_or_none(model.timezone) if model.timezone else None) or default_zone,
        customer=reader.field(model.customer, ("customer",)),
        profile=_profile(reader, model.profile) if model.profile is not None else None,
        events=tuple(_event(reader, event, place) for place, event in enumerate(model.events)),
        columns=reader.columns,
        path=document.path,
    )
    if needs_events and not mapping.events:
        findings.error(("events",), "bad_value", "`events` is empty", "add what a row gives: - event: booking_created")
    return (None if findings.failed else mapping), findings.ordered


def _event(reader: ExpressionReader, model: MappedEventModel, place: int) -> EventPlan:
    where: Where = ("events", place)
    return EventPlan(
        name=model.event,
        place=place,
        at=reader.field(model.at, (*where, "at")),
        when=reader.field(model.when, (*where, "when")) if model.when is not None else None,
        id=reader.field(model.id, (*where, "id")) if model.id is not None else None,
        names=tuple(model.properties),
        values=tuple(reader.nested(value, (*where, "properties", name)) for name, value in model.properties.items()),
    )


def _profile(reader: ExpressionReader, model: ProfileModel) -> ProfilePlan:
    where: Where = ("profile",)
    texts: list[tuple[str, Field]] = []
    for name in PROFILE_FIELDS:
        source: str | None = getattr(model, name)
        if source is None:
            continue
        if name == "timezone" and zone_or_none(source) is not None:
            texts.append((name, constant(source)))
        else:
            texts.append((name, reader.field(source, (*where, name))))
    tags: Any = model.tags
    return ProfilePlan(
        texts=tuple(texts),
        created_at=reader.field(model.created_at, (*where, "created_at")) if model.created_at else None,
        attributes=tuple(
            (name, reader.nested(value, (*where, "attributes", name))) for name, value in model.attributes.items()
        ),
        tags=reader.nested(tags, (*where, "tags")) if tags else None,
        consents=plain_consents(model.consents),
    )
