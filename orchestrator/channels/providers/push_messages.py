"""What all push services are told about a message, read once from the fields of its template."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple, Protocol
from uuid import NAMESPACE_URL, uuid5

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers.adapter import Refused
from orchestrator.channels.providers.signing_jwt import unpadded
from orchestrator.core.devices import Device
from orchestrator.core.time.durations import parse_fixed

DEFAULT_TTL: Final = 3 * 86_400
"""Seconds for which a service keeps a message for a device that is off."""
LONGEST_TTL: Final = 28 * 86_400
"""FCM keeps messages for four weeks, APNs for thirty days."""
LONGEST_COLLAPSE: Final = 64
URGENCIES: Final = ("very-low", "low", "normal", "high")


class Push(NamedTuple):
    """A push message. `id` is ours, `uuid` the same as a UUID. `ttl` in seconds. `tag`: of several shown messages with
    one tag the last remains, so that a message that comes twice is shown once."""

    id: str
    uuid: str
    title: str
    body: str
    image: str | None
    url: str | None
    data: Mapping[str, str]
    ttl: int
    collapse: str | None
    urgency: str
    tag: str


class PushService(Protocol):
    """One way to devices: a browser's push service, FCM, or APNs."""

    def ready(self) -> None:
        """Get what is needed before anything is handed over (an access token), as far as it can be had. Never
        raises."""

    def check(self) -> Answer:
        """Whether the service knows us, without sending anything: `reason` says in words how it stands. Never
        raises."""

    def push(self, push: Push, device: Device) -> Answer:
        """Hand one message over for one device. `Answer.gone` names the device where it is no longer known. Never
        raises but Refused."""

    def close(self) -> None:
        """Give back connections."""


def push_of(message: Outgoing) -> Push:
    """The push message in what a template and a step gave. Raises Refused."""
    fields = message.provider or {}
    title = _text(fields, "title") or (message.subject or "").strip()
    if not title and not message.text.strip():
        raise Refused("the message has neither a title nor a text")
    collapse = _text(fields, "collapse")
    if collapse is not None and len(collapse.encode("utf-8", "replace")) > LONGEST_COLLAPSE:
        raise Refused(f"'collapse' has more than {LONGEST_COLLAPSE} bytes")
    urgency = _text(fields, "urgency") or "normal"
    if urgency not in URGENCIES:
        raise Refused(f"'urgency' is '{urgency[:20]}'; expected {', '.join(URGENCIES)}")
    return Push(
        message.id,
        str(uuid5(NAMESPACE_URL, f"orchestrator:{message.id.encode('utf-8', 'surrogatepass').hex()}")),
        title,
        message.text,
        _text(fields, "image"),
        _text(fields, "url"),
        {str(key): str(value) for key, value in mapping_of(fields.get("data")).items()},
        _ttl(_text(fields, "ttl")),
        collapse,
        urgency,
        short_hash(collapse if collapse is not None else message.id),
    )


def short_hash(text: str) -> str:
    """32 characters of base64url that stand for a text: what a Topic header may hold (RFC 8030, section 5.4)."""
    return unpadded(sha256(text.encode("utf-8", "surrogatepass")).digest())[:32]


def mapping_of(value: object) -> Mapping[str, Any]:
    """Fields of a template that are a mapping; one whose names count from 0 came as a list."""
    if isinstance(value, Mapping):
        return value
    return {str(number): item for number, item in enumerate(value)} if isinstance(value, list) else {}


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value.strip() or None if isinstance(value, str) else None


def _ttl(text: str | None) -> int:
    if text is None:
        return DEFAULT_TTL
    try:
        plain = text.isascii() and text.isdigit() and len(text) < 10
        seconds = int(text) if plain else int(parse_fixed(text).total_seconds())
    except ValueError as error:
        raise Refused(f"ttl: {error}") from None
    return min(seconds, LONGEST_TTL)
