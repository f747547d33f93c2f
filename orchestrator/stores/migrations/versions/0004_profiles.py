"""Tables of profiles: what is worked out over all customers, and groups of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "rfm_runs",
        sa.Column("occurrence", _name(40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        sa.Column("classes", sa.Integer(), nullable=False),
        sa.Column("bounds", sa.Text(), nullable=False),
        sa.Column("next_shard", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("occurrence", name=op.f("pk_rfm_runs")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rfm_classes",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recency", sa.Integer(), nullable=False),
        sa.Column("frequency", sa.Integer(), nullable=False),
        sa.Column("monetary", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", name=op.f("pk_rfm_classes")),
        sqlite_with_rowid=False,
    )
    _make_groups()


def _make_groups() -> None:
    op.create_table(
        "groups",
        sa.Column("id", _name(512), nullable=False),
        sa.Column("traits", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("telling", sa.BigInteger(), nullable=True),
        sa.Column("reached_shard", sa.Integer(), nullable=False),
        sa.Column("reached_customer", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
    )
    op.create_index("ix_groups_telling", "groups", ["telling"], unique=False)
    op.create_table(
        "group_members",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("group_id", _name(512), nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", "group_id", name=op.f("pk_group_members")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_group_members_group_id", "group_members", ["group_id", "shard", "customer"], unique=False)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("group_members")
    op.drop_table("groups")
    op.drop_table("rfm_classes")
    op.drop_table("rfm_runs")


def _name(longest: int) -> sa.types.TypeEngine[str]:
    return sa.String(longest).with_variant(sa.String(longest, collation="C"), "postgresql")
