"""A journey file (the language reference, section 2)."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from orchestrator.definitions.field_kinds import (
    Data,
    Expression,
    Flag,
    Name,
    OneOf,
    Percent,
    Plain,
    Positive,
    ResultName,
    VersionText,
    ZoneOrExpression,
    whole,
)
from orchestrator.definitions.models.base import FileModel, no_items
from orchestrator.definitions.models.flow import Step
from orchestrator.definitions.models.triggers import Trigger
from orchestrator.definitions.shapes import ByKey, EmptyWhenNull, OneOrMany
from orchestrator.definitions.time_kinds import FixedDuration


class ExitBase(FileModel):
    """What every exit takes."""

    reason: Plain | None = None
    """What `exited` prints; default: the event's name, `when` or `left_segment`."""
    do: Annotated[list[Step], EmptyWhenNull()] = Field(default_factory=no_items)
    """Steps without waits that run once, when someone leaves this way."""


class EventExit(ExitBase):
    """`event: order_placed`."""

    event: Plain
    """The event that ends the enrollment."""
    where: Expression | None = None
    """Only an event for which this is true."""


class WhenExit(ExitBase):
    """`when: customer.email == none`."""

    when: Expression
    """Ends the enrollment as soon as this is true."""


class LeftSegmentExit(ExitBase):
    """`left_segment: shoppers`."""

    left_segment: Name
    """Ends the enrollment as soon as the customer is not in this segment."""


EXITS: dict[str, type[ExitBase]] = {"event": EventExit, "when": WhenExit, "left_segment": LeftSegmentExit}
"""The kinds of exits by their key."""

Exit = TypeAliasType(
    "Exit",
    Annotated[
        EventExit | WhenExit | LeftSegmentExit,
        ByKey(
            "an exit",
            lambda: EXITS,
            ("missing_key", "bad_value"),
            common=ExitBase.known_keys() | {"where"},
        ),
    ],
)


class Update(FileModel):
    """`update: {event: cart_updated, where: ...}`."""

    event: Plain
    """The event whose properties are merged into `entry`."""
    where: Expression | None = None
    """Only an event for which this is true."""


class Goal(FileModel):
    """`goal: {event: order_placed, within: 7d, value: event.total, currency: event.currency, exit: true}`."""

    event: Plain
    """The event that is the journey's success."""
    where: Expression | None = None
    """Only an event for which this is true."""
    within: FixedDuration | None = None
    """Counted from entry, whether or not the enrollment still runs; d is 24 hours."""
    value: Expression | None = None
    """What it is worth."""
    currency: Expression | None = None
    """The money of the value."""
    exit: Flag = False
    """Reaching it ends the enrollment."""


class Throttle(FileModel):
    """`throttle: {max: 20000, per: 1h}`."""

    max: Positive
    """So many messages at most."""
    per: FixedDuration
    """In any time of this length."""


class Limits(FileModel):
    """`limits: {entries_per_day: 20000, messages_total: 100000}`."""

    entries_per_day: Positive | None = None
    """Further entries of the day are refused."""
    messages_total: Positive | None = None
    """Further messages are suppressed."""


class Late(FileModel):
    """`late: {after: 6h, then: continue}`."""

    after: FixedDuration
    """How late a step may be."""
    then: Annotated[Literal["continue", "skip_messages", "exit"], OneOf()] = "continue"
    """What happens when it is later."""


class Migrate(FileModel):
    """`migrate: {from: any, map: {old_step: new_step}, removed: next}`."""

    from_: Annotated[list[VersionText], OneOrMany()] = Field(default_factory=lambda: ["any"])
    """Whom it moves: those who wait in `any` older version, or in these."""
    map: Annotated[dict[Name, Name], EmptyWhenNull(dict)] = Field(default_factory=dict)
    """Steps of older versions that are called otherwise here: whoever stands on one then stands before the other."""
    removed: Annotated[Literal["next", "exit"], OneOf()] = "next"
    """What becomes of those whose step is here no more: they go on behind it, or leave."""

    INSTEAD: ClassVar[Mapping[str, str]] = {"steps": "map", "rename": "map", "versions": "from", "deleted": "removed"}


class JourneyModel(FileModel):
    """A journey: who enters, what happens, and when it ends."""

    journey: Name
    """The journey's id; equal to the file's name."""
    title: Plain | None = None
    """What people call it."""
    note: Plain | None = None
    """A remark for people."""
    stage: Name | None = None
    """The stage of the customer's life that it belongs to."""
    topic: Name | None = None
    """The default topic of its messages."""
    timezone: ZoneOrExpression = "customer"
    """The zone of every wait, window and quiet hour: `customer`, an IANA zone, or an expression."""
    vars: dict[ResultName, Expression] = Field(default_factory=dict)
    """Named expressions, evaluated when used, in order."""
    enter: Annotated[list[Trigger], OneOrMany()]
    """How customers enter: one trigger or a list."""
    exit: Annotated[list[Exit], OneOrMany()] = Field(default_factory=no_items)
    """What ends it early, also in the middle of a wait: one or a list."""
    update: Annotated[list[Update], OneOrMany()] = Field(default_factory=no_items)
    """Events whose properties are merged into `entry`: one or a list."""
    goal: Goal | None = None
    """What counts as success."""
    holdout: Percent = 0.0
    """The percentage of customers who hear nothing, to measure against."""
    priority: Annotated[int, whole(0, 100)] = 50
    """0 to 100: the order in which what one customer has due in one turn is taken."""
    throttle: Throttle | None = None
    """How fast its messages leave."""
    limits: Limits | None = None
    """Circuit breakers."""
    late: Late | None = None
    """What happens to a step that comes late."""
    migrate: Migrate | None = None
    """Who waits in an older version when this one is deployed goes on in this one."""
    steps: Annotated[list[Step], EmptyWhenNull()]
    """What happens, in order."""
    tests: Data = None
    """Given/expect tests of this journey (section 11)."""

    INSTEAD: ClassVar[Mapping[str, str]] = {
        "id": "journey",
        "name": "title",
        "trigger": "enter",
        "triggers": "enter",
        "on": "enter",
        "variables": "vars",
        "actions": "steps",
        "control": "holdout",
    }
    LATER: ClassVar[Mapping[str, str]] = {
        "inputs": "journey patterns",
        "use": "journey patterns",
    }
