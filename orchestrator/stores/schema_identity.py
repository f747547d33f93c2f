"""Tables of identity: links that wait, and merges that were done."""

from __future__ import annotations

from sqlalchemy import Index, Table, Text
from sqlalchemy.schema import Column

from orchestrator.stores.schema_parts import ID, INSTANT, METADATA, SERIAL, customer, keyed, name, needed, shard

LINKS = Table(
    "links",
    METADATA,
    Column("id", SERIAL, primary_key=True),
    needed("kind", name(20)),
    needed("value", name(512)),
    needed("external_id", name(512)),
    needed("at", INSTANT),
)
"""Links that wait for somebody to act on them: the identifier and the id of the customer whose it is. Written with what
said so, so that nothing is lost between the two; hardly any waits longer than a moment."""

MERGES = keyed(
    "merges",
    shard(),
    customer(),
    Column("id", ID, primary_key=True, autoincrement=False),
    needed("source", name(512)),
    needed("at", INSTANT),
    needed("cause", name(20)),
    needed("actor", Text),
    needed("snapshot", Text),
)
"""Merges that can be undone. `id`: the internal id of who became part of `customer`; `snapshot`: what that was, and
which rows were its own (JSON). Forgotten after `settings.history`."""
Index("ix_merges_source", MERGES.c.source)
Index("ix_merges_at", MERGES.c.at)
