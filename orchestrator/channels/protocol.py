"""A channel's adapter: it takes rendered messages and says what became of each. Every adapter signs the same
contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol


class Attachment(NamedTuple):
    """A file that goes with a message. `content_id`: a picture that the HTML shows as `cid:`; else it is attached."""

    name: str
    media_type: str
    data: bytes
    content_id: str | None = None


class Outgoing(NamedTuple):
    """A message as a provider gets it. `id` is the idempotency key.

    `unsubscribe_url` is where one click unsubscribes (promotional and service mail). `at` is the instant that the
    message shows as its date; None: an adapter that needs one asks its own clock. `provider` holds what the template's
    front matter says for providers (`provider:`), rendered: a template's code there, its parameters. `bounce_mark`
    signs the id in the envelope's sender and in the mail's header (core/verp.py).
    """

    id: str
    channel: str
    to: str
    subject: str | None
    text: str
    html: str | None = None
    sender: str | None = None
    reply_to: str | None = None
    headers: Mapping[str, str] | None = None
    unsubscribe_url: str | None = None
    at: datetime | None = None
    journey: str | None = None
    topic: str | None = None
    klass: str | None = None
    locale: str | None = None
    provider: Mapping[str, Any] | None = None
    attachments: Sequence[Attachment] = ()
    bounce_mark: str | None = None


outgoing: Callable[[tuple[Any, ...]], Outgoing] = partial(tuple.__new__, Outgoing)
"""A message from all its fields in their order, without the calls that `Outgoing(...)` takes."""


class Answer(NamedTuple):
    """What the provider said about one message.

    accepted: it took it (`reference`: under this id of its own). rejected: refused for good (`reason`). retry: refused
    for now, and certainly not taken; `after` seconds if it said when. unknown: the answer was lost, it may have it.
    `receipts` come with the answer: `bounce` (there is no such mailbox) or `complaint`.
    `down`: with retry, it is the provider or our account that is out of order, and any other message would fare alike.
    `gone` are references of devices (core/devices.py) that the provider no longer knows: the profile forgets them.
    """

    outcome: Literal["accepted", "rejected", "retry", "unknown"]
    reason: str | None = None
    receipts: tuple[str, ...] = ()
    reference: str | None = None
    after: float | None = None
    down: bool = False
    gone: tuple[str, ...] = ()


class Channel(Protocol):
    """One way to reach people. `tests/channels/contract.py` is this contract as tests: a new adapter plugs in there."""

    @property
    def idempotent(self) -> bool:
        """Whether the provider takes our id as a key, so that sending a message again changes nothing."""

    @property
    def width(self) -> int:
        """How many messages may be in its hands at once; whoever calls `send` gives it groups of at most so many."""

    @property
    def rate(self) -> float | None:
        """How many messages a second it takes, on average; None: as many as come."""

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Hand messages over; one answer each, in the same order. Never raises for a single message."""

    def close(self) -> None:
        """Give back connections and threads; may be called twice. Nothing may be sent afterwards."""


class Caller(Protocol):
    """Makes the calls of `fetch` and `webhook`."""

    def call(self, request: Any) -> tuple[int | None, Any, str | None]:
        """(status, body, error): status None means that no answer came."""
