"""The types of what an API request and its answer hold, for bodies (pydantic models) and parameters.

A body is a subclass of `Body`, read strictly: no other keys, no number in a text. An answer is a subclass of `Shown`,
or a JSON schema: it only describes; endpoints give plain dicts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from orchestrator.core.time.iso import format_instant, parse_instant

LONGEST_ID: Final = 512
_UNFIT: Final = re.compile("[\x00\ud800-\udfff]")


class Body(BaseModel):
    """What a request's body holds."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Shown(BaseModel):
    """What an answer holds: a description, of which no object is ever made."""

    model_config = ConfigDict(extra="allow")


def _instant(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("expected an instant with a zone, such as '2026-03-01T10:00:00Z'")
    return parse_instant(value)


Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
"""The brand's own id of something, or ours."""
Name = Annotated[str, Field(min_length=1, max_length=200)]
"""A name that stands in the project's files: a journey, a segment, an offer."""
Text = Annotated[str, Field(max_length=2_000)]
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-01T10:00:00Z"]}),
]
"""RFC 3339 with a zone."""
InstantShown = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""An instant in an answer, as `shown` writes it."""


def shown(at: datetime | None) -> str | None:
    """An instant in an answer."""
    return None if at is None else format_instant(at)


def unfit(value: Any) -> bool:
    """Whether a text in a JSON value holds what no database takes: U+0000, or half of a character."""
    if isinstance(value, str):
        return _UNFIT.search(value) is not None
    if isinstance(value, dict):
        return any(unfit(name) or unfit(one) for name, one in value.items())
    return isinstance(value, list) and any(map(unfit, value))


# --- parameters -------------------------------------------------------------------------------------------------------


class Parameter(NamedTuple):
    """A parameter of a query. `read` makes a value of its text; raises ValueError with what was expected."""

    name: str
    description: str
    schema: dict[str, Any]
    read: Callable[[str], Any]
    required: bool = False
    place: str = "query"


def text(name: str, description: str, longest: int = LONGEST_ID, required: bool = False) -> Parameter:
    """Any text that is not empty."""

    def read(given: str) -> str:
        if not 0 < len(given) <= longest:
            raise ValueError(f"expected 1 to {longest} characters")
        return given

    return Parameter(name, description, {"type": "string", "minLength": 1, "maxLength": longest}, read, required)


def choice(name: str, description: str, values: Sequence[str], required: bool = False) -> Parameter:
    """One of some words."""

    def read(given: str) -> str:
        if given not in values:
            raise ValueError(f"expected {', '.join(values)}")
        return given

    return Parameter(name, description, {"type": "string", "enum": list(values)}, read, required)


def whole(name: str, description: str, least: int, most: int) -> Parameter:
    """A whole number."""

    def read(given: str) -> int:
        if not (given.isascii() and given.lstrip("-").isdigit() and len(given) < 19 and least <= int(given) <= most):
            raise ValueError(f"expected a number from {least} to {most}")
        return int(given)

    return Parameter(name, description, {"type": "integer", "minimum": least, "maximum": most}, read)


def instant(name: str, description: str) -> Parameter:
    """RFC 3339 with a zone (a `+` has to be written as %2B)."""
    return Parameter(name, description, {"type": "string", "format": "date-time"}, parse_instant)


def flag(name: str, description: str) -> Parameter:
    """true or false."""

    def read(given: str) -> bool:
        if given not in ("true", "false"):
            raise ValueError("expected true or false")
        return given == "true"

    return Parameter(name, description, {"type": "boolean"}, read)


def items_of(shown: type[Shown]) -> dict[str, Any]:
    """The schema of a list that is given whole. A schema may hold models where a schema would stand."""
    return {"type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": shown}}}
