"""Tables of catalogs as rows, and of forms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
phase = "before"

_TABLES = (
    "catalog_links",
    "catalog_fills",
    "catalog_interests",
    "catalog_waves",
    "catalog_changes",
    "catalog_rows",
    "catalogs",
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "catalogs",
        sa.Column("name", _name(200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("forgotten", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_catalogs")),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "catalog_rows",
        sa.Column("catalog", _name(200), nullable=False),
        sa.Column("key", _name(200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("catalog", "key", name=op.f("pk_catalog_rows")),
    )
    op.create_index("ix_catalog_rows_version", "catalog_rows", ["catalog", "version"], unique=False)
    op.create_table(
        "catalog_changes",
        sa.Column("catalog", _name(200), nullable=False),
        sa.Column("key", _name(200), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("catalog", "key", name=op.f("pk_catalog_changes")),
    )
    op.create_index("ix_catalog_changes_due_at", "catalog_changes", ["due_at"], unique=False)
    op.create_table(
        "catalog_waves",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_waves")),
    )
    op.create_index("ix_catalog_waves_at", "catalog_waves", ["at"], unique=False)
    _interests()
    op.create_table(
        "catalog_links",
        sa.Column("catalog", _name(200), nullable=False),
        sa.Column("kind", _name(20), nullable=False),
        sa.Column("about", _name(200), nullable=False),
        sa.Column("rank", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("item", _name(200), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("catalog", "kind", "about", "rank", name=op.f("pk_catalog_links")),
        sqlite_with_rowid=False,
    )


def _interests() -> None:
    op.create_table(
        "catalog_interests",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event", _name(200), nullable=False),
        sa.Column("property", _name(200), nullable=False),
        sa.Column("value", _name(200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", "event", "property", "value", name=op.f("pk_catalog_interests")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_catalog_interests_value",
        "catalog_interests",
        ["event", "property", "value", "shard", "customer", "at"],
        unique=False,
    )
    op.create_table(
        "catalog_fills",
        sa.Column("event", _name(200), nullable=False),
        sa.Column("property", _name(200), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("event", "property", name=op.f("pk_catalog_fills")),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )


def downgrade() -> None:
    """Drop them."""
    for table in _TABLES:
        op.drop_table(table)


def _name(longest: int) -> sa.types.TypeEngine[str]:
    return sa.String(longest).with_variant(sa.String(longest, collation="C"), "postgresql")
