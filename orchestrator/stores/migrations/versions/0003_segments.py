"""Tables of segments: who is in them, and lists that were uploaded."""

from __future__ import annotations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Drop them."""
