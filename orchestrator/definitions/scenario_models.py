"""The shape of scenario files, for checking and for the published JSON Schema.

Shape only: what needs more than one key (an `until` before the start) is looked at in `scenario.py`. Numbers below the
keys that name people and things have become text again before they come here (`scenario_verbatim.py`).
"""
# ruff: noqa: RUF012  (a model copies its defaults)

from __future__ import annotations

from typing import Annotated, Literal

from orchestrator.definitions.field_kinds import Data, whole
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.models.messages import Channel
from orchestrator.definitions.scenario_item_models import ItemModel
from orchestrator.definitions.scenario_kinds import Forced, FreeText, Ident, Instant, State, When

Consents = dict[str, dict[Channel, State]]


def plain_consents(consents: Consents) -> dict[str, dict[str, Literal["in", "out"]]]:
    """The same with channels as text, as the values outside the models have them."""
    return {topic: {str(channel): state for channel, state in choices.items()} for topic, choices in consents.items()}


class CustomerModel(FileModel):
    """A customer who is there at the start, created in silence."""

    id: Ident
    """The customer's id, read as it stands: 007 stays 007."""
    email: FreeText | None = None
    """The email address."""
    phone: FreeText | None = None
    """The phone number, with + and the country's code."""
    timezone: FreeText | None = None
    """The customer's own time zone; one that does not exist counts as missing."""
    locale: FreeText | None = None
    """The language, such as en or zh-Hant-TW."""
    country: FreeText | None = None
    """The country, such as PT."""
    currency: FreeText | None = None
    """The currency, such as EUR."""
    attributes: dict[str, Data] = {}
    """What schema.yaml declares about customers."""
    tags: list[FreeText] = []
    """The customer's tags."""
    stage: FreeText | None = None
    """The customer's stage."""
    consents: Consents = {}
    """topic: {channel: in | out}."""
    created_at: When | None = None
    """Default: the start."""


class PastModel(FileModel):
    """An event of the past: it joins the history and enters nobody."""

    at: When
    """An instant, or an offset from the start such as -40d."""
    customer: Ident | None = None
    """Whose event; in a test with one `customer` his."""
    event: Ident
    """The event's name."""
    id: Ident | None = None
    """The event's messageId."""
    properties: dict[str, Data] = {}
    """The event's properties."""


class RunModel(FileModel):
    """What a scenario and a test share."""

    start: Instant
    """The instant at which the clock starts, with a zone."""
    until: When | None = None
    """The end: an instant or an offset; default: until nothing is pending, at most 400 days."""
    seed: Annotated[int, whole(0)] | None = None
    """The salt of every split, holdout and smear."""
    customers: list[CustomerModel] = []
    """Customers who are there at the start."""
    history: list[PastModel] = []
    """Events before the start; they enter nobody."""
    timeline: list[ItemModel] = []
    """What happens, each with its `at`."""
    force: dict[str, Forced] = {}
    """A split's name: the variant that everybody gets; holdout: true or false."""
    fetch: dict[str, Data] = {}
    """A fetch step's id or `as`: the value that it gets, or error, or timeout."""


class ScenarioModel(RunModel):
    """A scenario file, for `orchestrator simulate --scenario`."""
