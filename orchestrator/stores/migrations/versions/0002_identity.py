"""Tables of identity: merges that wait, and those that were done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
phase = "before"


def _name(longest: int) -> sa.types.TypeEngine[str]:
    return sa.String(longest).with_variant(sa.String(longest, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", _name(20), nullable=False),
        sa.Column("value", _name(512), nullable=False),
        sa.Column("external_id", _name(512), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
    )
    op.create_table(
        "merges",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", _name(512), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("cause", _name(20), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", "id", name=op.f("pk_merges")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_merges_source", "merges", ["source"])
    op.create_index("ix_merges_at", "merges", ["at"])
    for table in ("identifiers", "rights", "dead_letters"):
        op.create_index(f"ix_{table}_customer", table, ["shard", "customer"])
    op.create_index("ix_forwarding_into", "forwarding", ["into_shard", "into_customer"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_forwarding_into", table_name="forwarding")
    for table in ("identifiers", "rights", "dead_letters"):
        op.drop_index(f"ix_{table}_customer", table_name=table)
    op.drop_table("merges")
    op.drop_table("links")
