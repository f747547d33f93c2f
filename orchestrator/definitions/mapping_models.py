"""The shape of mapping files, for checking and for the published JSON Schema; `mapping.py` reads the expressions."""
# ruff: noqa: RUF012  (a model copies its defaults)

from __future__ import annotations

from typing import Annotated, Any, get_args

from orchestrator.definitions.faults import fault, wrong_type
from orchestrator.definitions.field_kinds import Expression, Kind, ResultName, Zone, ZoneOrExpression
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.scenario_kinds import Ident
from orchestrator.definitions.scenario_models import Consents

DEEPEST = 8

_expression: Kind = get_args(Expression)[1]


def _nested(value: object, depth: int = 0) -> object:
    """An expression, or lists and mappings of expressions. What is no text stands for itself."""
    if depth > DEEPEST:
        raise fault("bad_value", f"{{it}} is nested more than {DEEPEST} levels deep")
    if isinstance(value, dict):
        return {key: _nested(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_nested(item, depth + 1) for item in value]
    if value is None and depth:
        return "none"
    if value is None:
        raise wrong_type(value, "an expression", "write none, where nothing is meant")
    return _expression.check(value)


Nested = Annotated[
    Any, Kind("expression", _nested, {"description": "An expression over row and vars, or a list or mapping of them."})
]


class ProfileModel(FileModel):
    """What a customer is created with, in silence, before its first event."""

    email: Expression | None = None
    """The email address."""
    phone: Expression | None = None
    """The phone number."""
    timezone: ZoneOrExpression | None = None
    """The time zone: its name, or an expression that gives one."""
    locale: Expression | None = None
    """The language."""
    country: Expression | None = None
    """The country."""
    currency: Expression | None = None
    """The currency."""
    stage: Expression | None = None
    """The stage."""
    created_at: Expression | None = None
    """Default: the instant of the first event."""
    attributes: dict[str, Nested] = {}
    """What schema.yaml declares about customers."""
    tags: Nested = []
    """Tags: a list of expressions, or an expression that gives a list."""
    consents: Consents = {}
    """topic: {channel: in | out}; plain, as in a scenario."""


class MappedEventModel(FileModel):
    """One event that a row gives."""

    event: Ident
    """The event's name; plain."""
    at: Expression
    """A date (which is 12:00 in the mapping's zone), a datetime, or ISO 8601 text."""
    when: Expression | None = None
    """The event is there only where this is true."""
    id: Expression | None = None
    """The messageId; default: made from the table's name, the row and the place."""
    properties: dict[str, Nested] = {}
    """The event's properties."""


class MappingModel(FileModel):
    """A mapping file, which turns the rows of a table into events: `orchestrator simulate --events T --mapping M`."""

    timezone: Zone | None = None
    """The zone of dates, and of times without one; default: the project's."""
    vars: dict[ResultName, Expression] = {}
    """Named expressions over `row`, in order."""
    customer: Expression
    """The customer's id."""
    profile: ProfileModel | None = None
    """What a customer is created with."""
    events: list[MappedEventModel] = []
    """The events of a row, in order; only a table of customers can do without."""
