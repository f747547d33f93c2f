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
    """`settled`: a till has redeemed the code already, and the customer's story follows; `public`: its code is
    everybody's, so that no coupon of the customer's bears it."""

    offer: str
    order_id: str
    total: float | None = None
    code: str | None = None
    settled: bool = False
    currency: str | None = None
    discount: float | None = None
    public: bool = False


@dataclass(frozen=True, slots=True)
class RedemptionRolledBack:
    """A till took a redemption back; `void`: the code is good for nothing any more."""

    offer: str
    order_id: str
    code: str
    void: bool = False


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
class ScoreMoved:
    """A score moved across a bound that a trigger waits for; who enters by that comes after what moved it."""

    name: str
    before: float
    after: float
    identity: str


@dataclass(frozen=True, slots=True)
class HistoryLaid:
    """Events joined the past by an import, each once: what events add up to takes them in, in silence."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Classed:
    """What was worked out over all customers says something else of this one: the attribute's new value, or None."""

    attribute: str
    value: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Grouped:
    """A group (an account, a company) and one of its members. `joined`: the customer became one, or was said to be one
    again, and `traits` are what was said of the group, in the inbox all that is known of it; `changed`: its traits
    are others now (from a fan-out); `left`: in the inbox, `traits` are the group that takes its place, with its `id`;
    empty: the customer is in none."""

    group: str
    traits: Mapping[str, Any] = field(default_factory=dict)
    what: Literal["joined", "changed", "left"] = "joined"


@dataclass(frozen=True, slots=True)
class JourneyOperated:
    """An operator stopped or resumed a journey in which the customer is, or those whom a canary of it holds go on
    (`release`), or leave (`cancel`); or took this customer alone out of one (`exit`). `enrollment`: of that one
    only."""

    journey: str
    action: Literal["stop", "resume", "pause", "release", "cancel", "exit"]
    enrollment: str | None = None


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


@dataclass(frozen=True, slots=True)
class CatalogChanged:
    """A row of a catalog changed, and it concerns this customer (from a fan-out). `change` names the change; `values`
    become `entry`: catalog, key, change, before, after."""

    journey: str
    trigger: int
    catalog: str
    change: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListChanged:
    """Somebody put the customer on a list that is uploaded (a segment with `list: true`), or took it off."""

    segment: str
    member: bool = True


@dataclass(frozen=True, slots=True)
class RowUploaded:
    """A row of a table that was uploaded to journeys (`trigger: {upload: NAME}`). `values` are its columns, which
    become `entry`; `occurrence` names the row of this table, so that the same table changes nothing again."""

    upload: str
    values: Mapping[str, Any] = field(default_factory=dict)
    occurrence: str = ""


Body: TypeAlias = (
    Occurred
    | Identified
    | ConsentChanged
    | Receipt
    | Replied
    | TaskClosed
    | SurveyAnswered
    | RedemptionRequested
    | RedemptionRolledBack
    | EnrollmentRequested
    | AttributeMoved
    | ScoreMoved
    | HistoryLaid
    | Classed
    | Grouped
    | JourneyOperated
    | Deployed
    | ScheduleFired
    | ListChanged
    | RowUploaded
    | CatalogChanged
)


class Item(NamedTuple):
    """One inbox row. `seq` is unique; order of arrival is (received_at, seq)."""

    seq: int
    received_at: datetime
    body: Body


item_of: Callable[[tuple[int, datetime, Body]], Item] = partial(tuple.__new__, Item)
"""From all fields in their order, without the calls that naming the class takes."""
