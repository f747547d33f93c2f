"""A channel's adapter: it takes rendered messages and says what became of each. Every adapter signs the same
contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol


class Outgoing(NamedTuple):
    """A message as a provider gets it. `id` is the idempotency key."""

    id: str
    channel: str
    to: str
    subject: str | None
    text: str
    html: str | None = None
    sender: str | None = None
    reply_to: str | None = None
    headers: Mapping[str, str] | None = None


class Answer(NamedTuple):
    """What the provider said about one message.

    accepted: it took it. rejected: refused for good (`reason`). unknown: the answer was lost, it may have taken it.
    `receipts` are what a simulated provider reports at once: bounce or complaint.
    """

    outcome: Literal["accepted", "rejected", "unknown"]
    reason: str | None = None
    receipts: tuple[str, ...] = ()


class Channel(Protocol):
    """One way to reach people."""

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Hand messages over; one answer each, in the same order. Never raises for a single message."""


class Caller(Protocol):
    """Makes the calls of `fetch` and `webhook`."""

    def call(self, request: Any) -> tuple[int | None, Any, str | None]:
        """(status, body, error): status None means that no answer came."""
