"""Which application a stamp is bound to is looked up: one that is reserved and bound to none is freed.

Revision ID: 0017
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_application_stamp_id", "application", ["stamp_id"])
