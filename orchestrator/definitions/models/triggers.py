"""How a journey is entered: `enter`, one trigger or a list (the language reference, section 2)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from orchestrator.definitions.field_kinds import (
    AttributePath,
    CustomerOrZone,
    Data,
    DurationOrExpression,
    Expression,
    Flag,
    Name,
    Number,
    OneOf,
    OnlyTrue,
    Percent,
    Plain,
)
from orchestrator.definitions.models.base import FileModel, no_items
from orchestrator.definitions.shapes import ByKey, OneOrMany, Shorthand, TextOr
from orchestrator.definitions.time_kinds import CronText, FixedDuration, LocalDateTime, TimeOfDay


class ReentryAfter(FileModel):
    """`reentry: {after: 7d, since: entry}`."""

    after: FixedDuration
    """How long after the last time the same key may enter again; d is 24 hours."""
    since: Annotated[Literal["entry", "exit", "message"], OneOf()] = "entry"
    """What the time counts from: the last entry, its exit, or its last message."""


_NeverAlways = Annotated[Literal["never", "always"], OneOf("{after: 7d}")]
Reentry = Annotated[ReentryAfter | Literal["never", "always"], TextOr(_NeverAlways, ReentryAfter)]
Existing = Annotated[Literal["include", "exclude"], OneOf()]


class TriggerBase(FileModel):
    """What every trigger takes."""

    KIND: ClassVar[str] = ""

    id: Name | None = None
    """The trigger's own name, which `entry.trigger` says; without it its kind."""
    where: Expression | None = None
    """Only where this is true. The event, the entry and the customer can be looked at."""
    key: Expression | None = None
    """One enrollment for each value of this; default: the customer, or the occurrence."""
    reentry: Reentry | None = None
    """When the same key may enter again: never (default), always, or {after:, since:}."""
    overlap: Annotated[Literal["refuse", "restart", "parallel"], OneOf()] | None = None
    """What a second entry does while one with the same key runs; default refuse."""
    unless_in: Annotated[list[Name], OneOrMany()] = Field(default_factory=no_items)
    """Refused while the customer is in one of these journeys."""

    @property
    def kind(self) -> str:
        """The key that tells the trigger: event, segment, schedule ..."""
        return self.KIND


class EventTrigger(TriggerBase):
    """`event: cart_updated`: each such event."""

    KIND: ClassVar[str] = "event"

    event: Plain
    """The event's name."""


class SegmentTrigger(TriggerBase):
    """`segment: shoppers`: when a customer enters or leaves a segment."""

    KIND: ClassVar[str] = "segment"

    segment: Name
    """The segment's name."""
    edge: Annotated[Literal["entered", "left"], OneOf()] = "entered"
    """Which change counts."""
    existing: Existing = "exclude"
    """Whether those who qualify at the journey's first deploy enter."""


class AttributeTrigger(TriggerBase):
    """`attribute: customer.plan`: when the stored value changes, also from none; never by an import."""

    KIND: ClassVar[str] = "attribute"

    attribute: AttributePath
    """The attribute, such as customer.plan."""
    from_: Data = None
    """Only changes from this value; absent: from any."""
    to: Data = None
    """Only changes to this value; absent: to any."""
    existing: Existing = "exclude"
    """Whether those who qualify at the journey's first deploy enter."""

    @property
    def has_from(self) -> bool:
        """`from` is written, be it as null."""
        return "from_" in self.model_fields_set

    @property
    def has_to(self) -> bool:
        """`to` is written, be it as null."""
        return "to" in self.model_fields_set


class ScheduleTrigger(TriggerBase):
    """`schedule: "0 9 * * MON"`: again and again, at local times."""

    KIND: ClassVar[str] = "schedule"

    schedule: CronText
    """When, in five cron fields: minute, hour, day, month, weekday."""
    segment: Name | None = None
    """Who; default: all customers."""
    timezone: CustomerOrZone | None = None
    """Whose clock: `customer` or an IANA zone; default: the journey's."""


class OnceTrigger(TriggerBase):
    """`once: 2026-11-27T10:00`: a one-off campaign."""

    KIND: ClassVar[str] = "once"

    once: LocalDateTime
    """The local date and time."""
    segment: Name | None = None
    """Who; default: all customers."""
    timezone: CustomerOrZone | None = None
    """Whose clock: `customer` or an IANA zone; default: the journey's."""
    spread: FixedDuration | None = None
    """Entries are spread evenly over this time."""


class DateTrigger(TriggerBase):
    """`date: customer.birthday`: on a date that the customer has."""

    KIND: ClassVar[str] = "date"

    date: AttributePath
    """The attribute that holds the date."""
    offset: DurationOrExpression | None = None
    """Before (-7d) or after (7d) the date."""
    at: TimeOfDay = "00:00"
    """The local time of day."""
    every: Annotated[Literal["once", "year", "month"], OneOf()] = "once"
    """How often the date comes back."""
    calendar: Annotated[Literal["gregorian", "chinese"], OneOf()] = "gregorian"
    """The calendar in which it comes back."""
    if_missed: Annotated[Literal["skip", "enter"], OneOf()] = "skip"
    """What happens where the instant had passed when the date became known."""


class Inactivity(FileModel):
    """`inactive: {event: order_placed, for: 60d}`."""

    event: Plain
    """The event that has not happened."""
    for_: FixedDuration
    """For how long; d is 24 hours."""
    or_never: Flag = False
    """Also customers who never had one, counted from created_at."""


class InactiveTrigger(TriggerBase):
    """`inactive:`: when an event has not happened for a while."""

    KIND: ClassVar[str] = "inactive"

    inactive: Inactivity
    """Which event, and for how long."""
    existing: Existing = "exclude"
    """Whether those who qualify at the journey's first deploy enter."""


class StageChange(FileModel):
    """`stage: {to: loyalty}`."""

    to: Name | None = None
    """The stage that is reached; absent: any."""
    from_: Name | None = None
    """The stage that is left; absent: any."""


class StageTrigger(TriggerBase):
    """`stage:`: when a customer's stage changes."""

    KIND: ClassVar[str] = "stage"

    stage: Annotated[StageChange, Shorthand("to")]
    """The change; a bare name is the stage that is reached."""
    existing: Existing = "exclude"
    """Whether those who qualify at the journey's first deploy enter."""


class ScoreCrossing(FileModel):
    """`score: {name: lead, crosses: 80}`."""

    name: Name
    """The score, from project.yaml."""
    crosses: Number
    """The bound: upwards from below it to at least it."""
    direction: Annotated[Literal["up", "down"], OneOf()] = "up"
    """down: from at least the bound to below it, also where points merely fade."""


class ScoreTrigger(TriggerBase):
    """`score:`: when a score crosses a bound."""

    KIND: ClassVar[str] = "score"

    score: ScoreCrossing
    """Which score, and which bound."""


class Inbound(FileModel):
    """`inbound: {channel: sms, keyword: YES}`."""

    channel: Annotated[Literal["sms", "email", "whatsapp", "wechat"], OneOf()]
    """Where it was written."""
    keyword: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """The first word of the reply, or the whole of it, in any case; a list: one of these; absent: whatever it says."""


class InboundTrigger(TriggerBase):
    """`inbound:`: when a customer writes back."""

    KIND: ClassVar[str] = "inbound"

    inbound: Annotated[Inbound, Shorthand("channel")]
    """Where, and which word; a bare name is the channel."""

    @property
    def event(self) -> str:
        """The built-in event that tells of it."""
        return f"{self.inbound.channel}_received"


class Who(FileModel):
    """`who: {event: product_viewed, property: sku, within: 30d}`."""

    event: Plain
    """What they did."""
    property: Plain
    """The event's property that names the item; `items.sku` looks into a list."""
    within: FixedDuration = "30d"
    """For how long it counts; d is 24 hours."""
    field: Plain | None = None
    """The row's column that the property must be equal to; default: its key."""


class CatalogTrigger(TriggerBase):
    """`catalog: products`: when a row of a catalog changes, for those whom it concerns."""

    KIND: ClassVar[str] = "catalog"

    catalog: Name
    """The catalog, which project.yaml keeps as rows."""
    on: Annotated[
        list[Annotated[Literal["price_drop", "back_in_stock", "changed", "added", "removed"], OneOf()]], OneOrMany()
    ]
    """Which changes count; the first that fits is `entry.change`."""
    by: Percent = 0.0
    """The least drop of a price."""
    fields: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """Columns whose change counts as `changed`; default: any."""
    who: Annotated[list[Who], OneOrMany()] = Field(default_factory=no_items)
    """Whom it concerns: customers with one of these events; default: the catalog's `viewed` in project.yaml."""


class ApiTrigger(TriggerBase):
    """`api: true`: by hand, by API, or by another journey's `enroll`."""

    KIND: ClassVar[str] = "api"

    api: OnlyTrue
    """Always true."""


class UploadTrigger(TriggerBase):
    """`upload: new_leads`: each row of a table that is uploaded under this name."""

    KIND: ClassVar[str] = "upload"

    upload: Name
    """The name under which tables are uploaded: `orchestrator import upload NAME FILE`."""


TRIGGERS: dict[str, type[TriggerBase]] = {
    model.KIND: model
    for model in (
        EventTrigger, SegmentTrigger, AttributeTrigger, ScheduleTrigger, OnceTrigger, DateTrigger, InactiveTrigger,
        StageTrigger, ScoreTrigger, InboundTrigger, CatalogTrigger, ApiTrigger, UploadTrigger,
    )
}  # fmt: skip
"""The kinds of triggers by their key."""

Trigger = TypeAliasType(
    "Trigger",
    Annotated[
        EventTrigger | SegmentTrigger | AttributeTrigger | ScheduleTrigger | OnceTrigger | DateTrigger
        | InactiveTrigger | StageTrigger | ScoreTrigger | InboundTrigger | CatalogTrigger | ApiTrigger | UploadTrigger,
        ByKey(
            "a trigger",
            lambda: TRIGGERS,
            ("no_trigger", "two_triggers"),
            common=TriggerBase.known_keys() | {"edge", "existing", "timezone", "spread", "offset", "at", "every"},
            yields={"segment": frozenset({"schedule", "once"})},
        ),
    ],
)  # fmt: skip
