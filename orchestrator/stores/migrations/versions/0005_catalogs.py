"""Tables of catalogs as rows, and of forms."""

from __future__ import annotations

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Drop them."""
