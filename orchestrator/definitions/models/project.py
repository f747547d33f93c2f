"""project.yaml: what all journeys share (the language reference, section 12)."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from orchestrator.definitions.field_kinds import CurrencyCode, Expression, Name, OneOf, Plain, Positive, Zone
from orchestrator.definitions.models.base import FileModel, no_items
from orchestrator.definitions.models.messages import Channel
from orchestrator.definitions.shapes import EmptyWhenNull, ListOrMapping, OneOrMany
from orchestrator.definitions.time_kinds import FixedDuration, TimeOfDay

MessageClass = Annotated[Literal["promotional", "service", "transactional"], OneOf()]
DEFAULT_STAGES = ("awareness", "consideration", "decision", "use", "loyalty")


class Brand(FileModel):
    """`brand: {name, url, address}`: stands in messages."""

    name: Plain | None = None
    """The brand's name."""
    url: Plain | None = None
    """Its website."""
    address: Plain | None = None
    """Its postal address, which promotional emails must show."""
    logo: Plain | None = None
    """A file below templates/assets/, or an address."""


class Stage(FileModel):
    """A stage of the customer's life."""

    title: Plain | None = None
    """What people call it."""
    where: Expression | None = None
    """Customers for whom this is true are in it; without it only steps and people set it."""


class Topic(FileModel):
    """`promotions: {class: promotional, title: Offers and news}`."""

    class_: MessageClass
    """promotional (opt-in, quiet hours, caps), service (opt-out, quiet hours, caps) or transactional (none)."""
    title: Plain | None = None
    """What the preference page calls it."""
    description: Plain | None = None
    """What the preference page says about it."""


class QuietHours(FileModel):
    """`quiet_hours: {from: "21:00", to: "08:00"}`."""

    from_: TimeOfDay
    """When they start, inclusive, in the zone in force."""
    to: TimeOfDay
    """When they end, exclusive."""
    classes: Annotated[list[MessageClass], OneOrMany()] = Field(default=["promotional", "service"])
    """The classes that keep them."""
    channels: Annotated[list[Channel], OneOrMany()] | None = None
    """The channels that keep them; default: all."""


class Cap(FileModel):
    """`{max: 3, per: 7d, class: promotional}`."""

    max: Positive
    """So many messages at most."""
    per: FixedDuration
    """In any time of this length; d is 24 hours."""
    class_: MessageClass | None = None
    """Only messages of this class; default: promotional and service."""
    topic: Name | None = None
    """Only messages of this topic."""
    channel: Channel | None = None
    """Only messages on this channel."""


class EmailChannel(FileModel):
    """`email: {from: "Blue Harbour <hello@example.com>", reply_to: care@example.com}`."""

    from_: Plain | None = None
    """The sender."""
    reply_to: Plain | None = None
    """Where answers go."""


class SmsChannel(FileModel):
    """`sms: {signature: Blue Harbour}`."""

    from_: Plain | None = None
    """The sender's number or name."""
    signature: Plain | None = None
    """Stands before each text that does not say it itself; before one in Chinese in the brackets 【】."""


class OtherChannel(FileModel):
    """A channel that needs no more than to be named."""

    from_: Plain | None = None
    """The sender."""


_Named = Annotated[OtherChannel, EmptyWhenNull(dict)]


class Channels(FileModel):
    """`channels:`: those that are configured."""

    email: Annotated[EmailChannel, EmptyWhenNull(dict)] | None = None
    """Email."""
    sms: Annotated[SmsChannel, EmptyWhenNull(dict)] | None = None
    """Text messages."""
    push: _Named | None = None
    """Push notifications."""
    whatsapp: _Named | None = None
    """WhatsApp."""
    wechat: _Named | None = None
    """WeChat."""
    inbox: _Named | None = None
    """The app's inbox."""


class Overdue(FileModel):
    """`overdue: {notify: lead@example.com}`."""

    notify: Plain
    """Who is told of tasks that are overdue."""


class Queue(FileModel):
    """`care_team: {members: [ana, li], overdue: {notify: lead@example.com}}`."""

    title: Plain | None = None
    """What people call it."""
    members: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """Who takes its tasks."""
    overdue: Overdue | None = None
    """What happens to tasks that are late."""


class Settings(FileModel):
    """`settings:`."""

    late_tolerance: FixedDuration = "5m"
    """How late the engine may be without moving what is due."""
    late_events: FixedDuration = "24h"
    """An event older than this at arrival enters nothing."""
    history: FixedDuration = "400d"
    """How far back expressions may look."""
    leap_day: Annotated[Literal["feb28", "mar1"], OneOf()] = "feb28"
    """Where 29 February falls in other years."""
    smear: FixedDuration = "15m"
    """Held messages are released over this time."""
    unknown_properties: Annotated[Literal["keep", "drop", "reject"], OneOf()] = "keep"
    """What happens to properties that arrive and are not declared."""
    dedupe: FixedDuration = "35d"
    """How long a messageId is remembered."""


class ProjectModel(FileModel):
    """What all journeys share."""

    brand: Brand = Field(default_factory=Brand)
    """Who sends."""
    timezone: Zone = "UTC"
    """The project's zone: stands in where a customer's is not known."""
    locale: Plain = "en"
    """The language of templates without one of their own."""
    country: Plain | None = None
    """The home country, ISO 3166: how phone numbers without a prefix are read."""
    currency: CurrencyCode | None = None
    """The home currency."""
    stages: Annotated[dict[Name, Annotated[Stage, EmptyWhenNull(dict)]], ListOrMapping()] = Field(
        default_factory=lambda: {name: Stage() for name in DEFAULT_STAGES}
    )
    """The stages in order: a list of names, or a mapping of names to {where:}."""
    topics: dict[Name, Topic] = Field(default_factory=dict)
    """What messages are about; a topic sets their class."""
    quiet_hours: QuietHours | None = None
    """When promotional and service messages are held back; default: never."""
    caps: Annotated[list[Cap], OneOrMany()] = Field(default_factory=no_items)
    """How many messages one customer may get."""
    channels: Channels = Field(default_factory=Channels)
    """The channels that are configured."""
    queues: dict[Name, Annotated[Queue, EmptyWhenNull(dict)]] = Field(default_factory=dict)
    """The teams that take tasks."""
    settings: Settings = Field(default_factory=Settings)
    """How the engine treats time and data."""

    LATER: ClassVar[Mapping[str, str]] = {"scores": "scores of customers", "sms_rules": "SMS rules by country"}
