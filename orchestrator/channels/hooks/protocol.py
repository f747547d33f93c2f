"""What providers send back (`POST /hooks/{provider}`): each one's form of it is read by one small module.

A hook checks that the provider said it, and turns it into words that all providers share. It knows no store and no
clock of its own; what follows from its words is `orchestrator.runtime.hooks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol, TypeAlias

ToldKind: TypeAlias = Literal[
    "sent", "delivered", "failed", "open", "click", "reply", "bounce", "soft_bounce", "complaint", "unsubscribe"
]


class Posted(NamedTuple):
    """A request as it came. `url` is the whole address as the provider was given it (signatures cover it); `headers`
    have names in lower case; `at` is the actual instant."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime


class Part(NamedTuple):
    """Which part of a longer text this is: the number of all that belong together (`reference`), its place from 1 on,
    and how many there are."""

    reference: str
    number: int
    total: int


class Told(NamedTuple):
    """One thing that a provider said. `event_id` is the same whenever it says the same thing again.

    `message_id` is ours, where the provider gives it back; `address` is whom it is about (a reply: who wrote). A
    `bounce` is for good (there is no such mailbox, the number is not in service), a `soft_bounce` is not.
    `part`: `text` is a piece, and means nothing alone.
    """

    kind: ToldKind
    channel: str
    event_id: str
    message_id: str | None = None
    address: str | None = None
    at: datetime | None = None
    text: str | None = None
    url: str | None = None
    reason: str | None = None
    part: Part | None = None


class HookRefused(Exception):
    """It is not from the provider, or cannot be read. `status` is the answer's: 401 or 403 for a wrong signature."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Heard(NamedTuple):
    """What a request said, and what the provider wants to hear: most want nothing but 200."""

    told: Sequence[Told] = ()
    answer: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    visit: str | None = None
    """A URL that has to be called to confirm a subscription; it was checked to be the provider's."""


class Hook(Protocol):
    """One provider's way. `tests/channels/hooks/contract.py` is this contract as tests."""

    @property
    def provider(self) -> str:
        """The last part of its address: /hooks/{provider}."""

    def read(self, posted: Posted) -> Heard:
        """Check the signature, then read. Raises HookRefused; never anything else, whatever the body holds."""
