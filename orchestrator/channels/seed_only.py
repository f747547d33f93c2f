"""Test mode: whatever the journeys decide, nothing leaves but to seed addresses.

It stands around every adapter, whatever its kind, so that no channel can get round it; and around what calls webhooks,
whose calls are not made and count as taken (204), as in a simulation.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from orchestrator.channels.protocol import Answer, Caller, Channel, Outgoing
from orchestrator.core.addresses import email_address, phone_number

REASON: Final = "test mode: only seed addresses are written to (ORCHESTRATOR_SEEDS)"


def normal(address: str) -> str:
    """An address in the form by which it is compared: an e-mail's or an international number's, else as it stands. What
    only looks like another address is another one."""
    text = address.strip()
    found = email_address(text) if "@" in text else phone_number(text, None)
    if found is None:
        return text
    return found.normal if found.text.isascii() and "xn--" not in found.text else found.text.lower()


class SeedOnlyChannel:
    """An adapter that hands over to seed addresses only; all else is refused for good, with a reason."""

    def __init__(self, inner: Channel, seeds: Collection[str]) -> None:
        self.inner = inner
        self._seeds = frozenset(normal(seed) for seed in seeds)

    @property
    def idempotent(self) -> bool:
        """As the adapter."""
        return self.inner.idempotent

    @property
    def width(self) -> int:
        """As the adapter."""
        return self.inner.width

    @property
    def rate(self) -> float | None:
        """As the adapter."""
        return self.inner.rate

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Those to seeds go on; the others are rejected."""
        go = [message for message in messages if normal(message.to) in self._seeds]
        answers = iter(self.inner.send(go)) if go else iter(())
        gone = {id(message) for message in go}
        return [next(answers) if id(message) in gone else Answer("rejected", REASON) for message in messages]

    def close(self) -> None:
        """As the adapter."""
        self.inner.close()


class SeedOnlyCaller:
    """What makes the calls of `fetch` goes on; a webhook is answered with 204 and not called."""

    def __init__(self, inner: Caller) -> None:
        self.inner = inner

    def call(self, request: Any) -> tuple[int | None, Any, str | None]:
        """(status, body, error)."""
        if request.kind == "webhook":
            return 204, None, "test mode: the webhook was not called"
        return self.inner.call(request)
