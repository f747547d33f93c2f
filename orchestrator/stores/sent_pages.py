"""What customers were sent and were not, page by page, for reports: the statements and rows that databases share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from orchestrator.core.sends import Contact, CustomerSends, Withheld
from orchestrator.core.state import loads
from orchestrator.stores.instants import instant
from orchestrator.stores.protocol import SendsPage
from orchestrator.stores.records import MESSAGE, choice_of, customer_of, message_of
from orchestrator.stores.sealing import Sealer

_PAGE: Final = "SELECT shard, id, external_id FROM customers WHERE external_id > ? ORDER BY external_id LIMIT ?"
PEOPLE: Final = """
SELECT c.external_id, c.created_at, c.state, k.state FROM customers AS c
LEFT JOIN consents AS k ON k.shard = c.shard AND k.customer = c.id
WHERE c.external_id > ? ORDER BY c.external_id LIMIT ?
"""
"""Asked with (after, limit)."""
CONTACTS: Final = f"""
WITH page AS ({_PAGE})
SELECT p.external_id, t.at, m.status, {MESSAGE} FROM page AS p
JOIN transitions AS t ON t.shard = p.shard AND t.customer = p.id
JOIN messages AS m ON m.shard = t.shard AND m.customer = t.customer AND m.seq = t.seq
WHERE t.at >= ? AND t.at < ? AND t.type = 'message' ORDER BY t.at, t.seq
"""
"""Asked with (after, limit, since, until), as the next two."""
WITHHELD: Final = f"""
WITH page AS ({_PAGE})
SELECT p.external_id, t.at, t.data FROM page AS p
JOIN transitions AS t ON t.shard = p.shard AND t.customer = p.id
WHERE t.at >= ? AND t.at < ? AND t.type = 'suppressed' ORDER BY t.at, t.seq, t.n
"""
CHOICES: Final = f"""
WITH page AS ({_PAGE})
SELECT p.external_id, l.at, l.noted_at, l.topic, l.channel, l.state, l.source, NULL, NULL, l.expires_at, l.refused
FROM page AS p JOIN consent_log AS l ON l.shard = p.shard AND l.customer = p.id
ORDER BY l.seq
"""
"""Asked with (after, limit)."""

Rows = Iterable[tuple[Any, ...]]


def sends_page(sealer: Sealer, people: Rows, contacts: Rows, withheld: Rows, choices: Rows, limit: int) -> SendsPage:
    """The page of these rows."""
    found = {row[0]: customer_of(sealer, *row) for row in people}
    sent: Mapping[str, list[Contact]] = {id: [] for id in found}
    kept: Mapping[str, list[Withheld]] = {id: [] for id in found}
    chosen: Mapping[str, list[Any]] = {id: [] for id in found}
    for id, at, status, *columns in contacts:
        if id in sent:
            sent[id].append(Contact(message_of(sealer, *columns), instant(at), status))
    for id, at, text in withheld:
        if id in kept:
            data = loads(text)
            kept[id].append(Withheld(instant(at), data.get("channel"), data.get("reason", "")))
    for id, *columns in choices:
        if id in chosen:
            chosen[id].append(choice_of(sealer, 0, *columns))
    customers = tuple(
        CustomerSends(customer, tuple(sent[id]), tuple(kept[id]), tuple(chosen[id])) for id, customer in found.items()
    )
    return SendsPage(customers, customers[-1].customer.id if len(customers) == limit else None)
