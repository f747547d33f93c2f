"""Tables of sources: what came and does not fit the tracking plan."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "violations",
        sa.Column("source", _name(100), nullable=False),
        sa.Column("event", _name(200), nullable=False),
        sa.Column("property", _name(200), nullable=False),
        sa.Column("kind", _name(20), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("examples", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "event", "property", "kind", name=op.f("pk_violations")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("violations")


def _name(longest: int) -> sa.types.TypeEngine[str]:
    return sa.String(longest).with_variant(sa.String(longest, collation="C"), "postgresql")
