"""The messages that a turn may look at: those that caps and conditions count, and those that something just came for.

A row of the ledger is wide, and conditions ask for little of it: what they count is made of its columns alone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from orchestrator.core.index import Index
from orchestrator.core.view import CustomerView, LoadedMessage
from orchestrator.stores.instants import micros
from orchestrator.stores.message_rows import asked_for, counted_message, give_messages, loaded_message
from orchestrator.stores.records import MESSAGE
from orchestrator.stores.sealing import sealer_of
from orchestrator.stores.sqlite.choosing import ID_OF, SHARD_OF, Chosen, packed

_FATE: Final = "t.status, t.opened_at, t.clicked_at"
COUNTED: Final = f"""
SELECT j.key, t.id, t.journey, t.enrollment, t.step, t.channel, t.topic, t.class, t.template, t.address, t.at, t.seq,
       {_FATE}
FROM json_each(?) AS j CROSS JOIN messages AS t ON t.shard = {SHARD_OF} AND t.customer = {ID_OF}
WHERE t.at > ? OR t.status = 'queued'
"""
WHOLE: Final = f"""
SELECT j.key, m.status, m.opened_at, m.clicked_at, {MESSAGE}
FROM json_each(?) AS j CROSS JOIN messages AS m ON m.shard = {SHARD_OF} AND m.customer = {ID_OF}
"""
NAMED: Final = f"""
SELECT m.status, m.opened_at, m.clicked_at, {MESSAGE}
FROM json_each(?) AS j CROSS JOIN messages AS m INDEXED BY ix_messages_id ON m.id = j.value
"""
_EVER: Final = -(1 << 62)


def load_messages(
    c: sqlite3.Connection, chosen: Sequence[Chosen], views: Sequence[CustomerView], index: Index, now: datetime
) -> None:
    """Fill in the messages of the customers of a view, ascending by their place in the journal."""
    sealer = sealer_of(c)
    found: list[dict[str, LoadedMessage]] = [{} for _ in views]
    kept_for = index.messages_asked_for()
    if kept_for is None or kept_for > timedelta(0):
        since = _EVER if kept_for is None else micros(now - kept_for)
        for place, *columns in c.execute(COUNTED, (packed(chosen), since)):
            message = counted_message(sealer, chosen[place].external_id, *columns)
            found[place][message.row.id] = message
    whole, named = asked_for(views)
    if whole:
        for place, *columns in c.execute(WHOLE, (packed([chosen[place] for place in whole]),)):
            message = loaded_message(sealer, *columns)
            found[whole[place]][message.row.id] = message
    if named:
        place_of = {customer.external_id: place for place, customer in enumerate(chosen)}
        for columns in c.execute(NAMED, (json.dumps(named),)):
            message = loaded_message(sealer, *columns)
            if message.row.customer_id in place_of:
                found[place_of[message.row.customer_id]][message.row.id] = message
    give_messages(found, views)
