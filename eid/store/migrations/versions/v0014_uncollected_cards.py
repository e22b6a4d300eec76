"""Cards that nobody has collected, found by their cause.

Revision ID: 0014
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_card_cause_changed_at", "card", ["cause", "changed_at"])
