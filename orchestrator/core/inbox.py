"""What arrives for one customer, in the order of arrival: a closed union, each written in the past tense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

from orchestrator.records import dataclass


class Event(NamedTuple):
    """Something the customer did, or that happened to one. `at` is its own timestamp, never after its arrival."""

    name: str
    at: datetime
    properties: Mapping[str, Any]
    id: str


@dataclass(frozen=True, slots=True)
class Occurred:
    """An event that was tracked, or that a built-in made."""

    event: Event


@dataclass(frozen=True, slots=True)
class Identified:
    """Profile traits: reserved names set fields, `consents` and `tags` theirs, the rest are attributes.

    `silent` is a creation or an import: memberships are computed without a line, and nobody enters anything.
    """

    traits: Mapping[str, Any]
    silent: bool = False


@dataclass(frozen=True, slots=True)
class ConsentChanged:
    """A person's choice for one topic on one channel, with what proves it (see orchestrator.core.consent).

    `source`: one of SOURCES, or nothing where nobody said. `wording` is the text that was shown, `proof` whatever the
    source knows (ip, user_agent, url, message). `expires_at`: when consent that was only implied ends. `at`: when the
    choice was made, where that was before it arrived.
    """

    topic: str
    channel: str
    state: Literal["in", "out"]
    source: str = ""
    wording: str | None = None
    proof: Mapping[str, Any] | None = None
    expires_at: datetime | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message: delivered, open, click, reply, bounce, complaint. `message_id` None: not ours.

    `unsubscribe`: nothing at all is to come on the channel any more, and `resubscribe` takes that back; `text` is what
    our page showed, None where a provider said so. `proxy`: an open that a mailbox's own machine may have made, whether
    or not somebody looked. `at`: when it was said, where that is known and was before it arrived.
    """

    kind: Literal[
        "sent", "delivered", "failed", "open", "click", "reply", "bounce", "complaint", "unsubscribe", "resubscribe"
    ]
    channel: str
    message_id: str | None
    text: str | None = None
    url: str | None = None
    proxy: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Replied:
    """The answer to a request. `status` None: no answer came (`error` says why)."""

    request_id: str
    status: int | None
    body: Any = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TaskClosed:
    task_id: str
    outcome: str | None = None
    assignee: str | None = None


@dataclass(frozen=True, slots=True)
class SurveyAnswered:
    """An answer. Without `message_id` it belongs to the latest survey of this name."""

    survey: str
    score: float | None = None
    choice: str | None = None
    text: str | None = None
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class RedemptionRequested:
    offer: str
    order_id: str
    total: float | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class EnrollmentRequested:
    """From the API, an operator or a scenario. `identity` names the request."""

    journey: str
    values: Mapping[str, Any] = field(default_factory=dict)
    trigger: str = "api"
    identity: str = ""


@dataclass(frozen=True, slots=True)
class AttributeMoved:
    """A step changed an attribute; who enters by that comes after what the step's own enrollment still does."""

    name: str
    before: Any
    after: Any
    identity: str


@dataclass(frozen=True, slots=True)
class JourneyOperated:
    """An operator stopped or resumed a journey in which the customer is, or those whom a canary of it holds go on
    (`release`), or leave (`cancel`)."""

    journey: str
    action: Literal["stop", "resume", "pause", "release", "cancel"]


@dataclass(frozen=True, slots=True)
class Deployed:
    """New definitions are live. `new_journeys` are those deployed for the first time (for `existing: include`)."""

    new_journeys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ScheduleFired:
    """A schedule's or campaign's occurrence reached this customer (from a fan-out). `occurrence` is its local
    minute."""

    journey: str
    trigger: int
    occurrence: str


Body: TypeAlias = (
    Occurred
    | Identified
    | ConsentChanged
    | Receipt
    | Replied
    | TaskClosed
    | SurveyAnswered
    | RedemptionRequested
    | EnrollmentRequested
    | AttributeMoved
    | JourneyOperated
    | Deployed
    | ScheduleFired
)


class Item(NamedTuple):
    """One inbox row. `seq` is unique; order of arrival is (received_at, seq)."""

    seq: int
    received_at: datetime
    body: Body


item_of: Callable[[tuple[int, datetime, Body]], Item] = partial(tuple.__new__, Item)
"""From all fields in their order, without the calls that naming the class takes."""
