"""What was decided, in the past tense: one record a decision, in the words of docs/interfaces.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from orchestrator.core.time.iso import format_instant


class Transition(NamedTuple):
    """One line of the journal.

    `seq` orders the lines of one customer at one instant. `data` holds the keys that docs/interfaces.md lists for the
    type; `values` the facts that the decision was taken on (for `why`), never printed by simulate.
    """

    at: datetime
    customer: str
    seq: int
    type: str
    journey: str | None = None
    version: str | None = None
    key: str | None = None
    step: str | None = None
    data: Mapping[str, Any] = {}
    enrollment: str | None = None
    values: Mapping[str, Any] = {}


transition: Callable[[tuple[Any, ...]], Transition] = partial(tuple.__new__, Transition)
"""A transition from all its fields in their order, without the calls that `Transition(...)` takes."""


def line_of(transition: Transition) -> dict[str, Any]:
    """The transition as simulate prints it: keys without a value are left out, instants are RFC 3339 in UTC."""
    at, customer, _, type_, journey, version, key, step, data, *_ = transition
    line: dict[str, Any] = {"at": format_instant(at), "type": type_, "customer": customer}
    if journey is not None:
        line["journey"] = journey
        if version is not None:
            line["version"] = version
        if key is not None:
            line["key"] = key
        if step is not None:
            line["step"] = step
    for name, value in data.items():
        if value is not None:
            line[name] = value if type(value) is str else jsonable(value)
    return line


def jsonable(value: Any) -> Any:
    """Instants and dates as ISO 8601 text, spans as seconds; everything else as it is."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, dict):
        return {name: jsonable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return f"{int(value.total_seconds())}s"
