"""`wait`: for a time, or for something that happens."""

from __future__ import annotations

from typing import Any, assert_never

from orchestrator.core.expression.text import quoted
from orchestrator.core.program import (
    Step,
    UntilEvent,
    UntilTrue,
    WaitSomething,
    WaitUntilDate,
    WaitUntilTime,
)
from orchestrator.core.program import WaitFor as ProgramWaitFor
from orchestrator.core.program import WaitWindow as ProgramWaitWindow
from orchestrator.definitions.compiler.fields import DATE
from orchestrator.definitions.compiler.spot import Spot
from orchestrator.definitions.compiler.tree import ELSE, THEN
from orchestrator.definitions.compiler.types import event_record
from orchestrator.definitions.models.flow import WaitStep
from orchestrator.definitions.models.waits import (
    AnyEvent,
    AnySegment,
    AnyWhen,
    Happening,
    WaitAny,
    WaitEvent,
    WaitFor,
    WaitSegment,
    WaitUntil,
    WaitWhen,
    WaitWindow,
)
from orchestrator.definitions.source import Path

Alternative = UntilEvent | UntilTrue


def compile_wait(model: WaitStep, spot: Spot) -> Step:
    """`wait:` in all its forms."""
    path = (*spot.path, "wait")
    match model.wait:
        case WaitFor() as wait:
            duration, expr = spot.fields.duration_or_expression(wait.for_, (*path, "for"), spot.names)
            return ProgramWaitFor(duration=duration, expr=expr, if_past=wait.if_past, **spot.shared)
        case WaitUntil() as wait:
            return _until(wait, path, spot)
        case WaitWindow() as wait:
            window = spot.fields.window(wait.window, (*path, "window"))
            days = spot.fields.days(wait.on, (*path, "on"))
            return ProgramWaitWindow(window=window, days=days, if_past=wait.if_past, **spot.shared)
        case WaitEvent() | WaitWhen() | WaitSegment() | WaitAny() as wait:
            return _something(wait, path, spot)
        case _:
            assert_never(model.wait)


def _until(wait: WaitUntil, path: Path, spot: Spot) -> Step:
    """`until: "09:00"` or `until: EXPR`."""
    fields = spot.fields
    days = fields.days(wait.on, (*path, "on"))
    if fields.looks_like_time(wait.until):
        for key, given in (("offset", wait.offset), ("at", wait.at)):
            if given is not None:
                message = f"`{key}` stands with a date, and `until` is a time of day here"
                fields.complain((*path, key), "bad_value", message, "name a date in `until`, or leave it out", key=True)
        time_of_day = fields.time_of_day(wait.until.strip(), (*path, "until"))
        assert time_of_day is not None
        return WaitUntilTime(time=time_of_day, days=days, if_past=wait.if_past, **spot.shared)
    until = fields.expression(wait.until, (*path, "until"), spot.names, DATE)
    offset, offset_expr = fields.duration_or_expression(wait.offset, (*path, "offset"), spot.names, negative=True)
    if wait.at is not None and offset is not None and offset.has_elapsed:
        fields.offset_beside_at(offset, (*path, "offset"))
    return WaitUntilDate(
        until=until,
        offset=offset,
        offset_expr=offset_expr,
        at=fields.time_of_day(wait.at, (*path, "at")),
        days=days,
        if_past=wait.if_past,
        **spot.shared,
    )


def _something(wait: Happening, path: Path, spot: Spot) -> WaitSomething:
    targets = spot.place.targets
    return WaitSomething(
        alternatives=_alternatives(wait, path, spot),
        up_to=spot.fields.duration(wait.up_to, (*path, "up_to")),
        as_name=wait.as_,
        then=targets[THEN],
        otherwise=targets[ELSE],
        **spot.shared,
    )


def _alternatives(wait: Happening, path: Path, spot: Spot) -> tuple[Alternative, ...]:
    if isinstance(wait, WaitAny):
        return tuple(_alternative(item, (*path, "any", number), spot) for number, item in enumerate(wait.any))
    return (_alternative(wait, path, spot),)


def _alternative(item: Any, path: Path, spot: Spot) -> Alternative:
    match item:
        case WaitEvent() | AnyEvent():
            names = spot.names.seeing_event(event_record(item.event, spot.names.types))
            return UntilEvent(item.event, spot.fields.optional(item.where, (*path, "where"), names))
        case WaitWhen() | AnyWhen():
            return UntilTrue(spot.fields.expression(item.when, (*path, "when"), spot.names))
        case WaitSegment() | AnySegment():
            condition = f"in_segment({quoted(item.segment)})"
            when = spot.fields.expression(condition, (*path, "segment"), spot.names, at=None)
            return UntilTrue(when, item.segment)
        case _:
            raise TypeError(f"{type(item).__name__} is nothing to wait for")
