"""Messages that came to a bad end, sent again because an operator says so."""

from __future__ import annotations

from datetime import datetime

from orchestrator.runtime.settlements import line_of_row
from orchestrator.stores.protocol import Store


def send_again(store: Store, message_id: str, now: datetime) -> bool:
    """Queue a dead letter again, and say so in the journal. False: it is none (any more).

    Whoever it concerns may have opted out meanwhile, and it may have expired: the claim asks as it does for any other.
    Raises UsageError for one whose coupon was taken back.
    """
    if not store.retry_message(message_id, now):
        return False
    found = store.ledger(message_id)
    if found is not None:
        data = {"channel": found.row.channel, "reason": "operator"}
        store.record([line_of_row(found.row, now, "retried", data)])
    return True
