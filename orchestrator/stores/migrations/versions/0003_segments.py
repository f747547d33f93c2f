"""Tables of segments: who is in them, and lists that were uploaded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
phase = "before"


def _name(longest: int) -> sa.types.TypeEngine[str]:
    return sa.String(longest).with_variant(sa.String(longest, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "segment_builds",
        sa.Column("segment", _name(200), nullable=False),
        sa.Column("digest", _name(64), nullable=False),
        sa.Column("phase", _name(12), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_segment_builds")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "segment_members",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("segment", _name(200), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", "segment", name=op.f("pk_segment_members")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_segment_members_segment", "segment_members", ["segment", "shard", "customer"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("segment_members")
    op.drop_table("segment_builds")
