"""Everything that journeys share: project.yaml, schema.yaml, segments, offers and catalogs become one live Project."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from orchestrator.core.accumulators import EMPTY_IS_ZERO
from orchestrator.core.addresses import WECHAT_ATTRIBUTE
from orchestrator.core.devices import ATTRIBUTE as DEVICES
from orchestrator.core.expression.types import Types
from orchestrator.core.linking import IdentityRules
from orchestrator.core.program import CHANNELS, Journey
from orchestrator.core.project import (
    Attribute,
    CapRule,
    EventSpec,
    Project,
    QuietRule,
    Said,
    Settings,
    Shape,
    Stage,
    Templates,
    Topic,
)
from orchestrator.core.time.clock_text import parse_days
from orchestrator.core.time.quiet import QuietHours, QuietTimes, QuietWindow
from orchestrator.core.time.zones import zone_or_none
from orchestrator.core.tracking_plan import types_of
from orchestrator.definitions.compiler.catalogs import compile_row_catalogs
from orchestrator.definitions.compiler.compliance import compile_compliance, compile_implied
from orchestrator.definitions.compiler.computed import compile_computed, formula_trees
from orchestrator.definitions.compiler.domain_limits import compile_domain_limits
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.compiler.forms import compile_forms
from orchestrator.definitions.compiler.names import Names
from orchestrator.definitions.compiler.offers import compile_offers
from orchestrator.definitions.compiler.queues import compile_queues
from orchestrator.definitions.compiler.retention import compile_retention
from orchestrator.definitions.compiler.rfm import compile_rfm, rfm_attributes, rfm_types
from orchestrator.definitions.compiler.safety import compile_approval, compile_canary, compile_spend_limit
from orchestrator.definitions.compiler.scores import compile_scores
from orchestrator.definitions.compiler.segments import compile_segments
from orchestrator.definitions.compiler.tracking import compile_tracking
from orchestrator.definitions.compiler.types import catalog_types, customer_types, event_types
from orchestrator.definitions.compiler.webhooks import compile_webhooks
from orchestrator.definitions.models.project import ProjectModel
from orchestrator.definitions.models.project import Topic as TopicModel
from orchestrator.definitions.models.schema import AttributeSpec, PropertySpec, SchemaModel
from orchestrator.definitions.project_files import ProjectFiles
from orchestrator.definitions.source import Document
from orchestrator.errors import Problem
from orchestrator.templating.built_in import CONFIRM as BUILT_IN
from orchestrator.templating.locales import normal_locale

CONTACT: Final = frozenset({"email", "phone", DEVICES, WECHAT_ATTRIBUTE})
"""Names by which a person is reached, whatever the tracking plan says of them."""
PROJECT, SEGMENTS, OFFERS = "journeys/project.yaml", "journeys/segments.yaml", "journeys/offers.yaml"
SCHEMA = "journeys/schema.yaml"

_HUSHED: Final[Mapping[str, frozenset[str]]] = {
    "schema": frozenset({"unknown_attribute", "unknown_property", "unknown_event"}),
    "catalogs": frozenset({"unknown_catalog"}),
}


def project_types(files: ProjectFiles, templates: frozenset[str]) -> Types:
    """The tracking plan and all names of a project. Names whose file could not be read in full are not checked."""

    def names(kind: str, known: frozenset[str]) -> frozenset[str] | None:
        return None if kind in files.unsure else known

    return Types(
        customer={**customer_types(files.schema), **rfm_types(files.project)},
        events=event_types(files.schema),
        segments=names("segments", frozenset(files.segments)),
        journeys=files.journey_names,
        templates=templates,
        offers=names("offers", frozenset(files.offers)),
        topics=names("project", frozenset(files.project.topics)),
        channels=frozenset(CHANNELS),
        scores=names("project", frozenset(files.project.scores)),
        formulas=formula_trees(files.schema),
        steps=frozenset(),
        catalogs={name: catalog_types(found.columns, found.rows.values()) for name, found in files.catalogs.items()},
    )


def hushed_codes(files: ProjectFiles) -> frozenset[str]:
    """Codes of findings that say nothing, because the file that declares the names could not be read."""
    return frozenset().union(*(_HUSHED.get(kind, frozenset()) for kind in files.unsure))


def compile_project(
    files: ProjectFiles, names: Names, journeys: Mapping[str, Journey], templates: Templates
) -> tuple[Project, list[Problem]]:
    """The live project, and what is wrong with its shared files. `names` are those of segments and stage rules."""
    model = files.project
    zone = zone_or_none(model.timezone) or ZoneInfo("UTC")
    shared, segments, offers = (Fields(_document(files, path)) for path in (PROJECT, SEGMENTS, OFFERS))
    schema = Fields(_document(files, SCHEMA))
    quiet = _quiet(model, shared)
    keeping = compile_compliance(model, quiet, shared)
    settings, caps = _settings(model, shared), _caps(model, shared)
    forms, of_forms = compile_forms(files)
    project = Project(
        timezone=zone,
        locale=model.locale,
        country=model.country,
        currency=model.currency,
        brand=model.brand.model_dump(exclude_none=True),
        stages=_stages(model, shared, names),
        topics={name: _topic(name, topic) for name, topic in model.topics.items()},
        quiet=quiet,
        quiet_plan=keeping.plan,
        packs=keeping.packs,
        pack_changes=keeping.changes,
        domain_limits=compile_domain_limits(model, shared),
        implied=compile_implied(model, None if "schema" in files.unsure else frozenset(files.schema.events), shared),
        holdout=model.holdout / 100,
        tracking=compile_tracking(model, shared),
        caps=caps,
        channels=_channels(model),
        queues=compile_queues(model, zone, shared),
        settings=settings,
        identity=_identity(model),
        retention=compile_retention(model, shared, settings, caps),
        scores=compile_scores(model, shared, names),
        accumulators=compile_computed(files.schema, schema, names),
        rfm=compile_rfm(model, files.schema, names.types, settings, shared),
        attributes={**_attributes(files.schema), **rfm_attributes(model)},
        personal=_personal(files.schema) | _addresses(model),
        events=_events(files.schema),
        segments=compile_segments(files.segments, segments, names),
        offers=compile_offers(files.offers, offers, zone, model.currency),
        catalogs=cast("dict[str, dict[str, dict[str, Any]]]", {n: c.rows for n, c in files.catalogs.items()}),
        forms=forms,
        row_catalogs=compile_row_catalogs(model, files, shared),
        webhooks=compile_webhooks(model, shared),
        journeys=dict(journeys),
        templates=templates,
    )
    return project, [*shared.problems, *of_forms, *segments.problems, *offers.problems, *schema.problems]


def _document(files: ProjectFiles, path: str) -> Document:
    return files.documents.get(path) or Document(path, "")


def _topic(name: str, topic: TopicModel) -> Topic:
    confirm = (topic.confirm or BUILT_IN) if topic.opt_in == "double" else None
    said = {
        normal_locale(locale) or locale: Said(words.title or "", words.description or "")
        for locale, words in topic.translations.items()
    }
    return Topic(name, topic.class_, topic.title or "", confirm, topic.description or "", topic.tracking, said)


def _stages(model: ProjectModel, fields: Fields, names: Names) -> tuple[Stage, ...]:
    return tuple(
        Stage(name, fields.optional(stage.where, ("stages", name, "where"), names))
        for name, stage in model.stages.items()
    )


def _quiet(model: ProjectModel, fields: Fields) -> QuietRule | None:
    quiet = model.quiet_hours
    if quiet is None:
        return None
    start = fields.time_of_day(quiet.from_, ("quiet_hours", "from")) or time(0)
    end = fields.time_of_day(quiet.to, ("quiet_hours", "to")) or time(0)
    if start == end:
        message = "quiet hours that end when they start could mean never or always"
        fields.complain(("quiet_hours", "to"), "bad_value", message, "give another time, or leave `quiet_hours` out")
    channels = None if quiet.channels is None else frozenset(quiet.channels)
    days = None if quiet.days is None else parse_days(quiet.days)
    daily = QuietHours(start, end)
    hours = daily if days is None else QuietTimes((QuietWindow(start, end, days),))
    return QuietRule(hours, frozenset(quiet.classes), channels)


def _caps(model: ProjectModel, fields: Fields) -> tuple[CapRule, ...]:
    return tuple(
        CapRule(
            max=cap.max,
            per=fields.fixed(cap.per, ("caps", number, "per")) or timedelta(0),
            klass=cap.class_,
            topic=cap.topic,
            channel=cap.channel,
        )
        for number, cap in enumerate(model.caps)
    )


def _channels(model: ProjectModel) -> dict[str, Mapping[str, Any]]:
    """The configured channels with their options, named as in the file."""
    email = model.channels.email
    plain = {"plus_addresses"} if email is not None and email.plus_addresses == "together" else set()
    kept: Any = {"email": {"domains"} | plain}  # compiled; what is as nobody says
    given: dict[str, Mapping[str, Any]] = model.channels.model_dump(by_alias=True, exclude_none=True, exclude=kept)
    return given


def _settings(project: ProjectModel, fields: Fields) -> Settings:
    model = project.settings

    def fixed(name: str) -> timedelta:
        length = fields.fixed(getattr(model, name), ("settings", name))
        assert length is not None  # every one of them has a default
        return length

    return Settings(
        late_tolerance=fixed("late_tolerance"),
        late_events=fixed("late_events"),
        history=fixed("history"),
        leap_day=model.leap_day,
        smear=fixed("smear"),
        unknown_properties=model.unknown_properties,
        dedupe=fixed("dedupe"),
        spend_limit=compile_spend_limit(project, fields),
        approval=compile_approval(project),
        canary=compile_canary(project),
    )


def _attributes(schema: SchemaModel) -> dict[str, Attribute]:
    return {
        name: Attribute(
            name,
            spec.type,
            _default(spec),
            tuple(spec.enum) if spec.enum is not None else None,
            _computed(spec),
            shape_of(spec) if spec.of is not None else None,
        )
        for name, spec in schema.customer.items()
    }


def _computed(spec: AttributeSpec) -> bool:
    return spec.computed is not None or spec.formula is not None


def _default(spec: AttributeSpec) -> object:
    """Count and sum of nothing are 0."""
    return 0 if spec.computed is not None and spec.computed.kind in EMPTY_IS_ZERO else spec.default


def _personal(schema: SchemaModel) -> frozenset[str]:
    """Where a field deep in a property is personal, the whole property is."""
    declared = [*schema.customer.items(), *(pair for event in schema.events.values() for pair in event.items())]
    return CONTACT | {name for name, spec in declared if _is_personal(spec)}


def _addresses(model: ProjectModel) -> frozenset[str]:
    """Attributes that channels of this project take for addresses."""
    options = (_channels(model).get(channel, {}).get("attribute") for channel in CHANNELS)
    return frozenset(str(name) for name in options if name)


def _is_personal(spec: PropertySpec) -> bool:
    return spec.pii or (isinstance(spec.of, dict) and any(map(_is_personal, spec.of.values())))


def _events(schema: SchemaModel) -> dict[str, EventSpec]:
    return {
        event: EventSpec(
            event,
            frozenset(properties),
            frozenset(name for name, spec in properties.items() if spec.required),
            {name: types_of(spec.type, spec.enum is not None) for name, spec in properties.items()},
            {name: spec.type for name, spec in properties.items()},
            {name: frozenset(spec.enum) for name, spec in properties.items() if spec.enum is not None},
            {name: shape_of(spec) for name, spec in properties.items() if spec.of is not None},
        )
        for event, properties in schema.events.items()
    }


def shape_of(spec: PropertySpec) -> Shape:
    """A declared value with all that is inside of it."""
    each: Shape | None = None
    fields: dict[str, Shape] = {}
    if isinstance(spec.of, str):
        each = Shape(spec.of)
    elif spec.of is not None:
        fields = {name: shape_of(inner) for name, inner in spec.of.items()}
        if spec.type == "list":
            each, fields = Shape("object", fields=fields), {}
    enum = frozenset(spec.enum) if spec.enum is not None else None
    return Shape(spec.type, enum, spec.required, each, fields)


def _identity(model: ProjectModel) -> IdentityRules:
    given = model.identity
    never = frozenset(value.strip().lower() for value in given.never)
    return IdentityRules(frozenset(given.merge), never, given.limits.identifiers, given.limits.merges_per_day)
