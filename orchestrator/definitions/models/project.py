"""project.yaml: what all journeys share (the language reference, section 12)."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from orchestrator.compliance.packs import PACKS
from orchestrator.definitions.field_kinds import (
    Amount,
    CountryCode,
    CountryOrDefault,
    CurrencyCode,
    Expression,
    Flag,
    LocaleName,
    Name,
    OneOf,
    Percent,
    Plain,
    Positive,
    PositiveAmount,
    Zone,
    whole,
)
from orchestrator.definitions.models.base import FileModel, no_items
from orchestrator.definitions.models.messages import Channel
from orchestrator.definitions.models.rfm import Rfm
from orchestrator.definitions.models.scores import Score
from orchestrator.definitions.models.triggers import Who
from orchestrator.definitions.models.webhooks import Webhook
from orchestrator.definitions.shapes import EmptyWhenNull, ListOrMapping, OneOrMany, Shorthand
from orchestrator.definitions.time_kinds import Days, DurationText, FixedDuration, TimeOfDay
from orchestrator.records import dataclass

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


class TopicWords(FileModel):
    """`zh: {title: 优惠与新闻}`."""

    title: Plain | None = None
    """What the preference page in this language calls it."""
    description: Plain | None = None
    """What it says about it."""


class Topic(FileModel):
    """`promotions: {class: promotional, title: Offers and news}`."""

    class_: MessageClass
    """promotional (opt-in, quiet hours, caps), service (opt-out, quiet hours, caps) or transactional (none)."""
    title: Plain | None = None
    """What the preference page calls it."""
    description: Plain | None = None
    """What the preference page says about it."""
    translations: dict[LocaleName, TopicWords] = Field(default_factory=dict)
    """The same in other languages, by locale; customers get them as they get translations of templates."""
    opt_in: Annotated[Literal["single", "double"], OneOf()] = "single"
    """double: an opt-in by email or SMS counts when the owner of the address has confirmed it by a link."""
    confirm: Name | None = None
    """The template that asks for it, with {{ confirm_url }}; default: our own text in English and Chinese."""
    tracking: Flag = True
    """Whether opens and clicks of its messages are counted, where the project counts them."""


class Utm(FileModel):
    """`utm: {source: newsletter, medium: email, domains: [shop.example.com]}`."""

    source: Plain
    """utm_source: what the brand's web analytics call its messages."""
    medium: Plain | None = None
    """utm_medium; default: the channel."""
    campaign: Plain | None = None
    """utm_campaign; default: the journey."""
    content: Plain | None = None
    """utm_content; default: the step."""
    domains: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """The domains of links that get them, beside that of `brand.url`."""


class Tracking(FileModel):
    """`tracking: {opens: true, clicks: true, utm: {source: newsletter}}`."""

    opens: Flag = False
    """Count who opens an email, by a picture of one point."""
    clicks: Flag = False
    """Count who follows a link of an email or a text message; links of texts are made short."""
    utm: Utm | None = None
    """Parameters on links to the brand's own site, which say where somebody came from."""


class QuietHours(FileModel):
    """`quiet_hours: {from: "21:00", to: "08:00"}`."""

    from_: TimeOfDay
    """When they start, inclusive, in the zone in force."""
    to: TimeOfDay
    """When they end, exclusive."""
    days: Days | None = None
    """The days on which they start; default: every day."""
    holidays: Flag = False
    """Public holidays of the country where the customer is (not known: of the project's) are quiet as a whole."""
    classes: Annotated[list[MessageClass], OneOrMany()] = Field(default=["promotional", "service"])
    """The classes that keep them."""
    channels: Annotated[list[Channel], OneOrMany()] | None = None
    """The channels that keep them; default: all."""


class ImpliedBy(FileModel):
    """`implied_by: {purchase: order_placed, inquiry: [quote_requested, demo_requested]}`."""

    purchase: Annotated[list[Name], OneOrMany()] = Field(default_factory=no_items)
    """Events that are a purchase to the law."""
    inquiry: Annotated[list[Name], OneOrMany()] = Field(default_factory=no_items)
    """Events that are an inquiry."""


class PackOptions(FileModel):
    """`us: {leave_out: [texas]}`: what of a compliance pack the project keeps otherwise than the pack says."""

    leave_out: Annotated[list[Name], OneOrMany()] = Field(default_factory=no_items)
    """Rules about hours that do not bind this brand; each leaves a trace in `orchestrator proof`."""
    codes: Flag = False
    """Keep what an industry's own code of practice says, too, and not the law alone."""
    unknown_country: Annotated[Literal["strictest", "none"], OneOf()] | None = None
    """Where a customer's country is not known: keep its hours all the same, or not; default: as the pack says."""
    implied_by: ImpliedBy | None = None
    """The events by which this law takes consent as given for a time; default: none."""


@dataclass(frozen=True, slots=True)
class PackNames(ListOrMapping):
    """One name or a list of names stands for a mapping of these names to nothing."""

    tell_short: ClassVar[dict[str, Any]] = {"type": ["array", "string"]}

    def convert(self, value: Any) -> Any:
        """The mapping."""
        return ListOrMapping.convert(self, [value] if isinstance(value, str) else value)

    def short(self, full: dict[str, Any]) -> dict[str, Any]:
        """Names, of which editors know those there are."""
        names = {"type": "string", "enum": ["auto", *PACKS]}
        return {"anyOf": [names, {"type": "array", "items": names}]}


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


class Cost(FileModel):
    """`cost: {amount: 0.07, currency: EUR, per: segment, countries: {CN: 0.045}}`."""

    amount: Amount
    """What an accepted message costs."""
    currency: CurrencyCode | None = None
    """In this currency; default: the project's."""
    per: Annotated[Literal["message", "segment"], OneOf()] = "message"
    """Each message, or each segment of an SMS."""
    countries: dict[CountryCode, Amount] = Field(default_factory=dict)
    """Other amounts, by the country of the phone number."""


class DomainBound(FileModel):
    """`gmail.com: 5000/day, 20/s`, or `microsoft: {limits: 3000/day, ramp: "200:2026-03-01:x1.5"}`."""

    limits: Plain | None = None
    """Messages a day and in a second, minute or hour: 5000/day, 20/s."""
    ramp: Plain | None = None
    """Warming up: the first day's messages, that day, and the daily growth, such as 500:2026-03-01:x1.5."""
    domains: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """The domains of a group that is not known by its name."""


class EmailChannel(FileModel):
    """`email: {from: "Blue Harbour <hello@example.com>", reply_to: care@example.com}`."""

    cost: Cost | None = None
    """What its messages cost, for figures and the spend limit."""
    from_: Plain | None = None
    """The sender."""
    reply_to: Plain | None = None
    """Where answers go."""
    domains: dict[str, Annotated[DomainBound, Shorthand("limits")]] = Field(default_factory=dict)
    """How much mail the mailboxes of a domain may get, or of google, microsoft, yahoo, apple, qq, netease."""
    plus_addresses: Annotated[Literal["together", "apart"], OneOf()] = "together"
    """Whether ana+shop@example.com shares the suppressions of ana@example.com; a change opens nobody."""


class SmsChannel(FileModel):
    """`sms: {signature: Blue Harbour}`."""

    cost: Cost | None = None
    """What its messages cost, for figures and the spend limit."""
    from_: Plain | None = None
    """The sender's number or name."""
    signature: Plain | None = None
    """Stands before each text that does not say it itself; before one in Chinese in the brackets 【】."""
    opt_out: dict[CountryOrDefault, Plain] | None = None
    """How to end promotional texts, said behind each that does not say it itself, by the country of the number."""
    help: Plain | None = None
    """What whoever writes HELP, INFO or 帮助 is answered."""


class WechatChannel(FileModel):
    """`wechat: {attribute: wecom_user}`."""

    cost: Cost | None = None
    """What its messages cost, for figures and the spend limit."""
    from_: Plain | None = None
    """The sender."""
    attribute: Name | None = None
    """The customer's attribute that holds the openid or the WeCom user; default: wechat_openid."""


class OtherChannel(FileModel):
    """A channel that needs no more than to be named."""

    cost: Cost | None = None
    """What its messages cost, for figures and the spend limit."""
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
    wechat: Annotated[WechatChannel, EmptyWhenNull(dict)] | None = None
    """WeChat."""
    inbox: _Named | None = None
    """The app's inbox."""


class Overdue(FileModel):
    """`overdue: {after: 2h, reassign: sales_leads, notify: leads}`."""

    notify: Plain | None = None
    """Who is told of tasks that are overdue: a staff chat, by its name in ORCHESTRATOR_STAFF_CHATS."""
    after: DurationText | None = None
    """So long after the task was due, in the queue's `hours` where it has any; default: at once."""
    reassign: Name | None = None
    """Who gets the task then: another queue, a member of this one, or `other` (anybody else of it)."""
    owns: Flag = False
    """Who gets it is `customer.owner` from then on."""


class Hours(FileModel):
    """`hours: {from: "09:00", to: "18:00", days: [mon, tue, wed, thu, fri], holidays: true}`."""

    from_: TimeOfDay
    """When they start."""
    to: TimeOfDay
    """When they end, exclusive."""
    days: Days | None = None
    """The days on which they start; default: Monday to Friday."""
    holidays: Flag = False
    """Public holidays of the country are closed."""
    country: CountryCode | None = None
    """Whose holidays; default: the project's."""
    timezone: Zone | None = None
    """Where the team is; default: the project's time zone."""


class Queue(FileModel):
    """`care_team: {members: [ana, li], overdue: {notify: lead@example.com}}`."""

    title: Plain | None = None
    """What people call it."""
    members: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """Who takes its tasks."""
    notify: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """The staff chats, by their names in ORCHESTRATOR_STAFF_CHATS, that hear of its tasks."""
    overdue: Annotated[list[Overdue], OneOrMany()] = Field(default_factory=no_items)
    """What happens to tasks that are late, one thing after the other."""
    hours: Hours | None = None
    """When the team works: what `due_in` and `after` count."""


class SpendLimit(FileModel):
    """`spend_limit: {amount: 50, per: 1m}`."""

    amount: PositiveAmount
    """So much money at most."""
    currency: CurrencyCode | None = None
    """In this currency; default: the project's."""
    per: FixedDuration
    """In any time of this length, from its first message on."""


class Approval(FileModel):
    """`approval: {above: 10000, by: 2}`."""

    above: Positive
    """A deploy that expects more customers than this has to be approved."""
    by: Annotated[int, whole(2, 10)] = 2
    """So many people together, who deploys among them."""


class Canary(FileModel):
    """`canary: {bounces: 5%, complaints: 0.3%, unsubscribes: 2%, render_errors: 1%}`."""

    bounces: Percent = 5.0
    """More of its messages than this come back, or are refused for good."""
    complaints: Percent = 0.3
    """More of its recipients than this complain."""
    unsubscribes: Percent = 2.0
    """More of its recipients than this opt out by a link in its messages."""
    render_errors: Percent = 1.0
    """More of its messages than this cannot be rendered."""


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
    spend_limit: SpendLimit | None = None
    """Past it, promotional and service messages wait."""
    approval: Approval | None = None
    """When a deploy needs a second person."""
    canary: Canary = Field(default_factory=Canary)
    """What stops the canary of a deploy."""


class Retention(FileModel):
    """`retention: {journal: 800d, messages: 1095d, refused: 30d}`."""

    events: FixedDuration | None = None
    """Past events; default: `settings.history`, which is also the least."""
    journal: FixedDuration | None = None
    """Lines of the journal; default: `settings.history`."""
    passages: FixedDuration | None = None
    """Passages through journeys after their end; default: `settings.history`, which is also the least."""
    messages: FixedDuration | None = None
    """The ledger of messages; default: for good."""
    refused: FixedDuration | None = None
    """What came and could not be taken; default: the last 10,000, however old."""


class CatalogOptions(FileModel):
    """`catalogs: {products: {rows: true, price: price, stock: stock}}`."""

    rows: Flag = False
    """The database keeps it as rows that change; its file is only the first content."""
    price: Plain = "price"
    """The column that `price_drop` looks at."""
    stock: Plain = "stock"
    """The column that `back_in_stock` looks at: a number, true or false, or a feed's words."""
    fold: FixedDuration = "5m"
    """Changes of one item within this time are one."""
    viewed: Who | None = None
    """The event by which a customer looks at an item."""
    bought: Who | None = None
    """The event by which a customer buys one."""


class IdentityLimits(FileModel):
    """`limits: {identifiers: 50, merges_per_day: 20}`."""

    identifiers: Positive = 50
    """How many identifiers of one kind a customer may have."""
    merges_per_day: Positive = 20
    """How many others may become part of one customer within 24 hours."""


_Joining = Literal["external", "anonymous", "email", "phone"]


def _ids_of_people() -> list[_Joining]:
    return ["external", "anonymous"]


class Identity(FileModel):
    """`identity: {merge: [external, anonymous], never: [kiosk-7], limits: {merges_per_day: 5}}`."""

    merge: Annotated[list[_Joining], OneOrMany()] = Field(default_factory=_ids_of_people)
    """Kinds of identifiers by which two customers become one; without `external`, an alias joins nobody."""
    never: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """Values that are nobody's id, beside null, undefined, guest and their like."""
    limits: IdentityLimits = Field(default_factory=IdentityLimits)
    """What stops merges that run away."""


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
    scores: dict[Name, Annotated[Score, EmptyWhenNull(dict)]] = Field(default_factory=dict)
    """Scores of customers by name: points that rules add, and that fade."""
    rfm: Rfm | None = None
    """Classes of customers by recency, frequency and value of what they bought; default: none."""
    topics: dict[Name, Topic] = Field(default_factory=dict)
    """What messages are about; a topic sets their class."""
    quiet_hours: QuietHours | None = None
    """When promotional and service messages are held back; default: never."""
    tracking: Tracking = Field(default_factory=Tracking)
    """What is found out about who reads messages; default: nothing."""
    compliance: Annotated[dict[Name, Annotated[PackOptions, EmptyWhenNull(dict)]], PackNames()] = Field(
        default_factory=dict
    )
    """The compliance packs to keep, by the customer's country: us, eu, uk, ca, cn; `auto`: all of them."""
    holdout: Percent = 0.0
    """A sticky control group of all customers, whom no journey treats."""
    caps: Annotated[list[Cap], OneOrMany()] = Field(default_factory=no_items)
    """How many messages one customer may get."""
    channels: Channels = Field(default_factory=Channels)
    """The channels that are configured."""
    queues: dict[Name, Annotated[Queue, EmptyWhenNull(dict)]] = Field(default_factory=dict)
    """The teams that take tasks."""
    settings: Settings = Field(default_factory=Settings)
    """How the engine treats time and data."""
    catalogs: dict[Name, Annotated[CatalogOptions, EmptyWhenNull(dict)]] = Field(default_factory=dict)
    """Catalogs that are more than files, by name."""
    retention: Retention = Field(default_factory=Retention)
    """How long rows are kept; consents and their ledger are kept for good."""

    identity: Identity = Field(default_factory=Identity)
    """Who is who: when two customers become one."""
    webhooks: dict[Name, Webhook] = Field(default_factory=dict)
    """Others that hear what is decided, by name."""

    LATER: ClassVar[Mapping[str, str]] = {"sms_rules": "SMS rules by country"}
