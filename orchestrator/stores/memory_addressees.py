"""Whom the memory store wrote to last at each address that people write back from."""

from __future__ import annotations

from orchestrator.core.ledger import Message
from orchestrator.stores.protocol import ANSWERED_ON


class MemoryAddressees:
    """Customers by channel and address."""

    def __init__(self) -> None:
        super().__init__()
        self._addressees: dict[tuple[str, str], str] = {}

    def _written_to(self, row: Message) -> None:
        """This message was handed over."""
        if row.channel in ANSWERED_ON:
            self._addressees[row.channel, row.to] = row.customer_id

    def addressee(self, channel: str, address: str) -> str | None:
        """Whom the last message was about."""
        return self._addressees.get((channel, address))
