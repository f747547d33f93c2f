"""What `wait` takes: a time, or something that happens (the language reference, sections 3 and 5)."""

from typing import Annotated, Any, ClassVar, Literal

from typing_extensions import TypeAliasType

from orchestrator.definitions.faults import fault
from orchestrator.definitions.field_kinds import (
    DurationOrExpression,
    Expression,
    Name,
    OneOf,
    Plain,
    ResultName,
    UntilText,
    ZoneOrExpression,
)
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.shapes import ByKey
from orchestrator.definitions.time_kinds import Days, DurationText, TimeOfDay, WindowText

IfPast = Annotated[Literal["continue", "skip_next", "exit"], OneOf()]


class WaitBase(FileModel):
    """What every wait takes."""

    FOR_SOMETHING: ClassVar[bool] = False
    """Waits for something to happen, so that `then` and `else` may follow."""


class TimeWait(WaitBase):
    """What waits for a time take."""

    if_past: IfPast = "continue"
    """Where the time has passed: continue, skip_next (leaves the next step out), or exit."""
    timezone: ZoneOrExpression | None = None
    """The zone of this wait: `customer`, an IANA zone, or an expression."""


class WaitFor(TimeWait):
    """`wait: 3d`, `wait: {for: 1h30m}`."""

    for_: DurationOrExpression
    """How long: s, m, h are elapsed time; d, w, mo, y keep the local wall clock."""


class WaitUntil(TimeWait):
    """`wait: {until: "09:00"}`, `wait: {until: entry.check_in, offset: -3d, at: "10:00"}`."""

    until: UntilText
    """A local time of day, or an expression that gives a date or an instant."""
    offset: DurationOrExpression | None = None
    """Before (-3d) or after (3d) that date; taken first."""
    at: TimeOfDay | None = None
    """Replaces the time of day."""
    on: Days | None = None
    """Moves forward to the next of these days."""


class WaitWindow(TimeWait):
    """`wait: {window: "08:00-20:00"}`."""

    window: WindowText
    """Local times, the end exclusive; inside it the journey goes on at once."""
    on: Days | None = None
    """Only windows that start on these days."""


class Happening(WaitBase):
    """What waits for something take."""

    FOR_SOMETHING: ClassVar[bool] = True

    up_to: DurationText | None = None
    """At most this long; without it for ever."""
    as_: ResultName | None = None
    """What later steps call what happened: {name, at, ...properties}, or none when time was up."""
    timezone: ZoneOrExpression | None = None
    """The zone in which `up_to` counts days."""


class WaitEvent(Happening):
    """`wait: {event: order_placed, where: ..., up_to: 2d, as: order}`."""

    event: Plain
    """The event's name."""
    where: Expression | None = None
    """Only an event for which this is true."""


class WaitWhen(Happening):
    """`wait: {when: customer.tier == 'gold', up_to: 2d}`."""

    when: Expression
    """Goes on as soon as this is true."""


class WaitSegment(Happening):
    """`wait: {segment: shoppers, up_to: 2d}`."""

    segment: Name
    """Goes on as soon as the customer is in this segment."""


class AnyEvent(FileModel):
    """`{event: order_placed, where: ...}` in a list of `any`."""

    event: Plain
    """The event's name."""
    where: Expression | None = None
    """Only an event for which this is true."""


class AnyWhen(FileModel):
    """`{when: customer.tier == 'gold'}` in a list of `any`."""

    when: Expression
    """True at last."""


class AnySegment(FileModel):
    """`{segment: shoppers}` in a list of `any`."""

    segment: Name
    """The customer is in this segment."""


AnyItem = TypeAliasType(
    "AnyItem",
    Annotated[
        AnyEvent | AnyWhen | AnySegment,
        ByKey(
            "an entry of `any`",
            lambda: {"event": AnyEvent, "when": AnyWhen, "segment": AnySegment},
            ("bad_value", "bad_value"),
            common=frozenset({"where", "up_to", "as"}),
        ),
    ],
)


class WaitAny(Happening):
    """`wait: {any: [{event: a}, {event: b}], up_to: 2d}`."""

    any: list[AnyItem]
    """What is waited for; the first that is true wins, then the order of the list."""


WAITS: dict[str, type[WaitBase]] = {
    "for": WaitFor,
    "until": WaitUntil,
    "window": WaitWindow,
    "event": WaitEvent,
    "when": WaitWhen,
    "segment": WaitSegment,
    "any": WaitAny,
}
"""The kinds of waits by the key that tells them."""


def _bare(value: Any) -> Any:
    """`wait: 3d`. A bare number lacks its unit; a bare time lacks `until`."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return {"for": value}
    if isinstance(value, (int, float)):
        message = f"{{it}} takes a duration, not the number {value}"
        raise fault("wrong_type", message, f"add the unit: {value}m, {value}h or {value}d")
    text = value.strip()
    if ":" in text and text.replace(":", "").isdigit():
        raise fault("bad_value", f"{{it}} takes a duration, and '{text}' is a time", f'write {{until: "{text}"}}')
    return {"for": value}


Wait = TypeAliasType(
    "Wait",
    Annotated[
        WaitFor | WaitUntil | WaitWindow | WaitEvent | WaitWhen | WaitSegment | WaitAny,
        ByKey(
            "a wait",
            lambda: WAITS,
            ("missing_key", "bad_value"),
            common=frozenset({"offset", "at", "on", "if_past", "where", "up_to", "as", "timezone"}),
            scalar=_bare,
            bare={"type": "string", "description": "A duration such as 3d, or an expression that gives one."},
            several="keep one of them; waits that follow each other are steps of their own",
        ),
    ],
)
