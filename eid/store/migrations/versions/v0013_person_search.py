"""Names in the order in which they are told, so that the first of many alike are found without looking at all.

Revision ID: 0013
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the index of names go on with the person."""
    op.drop_index("ix_person_search_key_key", "person_search_key")
    op.create_index("ix_person_search_key_key_person_id", "person_search_key", ["key", "person_id"])
