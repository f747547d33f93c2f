"""Tables of identity: merges that wait, and those that were done."""

from __future__ import annotations

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Drop them."""
