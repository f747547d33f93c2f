"""What a scenario consists of, as values: customers, their past, and what happens to them, in order.

Read by the virtual clock and by nothing else; a scenario file becomes these in `scenario.py`. All instants are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from orchestrator.records import dataclass

ConsentState = Literal["in", "out"]
ProviderOutcome = Literal["accept", "bounce", "complaint", "timeout", "reject"]
ReceiptKind = Literal["open", "click", "reply"]
AnswerKind = Literal["value", "error", "timeout"]
SwitchScope = Literal["all", "channel", "journey"]


@dataclass(frozen=True, slots=True)
class CustomerSpec:
    """A customer who is there at the start, created in silence. `consents` is topic -> channel -> state."""

    id: str
    email: str | None = None
    phone: str | None = None
    timezone: str | None = None
    locale: str | None = None
    country: str | None = None
    currency: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    stage: str | None = None
    consents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    created_at: datetime | None = None
    """None: the scenario's start."""
    line: int = 0


@dataclass(frozen=True, slots=True)
class PastSpec:
    """An event that joins a customer's history before the start and enters nobody."""

    at: datetime
    customer: str
    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    message_id: str | None = None
    order: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What all items share: when, their place in the file (which breaks ties), and their line (for problems)."""

    at: datetime
    order: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventItem(Placed):
    """An event that arrives; `at` is both its timestamp and its arrival. Creates the customer where unknown."""

    customer: str
    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyItem(Placed):
    """Traits that arrive, shaped as an `identify` call: attributes beside email, phone, timezone, consents, tags ..."""

    customer: str
    traits: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentItem(Placed):
    """A customer's choice for one topic on one channel."""

    customer: str
    topic: str
    channel: str
    state: ConsentState
    source: str = ""
    wording: str | None = None
    proof: Mapping[str, Any] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderItem(Placed):
    """What the provider of `channel` answers from now on."""

    channel: str
    outcome: ProviderOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptItem(Placed):
    """An open, click or reply that comes back. `step` None: the customer's latest message on the channel."""

    customer: str
    channel: str
    kind: ReceiptKind
    step: str | None = None
    text: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpItem(Placed):
    """What fetches and webhooks to URLs that match `url_glob` get from now on. `json` and `status` need kind value."""

    url_glob: str
    status: int = 200
    json: Any = None
    kind: AnswerKind = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskItem(Placed):
    """A member of staff closes the customer's task that `step` made."""

    customer: str
    step: str
    outcome: str | None = None
    assignee: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyItem(Placed):
    """The customer answers the survey `name`."""

    customer: str
    name: str
    score: int | float | None = None
    choice: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemItem(Placed):
    """The customer redeems a coupon of `offer`; `code` None: the latest one that he holds."""

    customer: str
    offer: str
    order_id: str
    total: int | float | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseItem(Placed):
    """`orchestrator pause JOURNEY`."""

    journey: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeItem(Placed):
    """`orchestrator resume JOURNEY`."""

    journey: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopItem(Placed):
    """`orchestrator stop JOURNEY`."""

    journey: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KillItem(Placed):
    """The kill switch for everything, one channel or one journey; `name` is None for everything."""

    scope: SwitchScope
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftItem(Placed):
    """The kill switch is lifted; the same targets as KillItem."""

    scope: SwitchScope
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployItem(Placed):
    """Another project folder is deployed; `path` is already resolved against the scenario's folder."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeItem(Placed):
    """Two customers turn out to be one: `source` becomes part of `target` (`from` and `into` in the file)."""

    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StallItem(Placed):
    """The engine is down for `stall_for`: events are stored, nothing is decided, then it catches up."""

    stall_for: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollItem(Placed):
    """A customer is enrolled by hand or by API; `values` (`with` in the file) become `entry`."""

    journey: str
    customer: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogItem(Placed):
    """A row of a catalog changes: `values` are set (the row is added where there is none); None: it is deleted."""

    catalog: str
    key: str
    values: Mapping[str, Any] | None = None


TimelineItem = (
    EventItem
    | IdentifyItem
    | ConsentItem
    | ProviderItem
    | ReceiptItem
    | HttpItem
    | TaskItem
    | SurveyItem
    | RedeemItem
    | PauseItem
    | ResumeItem
    | StopItem
    | KillItem
    | LiftItem
    | DeployItem
    | MergeItem
    | StallItem
    | EnrollItem
    | CatalogItem
)


@dataclass(frozen=True, slots=True)
class FetchAnswer:
    """What a test lets one fetch step get: a value, or that it fails or times out."""

    kind: AnswerKind
    value: Any = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole run. `timeline` and `history` are in (at, place in the file); `seed` is the salt as decimal text,
    None where the file gives none (then it is the database's own).

    `force` pins splits by name, and `holdout` (true: held out); `fetch` answers fetch steps by id or `as`.
    """

    start: datetime
    until: datetime | None
    seed: str | None
    customers: tuple[CustomerSpec, ...] = ()
    history: tuple[PastSpec, ...] = ()
    timeline: tuple[TimelineItem, ...] = ()
    force: Mapping[str, str | bool] = field(default_factory=dict)
    fetch: Mapping[str, FetchAnswer] = field(default_factory=dict)
    base_dir: Path = Path(".")
