"""Rows of the inbox, for everything that puts something there: ingest, receipts, answers, operators, fan-outs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.stores.sealed_rows import INBOX
from orchestrator.stores.sealing import sealer_of

_PUT: Final = """
INSERT INTO inbox (shard, customer, external_id, received_at, parked, body)
SELECT shard, id, external_id, ?3, parked IS NOT NULL, ?4 FROM customers WHERE shard = ?1 AND id = ?2
"""
_IDS: Final = """
SELECT c.external_id, c.shard, c.id
FROM json_each(?) AS j CROSS JOIN customers AS c ON c.external_id = j.value
"""


def put_items(c: sqlite3.Connection, rows: Iterable[tuple[int, int, int, str]]) -> None:
    """Put items into inboxes, in their order: (shard, internal customer id, received_at in microseconds, body as
    `body_to_json` writes it). Those of a parked customer wait until it is resumed."""
    sealer = sealer_of(c)
    if sealer.seals:
        rows = [(shard, id, at, sealer.seal(f"{INBOX}:{id}", body)) for shard, id, at, body in rows]
    c.executemany(_PUT, rows)


def internal_ids(c: sqlite3.Connection, external_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(shard, internal id) by external id; unknown customers are left out."""
    found = c.execute(_IDS, (json.dumps(external_ids),))
    return {external: (shard, id) for external, shard, id in found}
