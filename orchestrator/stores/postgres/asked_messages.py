"""The messages that a turn may look at: those that caps and conditions count, and those that something just came for.

A row of the ledger is wide, and conditions ask for little of it: what they count is made of its columns alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from orchestrator.core.index import Index
from orchestrator.core.view import CustomerView, LoadedMessage
from orchestrator.stores.instants import micros
from orchestrator.stores.message_rows import asked_for, counted_message, give_messages, loaded_message
from orchestrator.stores.postgres.arrays import texts
from orchestrator.stores.postgres.choosing import Chosen
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.loading import EACH, keys_of
from orchestrator.stores.records import MESSAGE
from orchestrator.stores.sealing import sealer_of

_MINE: Final = "ON m.shard = j.shard AND m.customer = j.id"
_FATE: Final = "m.status, m.opened_at, m.clicked_at"
COUNTED: Final = f"""
SELECT j.n - 1, m.id, m.journey, m.enrollment, m.step, m.channel, m.topic, m.class, m.template, m.address, m.at, m.seq,
       {_FATE}
{EACH} JOIN messages AS m {_MINE} WHERE m.at > %s OR m.status = 'queued'
"""
WHOLE: Final = f"SELECT j.n - 1, {_FATE}, {MESSAGE} {EACH} JOIN messages AS m {_MINE}"
NAMED: Final = f"SELECT {_FATE}, {MESSAGE} FROM unnest(%s::text[]) AS j (id) JOIN messages AS m ON m.id = j.id"
_EVER: Final = -(1 << 62)


def load_messages(
    c: Connection, chosen: Sequence[Chosen], views: Sequence[CustomerView], index: Index, now: datetime
) -> None:
    """Fill in the messages of the customers of a view, ascending by their place in the journal."""
    sealer = sealer_of(c)
    found: list[dict[str, LoadedMessage]] = [{} for _ in views]
    kept_for = index.messages_asked_for()
    if kept_for is None or kept_for > timedelta(0):
        since = _EVER if kept_for is None else micros(now - kept_for)
        for place, *columns in c.execute(COUNTED, (*keys_of(chosen), since)):
            message = counted_message(sealer, chosen[place].external_id, *columns)
            found[place][message.row.id] = message
    whole, named = asked_for(views)
    if whole:
        for place, *columns in c.execute(WHOLE, keys_of([chosen[place] for place in whole])):
            message = loaded_message(sealer, *columns)
            found[whole[place]][message.row.id] = message
    if named:
        place_of = {customer.external_id: place for place, customer in enumerate(chosen)}
        for row in c.execute(NAMED, (texts(named),)):
            message = loaded_message(sealer, *row)
            if message.row.customer_id in place_of:
                found[place_of[message.row.customer_id]][message.row.id] = message
    give_messages(found, views)
