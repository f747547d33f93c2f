"""Tables of what others are told: outgoing webhooks and exports; lines of the journal know their transaction."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "feeds",
        sa.Column("name", _name(200), nullable=False),
        sa.Column("position", _name(400), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("paused", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_feeds")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "feed_letters",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("feed", _name(200), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", "at", "seq", "n", "feed", name=op.f("pk_feed_letters")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_feed_letters_feed", "feed_letters", ["feed", "shard", "customer", "at", "seq", "n"], unique=False
    )
    op.create_index("ix_feed_letters_failed_at", "feed_letters", ["failed_at"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        return  # rows know the order in which they came
    # What stands there already belongs to transaction 0: both statements change the catalogue alone, and no row.
    op.execute("ALTER TABLE transitions ADD COLUMN tx BIGINT NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE transitions ALTER COLUMN tx SET DEFAULT pg_current_xact_id()::text::bigint")
    op.execute(
        "CREATE INDEX ix_transitions_tx ON transitions USING brin (tx) "
        "WITH (pages_per_range = 32, autosummarize = true)"
    )


def downgrade() -> None:
    """Drop them."""
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE transitions DROP COLUMN tx")
    op.drop_index("ix_feed_letters_failed_at", "feed_letters")
    op.drop_index("ix_feed_letters_feed", "feed_letters")
    op.drop_table("feed_letters")
    op.drop_table("feeds")


def _name(longest: int) -> sa.types.TypeEngine[str]:
    return sa.String(longest).with_variant(sa.String(longest, collation="C"), "postgresql")
