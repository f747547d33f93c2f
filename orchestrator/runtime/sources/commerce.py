"""The e-commerce events that sources give, by the names of this engine, and as Segment's e-commerce spec calls them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from orchestrator.core.identity import stable_hash
from orchestrator.core.inbox import Identified
from orchestrator.runtime.ingest import Incoming, Told
from orchestrator.runtime.sources.options import SourceUrl
from orchestrator.runtime.sources.values import text

SEGMENT_NAMES: Final[Mapping[str, str]] = {
    "checkout_started": "Checkout Started",
    "checkout_updated": "Checkout Updated",
    "checkout_abandoned": "Checkout Abandoned",
    "order_placed": "Order Completed",
    "order_paid": "Order Paid",
    "order_updated": "Order Updated",
    "order_shipped": "Order Shipped",
    "order_fulfilled": "Order Fulfilled",
    "order_cancelled": "Order Cancelled",
    "order_refunded": "Order Refunded",
    "payment_succeeded": "Payment Succeeded",
    "payment_failed": "Payment Failed",
    "invoice_paid": "Invoice Paid",
    "subscription_started": "Subscription Started",
    "subscription_changed": "Subscription Changed",
    "subscription_cancelled": "Subscription Cancelled",
    "trial_ending": "Trial Ending",
}
"""Every event that a source makes. Those that Segment's spec does not have are called in its manner."""


class Maker:
    """Makes items of one source: its names, its ids of customers, its ids of messages."""

    def __init__(self, url: SourceUrl) -> None:
        self._url = url

    def customer(self, id: Any, email: Any, phone: Any = None) -> str | None:
        """Our id of somebody: by the source's id, or else, for guests, by the address."""
        found = text(id)
        if found is not None and found != "0":
            return f"{self._url.prefix}{found}"
        address = text(email)
        if address is not None and "@" in address:
            return f"{self._url.prefix}{address.lower()}"
        called = text(phone)
        return f"{self._url.prefix}{called}" if called is not None else None

    def event(self, customer: str, name: str, id: str, at: datetime | None, properties: dict[str, Any]) -> Incoming:
        """An event. `id` names it within the source, however often and by whichever request it is told."""
        called = SEGMENT_NAMES.get(name, name) if self._url.segment else name
        return Incoming(customer, called, properties, at, self.message_id(f"{name}:{id}"))

    def person(self, customer: str, id: str, traits: dict[str, Any]) -> Told | None:
        """What is known of somebody; None: nothing is. Said again with the same words, it is one item."""
        if not traits:
            return None
        return Told(customer, Identified(traits), self.message_id(f"person:{id}"))

    def message_id(self, id: str) -> str:
        """An id among all message ids of the installation."""
        whole = f"{self._url.name}:{id}"
        return whole if len(whole) <= 500 else f"{self._url.name}:{stable_hash(whole):016x}"


def content_id(traits: Mapping[str, Any]) -> str:
    """An id of what is said, for what comes along with something else each time."""
    return f"{stable_hash(repr(sorted(traits.items(), key=lambda one: one[0]))):016x}"
