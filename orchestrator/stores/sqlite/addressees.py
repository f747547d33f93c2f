"""Whom a message was about that went last to an address from which people write back: a row of `identifiers` for each.

Kept when a message is settled, not found in the ledger: that would take an index over the address of every message,
e-mails included. The row is written when an address gets its first message, or somebody else's; a look at it is all
that every other message costs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from orchestrator.stores.sqlite.base import SqliteBase

_WRITTEN_TO: Final = """
INSERT INTO identifiers (kind, value, shard, customer)
SELECT 'to_' || channel, address, shard, customer FROM messages WHERE shard = ? AND customer = ? AND id = ?
ON CONFLICT (kind, value) DO UPDATE SET shard = excluded.shard, customer = excluded.customer
WHERE identifiers.shard <> excluded.shard OR identifiers.customer <> excluded.customer
"""
_ADDRESSEE: Final = """
SELECT c.external_id FROM identifiers AS i JOIN customers AS c ON c.shard = i.shard AND c.id = i.customer
WHERE i.kind = ? AND i.value = ?
"""


def written_to(c: sqlite3.Connection, keys: Iterable[tuple[Any, ...]]) -> None:
    """These messages, (shard, customer, id) in their order, were handed over."""
    c.executemany(_WRITTEN_TO, keys)


class SqliteAddressees(SqliteBase):
    """The part of the store that knows who writes back."""

    def addressee(self, channel: str, address: str) -> str | None:
        """Whom the last message was about."""
        with self.db.read() as c:
            for mark in self.db.sealer.marks(address):
                found = c.execute(_ADDRESSEE, (f"to_{channel}", mark)).fetchone()
                if found is not None:
                    return str(found[0])
        return None
