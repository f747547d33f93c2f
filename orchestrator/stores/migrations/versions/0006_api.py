"""Tables of the API: keys, and answers that are given again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
phase = "before"


def name(longest: int) -> sa.types.TypeEngine[str]:
    return sa.String(longest).with_variant(sa.String(longest, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "api_keys",
        sa.Column("id", name(40), nullable=False),
        sa.Column("hash", name(64), nullable=False),
        sa.Column("prefix", name(20), nullable=False),
        sa.Column("name", name(200), nullable=False),
        sa.Column("kind", name(10), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("rate", sa.Float()),
        sa.Column("source", name(200)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_api_keys_hash", "api_keys", ["hash"], unique=True)
    op.create_table(
        "answers",
        sa.Column("caller", name(40), nullable=False),
        sa.Column("key", name(200), nullable=False),
        sa.Column("fingerprint", name(40), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("body", sa.Text()),
        sa.PrimaryKeyConstraint("caller", "key", name=op.f("pk_answers")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_answers_begun_at", "answers", ["begun_at"], unique=False)
    op.create_index("ix_tasks_id", "tasks", ["id"], unique=False)
    op.create_index(
        "ix_tasks_closed",
        "tasks",
        ["closed_at", "id"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NOT NULL"),
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_tasks_closed", "tasks")
    op.drop_index("ix_tasks_id", "tasks")
    op.drop_table("answers")
    op.drop_table("api_keys")
