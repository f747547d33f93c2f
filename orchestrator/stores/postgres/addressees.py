"""Whom a message was about that went last to an address from which people write back: a row of `identifiers` for each.

Kept when a message is settled, not found in the ledger: that would take an index over the address of every message,
e-mails included. The row is written when an address gets its first message, or somebody else's; a look at it is all
that every other message costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator.stores.postgres import arrays
from orchestrator.stores.postgres.base import PostgresBase
from orchestrator.stores.postgres.database import Connection

_WRITTEN_TO: Final = """
INSERT INTO identifiers (kind, value, shard, customer)
SELECT DISTINCT ON (m.channel, m.address) 'to_' || m.channel, m.address, m.shard, m.customer
FROM unnest(%s::int[], %s::bigint[], %s::text[]) WITH ORDINALITY AS j (shard, customer, id, n)
JOIN messages AS m ON m.shard = j.shard AND m.customer = j.customer AND m.id = j.id
LEFT JOIN identifiers AS i ON i.kind = 'to_' || m.channel AND i.value = m.address
WHERE i.customer IS DISTINCT FROM m.customer
ORDER BY m.channel, m.address, j.n DESC
ON CONFLICT (kind, value) DO UPDATE SET shard = excluded.shard, customer = excluded.customer
"""
"""In the order of their keys, as everybody writes them."""
_ADDRESSEE: Final = """
SELECT c.external_id FROM identifiers AS i JOIN customers AS c ON c.shard = i.shard AND c.id = i.customer
WHERE i.kind = %s AND i.value = %s
"""


def written_to(c: Connection, keys: Sequence[tuple[int, int, str]]) -> None:
    """These messages, (shard, customer, id) in their order, were handed over."""
    shards, customers, ids = zip(*keys, strict=True)
    c.execute(_WRITTEN_TO, (arrays.ints(shards), arrays.ints(customers), arrays.texts(ids)))


class PostgresAddressees(PostgresBase):
    """The part of the store that knows who writes back."""

    def addressee(self, channel: str, address: str) -> str | None:
        """Whom the last message was about."""
        with self.db.read() as c:
            for mark in self.db.sealer.marks(address):
                found = c.execute(_ADDRESSEE, (f"to_{channel}", mark)).fetchone()
                if found is not None:
                    return str(found[0])
        return None
