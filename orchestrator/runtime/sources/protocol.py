"""A source: a shop, a payment service or any other system that posts what happened there, in its own words.

What it sent is verified first, by its signature over the raw body, and only then read. Reading is a table: kinds that a
source does not know are left out and counted, never refused, because who sends them would stop sending the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from orchestrator.runtime.ingest import Incoming, Told


class Came(NamedTuple):
    """A request as it came. `headers` by small letters; `at` is the real instant."""

    headers: Mapping[str, str]
    body: bytes
    at: datetime


class Note(NamedTuple):
    """What people have to know of: it goes to the audit log."""

    action: str
    detail: str


class Read(NamedTuple):
    """What a request says. `erase`: customers whom the source asks to forget; `left`: what could not be taken of it, as
    (code, reason); `ignored`: a kind that the source has no words for."""

    items: tuple[Incoming | Told, ...] = ()
    erase: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    left: tuple[tuple[str, str], ...] = ()
    ignored: str | None = None


IGNORED: Final = Read()


class SourceRefused(Exception):
    """A request that is not taken: 401, where it is not the source's own; 400, where it cannot be read."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        self.status = status
        self.code = code
        self.reason = reason
        super().__init__(reason)


Parse = Callable[[bytes], Any]
"""Reads JSON strictly. Raises SourceRefused (400)."""


class Source(Protocol):
    """One configured source."""

    @property
    def name(self) -> str:
        """As in `/v1/sources/NAME`."""

    def verify(self, came: Came) -> None:
        """Nothing, when the request is the source's own. Raises SourceRefused (401)."""

    def read(self, came: Came, parse: Parse, now: datetime) -> Read:
        """What a verified request says; `now` is its arrival. Raises SourceRefused (400)."""
