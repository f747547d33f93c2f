"""Tables of catalogs as rows: what they hold, what changed and for whom, and whom a change concerns."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, Integer, Text

from orchestrator.stores.schema_parts import INSTANT, SERIAL, busy, customer, keyed, name, needed, shard, wide

CATALOGS: Final = busy(
    "catalogs",
    Column("name", name(200), primary_key=True),
    needed("version", BigInteger),
    needed("forgotten", BigInteger),
)
"""The catalogs that are kept as rows. `version` counts their changes, one transaction after another; rows deleted up to
the version `forgotten` have left no trace."""

CATALOG_ROWS: Final = wide(
    "catalog_rows",
    Column("catalog", name(200), primary_key=True),
    Column("key", name(200), primary_key=True),
    needed("version", BigInteger),
    needed("seen", BigInteger),
    needed("updated_at", INSTANT),
    Column("data", Text),
)
"""A row by its key. `version`: the catalog's at its last change, which is its ETag; `seen`: at the last time that
anybody wrote it, changed or not; `data` null: it is deleted."""
Index("ix_catalog_rows_version", CATALOG_ROWS.c.catalog, CATALOG_ROWS.c.version)

CATALOG_CHANGES: Final = wide(
    "catalog_changes",
    Column("catalog", name(200), primary_key=True),
    Column("key", name(200), primary_key=True),
    needed("due_at", INSTANT),
    Column("before", Text),
)
"""Rows that changed and whose change nobody has heard of yet: how each was before, until `due_at`."""
Index("ix_catalog_changes_due_at", CATALOG_CHANGES.c.due_at)

CATALOG_WAVES: Final = wide(
    "catalog_waves",
    Column("id", SERIAL, primary_key=True),
    needed("at", INSTANT),
    needed("asked", Text),
    needed("body", Text),
    needed("shard", Integer),
    needed("customer", BigInteger),
)
"""A change on its way to those whom it concerns by one trigger: whom `asked` finds, what they get, and how far it
came."""
Index("ix_catalog_waves_at", CATALOG_WAVES.c.at)

CATALOG_INTERESTS: Final = keyed(
    "catalog_interests",
    shard(),
    customer(),
    Column("event", name(200), primary_key=True),
    Column("property", name(200), primary_key=True),
    Column("value", name(200), primary_key=True),
    needed("at", INSTANT),
)
"""Who did what with which item last: what events told, for the properties that somebody asks for. Made of events, and
can be made again."""
Index(
    "ix_catalog_interests_value",
    CATALOG_INTERESTS.c.event,
    CATALOG_INTERESTS.c.property,
    CATALOG_INTERESTS.c.value,
    CATALOG_INTERESTS.c.shard,
    CATALOG_INTERESTS.c.customer,
    CATALOG_INTERESTS.c.at,
)

CATALOG_FILLS: Final = busy(
    "catalog_fills",
    Column("event", name(200), primary_key=True),
    Column("property", name(200), primary_key=True),
    needed("shard", Integer),
    needed("customer", BigInteger),
    needed("at", INSTANT),
    needed("seq", BigInteger),
    needed("done", Integer),
)
"""How far the events of the past were looked through for a property."""

CATALOG_LINKS: Final = keyed(
    "catalog_links",
    Column("catalog", name(200), primary_key=True),
    Column("kind", name(20), primary_key=True),
    Column("about", name(200), primary_key=True),
    Column("rank", Integer, primary_key=True, autoincrement=False),
    needed("item", name(200)),
    needed("score", Float),
)
"""What goes with what, the best first: `bought` together with the item `about`, or `popular` (in the category `about`,
or anywhere: '')."""
