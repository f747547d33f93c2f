"""Tables of profiles: groups and their members, and what is worked out over all customers."""

from __future__ import annotations

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Drop them."""
