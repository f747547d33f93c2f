"""The shape of scenario files, for checking and for the published JSON Schema.

Shape only: what needs more than one key (an `until` before the start) is looked at in `scenario.py`. Numbers below the
keys that name people and things have become text again before they come here (`scenario_verbatim.py`).
"""
# ruff: noqa: RUF012  (a model copies its defaults)

from __future__ import annotations

from typing import Annotated, Any

from orchestrator.core.consent import FIELDS
from orchestrator.definitions.field_kinds import Data, whole
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.models.messages import Channel
from orchestrator.definitions.scenario_item_models import ItemModel
from orchestrator.definitions.scenario_kinds import Forced, FreeText, Ident, Instant, Source, State, When
from orchestrator.definitions.shapes import Shorthand


class ConsentGiven(FileModel):
    """`email: in`, or `email: {state: in, source: form, expires_at: 2028-03-01T00:00:00Z}`."""

    state: State
    """in or out."""
    source: Source | None = None
    """Where the choice was made."""
    wording: FreeText | None = None
    """The text that was shown."""
    proof: dict[str, Data] | None = None
    """What proves it: ip, user_agent, url, message."""
    expires_at: Instant | None = None
    """When implied consent ends."""
    at: Instant | None = None
    """When the choice was made."""


Consents = dict[str, dict[Channel, Annotated[ConsentGiven, Shorthand("state")]]]


def plain_consents(consents: Consents) -> dict[str, dict[str, Any]]:
    """The same as the trait `consents`: the bare state where nothing else is said, else a mapping."""
    return {
        topic: {str(channel): plain_choice(given) for channel, given in choices.items()}
        for topic, choices in consents.items()
    }


def plain_choice(given: ConsentGiven) -> Any:
    """One choice, as a trait."""
    said = {name: value for name in FIELDS if (value := getattr(given, name)) is not None}
    return given.state if len(said) == 1 else said


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
    """topic: {channel: in | out}, or {channel: {state, source, wording, proof, expires_at, at}}."""
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
