"""One route of the API: what it takes, what it gives, and who may call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from pydantic import BaseModel

from orchestrator.http.api.call import Answer, Call
from orchestrator.http.api.values import LONGEST_ID, Parameter

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Schema = type[BaseModel] | Mapping[str, Any]
"""A pydantic model, or a JSON schema as it stands."""
Endpoint = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Operation:
    """See `Api.add` for the fields."""

    method: Method
    path: str
    segments: tuple[str, ...]
    endpoint: Endpoint
    scope: str
    summary: str
    description: str
    tag: str
    name: str
    answer: Schema | None
    status: int
    media: str
    body: Schema | None
    body_required: bool
    query: tuple[Parameter, ...]
    paged: bool
    tagged: bool
    versioned: bool
    refusals: Mapping[int, str]
    longest_body: int

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    def match(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """The values of the path's names, of a path that is this operation's; `segments` are still encoded."""
        if len(segments) != len(self.segments):
            return None
        values = {}
        for expected, given in zip(self.segments, segments, strict=True):
            if expected.startswith("{"):
                values[expected[1:-1]] = given
            elif expected != given:
                return None
        return values


def decoded(values: Mapping[str, str]) -> dict[str, str] | None:
    """The values of a path; None where nothing can have such a name."""
    out = {}
    for name, given in values.items():
        try:
            value = unquote(given, errors="strict")
        except UnicodeDecodeError:
            return None
        if not 0 < len(value) <= LONGEST_ID or "\0" in value:
            return None
        out[name] = value
    return out
