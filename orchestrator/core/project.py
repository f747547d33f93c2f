"""What was last deployed: everything that is shared by all journeys and read live, not pinned.

Enrollments are pinned to the version of the journey file that they entered; the project, segments, offers, catalogs and
templates are those last deployed (the language reference, section 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from orchestrator.core.accumulators import Accumulator
from orchestrator.core.catalogs import RowCatalog
from orchestrator.core.domain_limits import DomainLimit
from orchestrator.core.expression.expr import Expr
from orchestrator.core.forms import Form
from orchestrator.core.linking import IdentityRules
from orchestrator.core.program import Channel, Journey, MessageClass
from orchestrator.core.quiet_plan import QuietPlan
from orchestrator.core.rfm import RfmSpec
from orchestrator.core.scores import ScoreSpec
from orchestrator.core.time.business_hours import BusinessHours
from orchestrator.core.time.durations import NO_TIME, Duration
from orchestrator.core.time.quiet import Quiet
from orchestrator.core.webhooks import Webhook
from orchestrator.records import dataclass


class Said(NamedTuple):
    """What a page calls a topic, and says about it, in one language; "": the same as in the project's."""

    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Topic:
    """What a message is about. Its class decides which guards apply."""

    id: str
    klass: MessageClass
    title: str = ""
    confirm: str | None = None
    """The template by which a double opt-in asks; None: an opt-in needs no confirmation."""
    description: str = ""
    tracking: bool = True
    """Whether opens and clicks of its messages are counted, where the project counts them."""
    translations: Mapping[str, Said] = field(default_factory=dict)
    """By locale, in its usual spelling."""

    def said_in(self, locales: Iterable[str]) -> Said:
        """Its title and description for who reads the first of these locales that it is translated to."""
        words = next((self.translations[locale] for locale in locales if locale in self.translations), Said("", ""))
        return Said(words.title or self.title or self.id, words.description or self.description)


@dataclass(frozen=True, slots=True)
class Utm:
    """UTM parameters of the brand's own links. None: the channel, the journey, the step. `domains`: those that are the
    brand's, in small letters."""

    source: str
    medium: str | None = None
    campaign: str | None = None
    content: str | None = None
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tracking:
    """What is found out about who reads messages. Topics can be left out of opens and clicks."""

    opens: bool = False
    clicks: bool = False
    utm: Utm | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the customer's life. `where` None: only set by hand or by a step."""

    name: str
    where: Expr | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """Customers for whom a condition holds. `listed`: those who were put on it by an upload; its condition asks only
    for what is stored."""

    name: str
    where: Expr
    title: str = ""
    listed: bool = False


@dataclass(frozen=True, slots=True)
class QuietRule:
    """Quiet hours and whom they bind. `channels` None: all."""

    hours: Quiet
    classes: frozenset[MessageClass] = frozenset({"promotional", "service"})
    channels: frozenset[Channel] | None = None

    def binds(self, klass: MessageClass, channel: Channel) -> bool:
        """Whether a message of this class on this channel keeps these quiet hours."""
        return klass in self.classes and (self.channels is None or channel in self.channels)


@dataclass(frozen=True, slots=True)
class PackChange:
    """What of a compliance pack the project keeps otherwise than the pack says, as the proof tells it.

    `left_out`: names of rules about hours that do not bind this brand; `codes`: industry codes of practice are kept,
    too; `unknown_country`: strictest or none, where the project decides; None: as the pack says.
    """

    pack: str
    left_out: tuple[str, ...] = ()
    codes: bool = False
    unknown_country: str | None = None


@dataclass(frozen=True, slots=True)
class CapRule:
    """At most `max` messages that match all the keys in any window (t - per, t]. Without class: all but
    transactional."""

    max: int
    per: timedelta
    klass: MessageClass | None = None
    topic: str | None = None
    channel: Channel | None = None

    def matches(self, klass: MessageClass, topic: str, channel: Channel) -> bool:
        """Whether this rule counts and blocks such a message."""
        if self.klass is None:
            if klass == "transactional":
                return False
        elif klass != self.klass:
            return False
        return (self.topic is None or topic == self.topic) and (self.channel is None or channel == self.channel)


@dataclass(frozen=True, slots=True)
class Escalation:
    """What happens to a task that is not closed `after` it was due: it goes to another queue, or to a member of its own
    (`other`: anybody else), and `notify` is told. `owns`: who gets it becomes the customer's owner."""

    after: Duration = NO_TIME
    queue: str | None = None
    member: str | None = None
    notify: str | None = None
    owns: bool = False


@dataclass(frozen=True, slots=True)
class Queue:
    """A team that takes tasks. `notify` is told of overdue ones."""

    id: str
    members: tuple[str, ...]
    notify: str | None = None
    told: tuple[str, ...] = ()
    """Names of the staff chats (of the settings) that hear of tasks that were opened, or are overdue."""
    hours: BusinessHours | None = None
    """When it works: what `due_in` and the escalations count."""
    escalations: tuple[Escalation, ...] = ()


@dataclass(frozen=True, slots=True)
class OfferLimits:
    """Limits of an offer; `per` None: for ever. `per_day` counts days of the project's zone. Budget is in money."""

    total: int | None = None
    per_customer: int | None = None
    per_customer_per: timedelta | None = None
    per_day: int | None = None
    budget: float | None = None
    budget_currency: str | None = None
    budget_per_redemption: float | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A coupon offer. Codes are generated (`prefix`, `length`) or taken from an imported pool (`imported`)."""

    id: str
    title: str = ""
    discount: Mapping[str, object] = field(default_factory=dict)
    imported: bool = False
    prefix: str = ""
    length: int = 8
    valid_for: Duration | None = None
    valid_until: datetime | None = None
    limits: OfferLimits = OfferLimits()
    minimum_spend: float | None = None
    conditions: Mapping[str, object] = field(default_factory=dict)
    low_pool: int | None = None
    """People are told when fewer codes than this are left."""
    public: str | None = None
    """One code for everybody: its redemptions are what `limits` count."""
    valid_from: datetime | None = None
    on_rollback: str = "issued"
    """What a code is whose order was cancelled: issued (it may be redeemed again) or void."""


@dataclass(frozen=True, slots=True)
class SpendLimit:
    """More than this in a window of `per`, and promotional and service messages wait."""

    amount: float
    currency: str
    per: timedelta


@dataclass(frozen=True, slots=True)
class Approval:
    """A deploy that lets in more than `above` customers needs `by` people, who deploys it among them."""

    above: int
    by: int = 2


@dataclass(frozen=True, slots=True)
class ImpliedConsent:
    """An event by which a law takes consent as given for a time: the pack that says so, what the event is to it
    (purchase or inquiry), to whom it applies, and what is opened, up to when."""

    event: str
    given_by: str
    pack: str
    countries: frozenset[str]
    places: tuple[tuple[str, Channel], ...]
    """Topics with channels."""
    lasts: Duration


@dataclass(frozen=True, slots=True)
class CanaryBounds:
    """Shares of a canary's messages past which it is stopped; see orchestrator.runtime.canary for their sources."""

    bounced: float = 0.05
    complained: float = 0.003
    unsubscribed: float = 0.02
    render_error: float = 0.01


@dataclass(frozen=True, slots=True)
class Retention:
    """How long rows are kept. None: `settings.history`; messages for good, and refused items until 10,000 are newer."""

    events: timedelta | None = None
    journal: timedelta | None = None
    passages: timedelta | None = None
    messages: timedelta | None = None
    refused: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of project.yaml."""

    late_tolerance: timedelta = timedelta(minutes=5)
    late_events: timedelta = timedelta(hours=24)
    history: timedelta = timedelta(days=400)
    leap_day: Literal["feb28", "mar1"] = "feb28"
    smear: timedelta = timedelta(minutes=15)
    unknown_properties: Literal["keep", "drop", "reject"] = "keep"
    dedupe: timedelta = timedelta(days=35)
    spend_limit: SpendLimit | None = None
    approval: Approval | None = None
    canary: CanaryBounds = CanaryBounds()


@dataclass(frozen=True, slots=True)
class TemplateRef:
    """One variant of a template. `uses` are the values to freeze: (key, expression). `hash` pins the file's content."""

    channel: Channel
    name: str
    hash: str
    locale: str | None
    topic: str | None
    uses: tuple[tuple[str, Expr], ...]


class Templates(Protocol):
    """The templates last deployed."""

    def pick(self, channel: Channel, name: str, locale: str | None) -> TemplateRef | None:
        """The variant for a locale with its fallbacks (zh-Hant-TW, zh-Hant, zh, default); None: no such template."""


class NoTemplates:
    """A project without template files: every name is unknown."""

    def pick(self, channel: Channel, name: str, locale: str | None) -> TemplateRef | None:
        """Always None."""
        return None


@dataclass(frozen=True, slots=True)
class Shape:
    """A declared value with `of`: `each` is what every item of a list, or every value of an object, is; `fields` are an
    object's. Fields that nobody declared may be there."""

    word: str
    enum: frozenset[str] | None = None
    required: bool = False
    each: Shape | None = None
    fields: Mapping[str, Shape] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A declared customer attribute. `default` stands in where none was ever given."""

    name: str
    type: str
    default: object = None
    enum: tuple[str, ...] | None = None
    computed: bool = False
    """What events add up to, or a formula: nobody sets it."""
    shape: Shape | None = None
    """What its items or fields are, where `of` says so."""


@dataclass(frozen=True, slots=True)
class EventSpec:
    """A declared event: names of its properties, and which are required. See orchestrator.core.tracking_plan."""

    name: str
    properties: frozenset[str]
    required: frozenset[str] = frozenset()
    types: Mapping[str, frozenset[type]] = field(default_factory=dict)
    """By property, the types of values that fit without a closer look."""
    words: Mapping[str, str] = field(default_factory=dict)
    """By property, the declared type; one that is not there may be anything."""
    enums: Mapping[str, frozenset[str]] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    """By property, what its items or fields are, where `of` says so."""


@dataclass(frozen=True, slots=True)
class Project:
    """All live definitions. `segments` stand in the order of their dependencies."""

    timezone: ZoneInfo
    locale: str = "en"
    country: str | None = None
    currency: str | None = None
    brand: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    topics: Mapping[str, Topic] = field(default_factory=dict)
    quiet: QuietRule | None = None
    """The project's own quiet hours."""
    quiet_plan: QuietPlan | None = None
    """Where quiet hours depend on the place of a customer: all rules, the project's own included."""
    packs: tuple[str, ...] = ()
    """The compliance packs that the project keeps, by name."""
    pack_changes: tuple[PackChange, ...] = ()
    """What it keeps otherwise than they say; empty: nothing."""
    domain_limits: tuple[DomainLimit, ...] = ()
    implied: tuple[ImpliedConsent, ...] = ()
    holdout: float = 0.0
    """The share of all customers that no journey treats."""
    tracking: Tracking = Tracking()
    caps: tuple[CapRule, ...] = ()
    channels: Mapping[Channel, Mapping[str, object]] = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    settings: Settings = Settings()
    retention: Retention = Retention()
    identity: IdentityRules = IdentityRules()
    scores: Mapping[str, ScoreSpec] = field(default_factory=dict)
    rfm: RfmSpec | None = None
    accumulators: Mapping[str, Accumulator] = field(default_factory=dict)
    """Attributes that events add up to, by name; nobody else writes them."""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    personal: frozenset[str] = frozenset()
    """Names of attributes and properties that a database which seals keeps sealed: contact fields, and what the
    tracking plan declares `pii: true` anywhere."""
    events: Mapping[str, EventSpec] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    offers: Mapping[str, Offer] = field(default_factory=dict)
    catalogs: Mapping[str, Mapping[str, dict[str, Any]]] = field(default_factory=dict)
    forms: Mapping[str, Form] = field(default_factory=dict)
    row_catalogs: Mapping[str, RowCatalog] = field(default_factory=dict)
    """Those of `catalogs` that the database keeps as rows; what stands in `catalogs` is only their first content."""
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    """Who is told what is decided, by name."""
    journeys: Mapping[str, Journey] = field(default_factory=dict)
    templates: Templates = field(default_factory=NoTemplates)
