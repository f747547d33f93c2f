"""Tables of what others are told: where followers of the journal stand (outgoing webhooks, exports to a warehouse), and
what they would not take. Neither holds anything of a person: lines are read again from the journal when they are told.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import DDL, BigInteger, Column, Index, Integer, Table, Text, event

from orchestrator.stores.schema_parts import INSTANT, customer, keyed, name, needed, shard

FEEDS: Final = keyed(
    "feeds",
    Column("name", name(200), primary_key=True),
    needed("position", name(400)),
    needed("batch", BigInteger),
    needed("tries", Integer),
    Column("retry_at", INSTANT),
    needed("reason", Text),
    needed("lines", Integer),
    Column("since", INSTANT),
    needed("paused", Integer),
)
"""One row for each follower: see orchestrator.stores.protocol_exports.Feed. Nobody waits for its lock but its twins."""

FEED_LETTERS: Final = keyed(
    "feed_letters",
    shard(),
    customer(),
    Column("at", INSTANT, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("feed", name(200), primary_key=True),
    needed("failed_at", INSTANT),
    needed("reason", Text),
    Index("ix_feed_letters_feed", "feed", "shard", "customer", "at", "seq", "n"),
    Index("ix_feed_letters_failed_at", "failed_at"),
)
"""Lines of the journal, by their keys, that a follower would not take. `failed_at` is real time."""


ONLY_ON_POSTGRESQL: Final = "only_on_postgresql"
"""In a table's `info`: columns that SQLite does without."""
IN_ORDER: Final = (
    "ALTER TABLE transitions ADD COLUMN tx BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE transitions ALTER COLUMN tx SET DEFAULT pg_current_xact_id()::text::bigint",
    "CREATE INDEX ix_transitions_tx ON transitions USING brin (tx) WITH (pages_per_range = 32, autosummarize = true)",
)
"""Rows of PostgreSQL do not know when they were committed, so that a line says which transaction wrote it: whoever
follows the journal reads up to the oldest transaction that is under way. An index of ranges costs a turn next to
nothing. SQLite has one writer: its rows stand in the order in which they came."""


def order_of_commits(transitions: Table) -> None:
    """Say of the journal what only PostgreSQL needs."""
    transitions.info[ONLY_ON_POSTGRESQL] = ("tx",)
    for text in IN_ORDER:
        order = DDL(text)  # type: ignore[no-untyped-call]  # SQLAlchemy says no types of it
        event.listen(transitions, "after_create", order.execute_if(dialect="postgresql"))
