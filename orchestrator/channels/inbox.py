"""The inbox in the brand's own app: a message that is handed over stands in the ledger, and the feed shows it from
there (http/inbox_routes.py). Nobody has to be called, so that this adapter takes everything, as often as it comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator.channels.protocol import Answer, Outgoing

WIDTH: Final = 250
_ACCEPTED: Final = Answer("accepted")


class InboxChannel:
    """Safe for several threads; it holds nothing."""

    idempotent = True
    width = WIDTH
    rate: float | None = None

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Accepted, all of them."""
        return [_ACCEPTED] * len(messages)

    def close(self) -> None:
        """There is nothing to give back."""
