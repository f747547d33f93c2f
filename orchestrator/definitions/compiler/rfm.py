"""`rfm:` of project.yaml."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from orchestrator.core.expression.reserved import properties_of
from orchestrator.core.expression.types import INTEGER, Enum, Record, Type, Types
from orchestrator.core.project import Attribute, Settings
from orchestrator.core.rfm import ATTRIBUTE, SEGMENTS, RfmSpec
from orchestrator.definitions.compiler.computed import check_property
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.compiler.types import event_record
from orchestrator.definitions.models.project import ProjectModel
from orchestrator.definitions.models.schema import SchemaModel

TYPE: Final = Record({"recency": INTEGER, "frequency": INTEGER, "monetary": INTEGER, "segment": Enum(tuple(SEGMENTS))})


def rfm_types(model: ProjectModel) -> dict[str, Type]:
    """The attribute that a project with `rfm` has beside the declared ones."""
    return {} if model.rfm is None else {ATTRIBUTE: TYPE}


def rfm_attributes(model: ProjectModel) -> dict[str, Attribute]:
    """The same, as the engine knows it."""
    return {} if model.rfm is None else {ATTRIBUTE: Attribute(ATTRIBUTE, "object", computed=True)}


def compile_rfm(
    model: ProjectModel, schema: SchemaModel, types: Types, settings: Settings, fields: Fields
) -> RfmSpec | None:
    """What is classed, and when; finds what is unknown or cannot be."""
    given = model.rfm
    if given is None:
        return None
    if ATTRIBUTE in schema.customer:
        message = f"`rfm` sets the attribute '{ATTRIBUTE}', and schema.yaml declares another one"
        fields.complain(("rfm",), "bad_value", message, "give that one another name", key=True)
    if schema.events and properties_of(given.event, types) is None:
        message = f"no event '{given.event}' is declared"
        hint = "declare it under `events` in schema.yaml"
        fields.complain(("rfm", "event"), "unknown_event", message, hint, severity="warning")
    path = tuple(given.value.split("."))
    check_property(path, event_record(given.event, types), ("rfm", "value"), fields)
    within = fields.fixed(given.within, ("rfm", "within")) or settings.history
    if within > settings.history or within <= timedelta(0):
        message = f"events are kept for {settings.history.days} days (`settings: history`)"
        fields.complain(("rfm", "within"), "bad_value", message, "look back less, or keep them longer")
    return RfmSpec(given.event, path, given.classes, fields.cron(given.every, ("rfm", "every")), within)
