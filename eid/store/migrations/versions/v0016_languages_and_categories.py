"""The language of an account, languages of three letters, and the category of those who come first.

Revision ID: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, widen the others."""
    op.add_column("access_account", sa.Column("language", sa.String(8)))
    op.add_column("application", sa.Column("category", sa.String(32)))
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no length
        for table in ("application", "notification"):
            op.alter_column(table, "language", type_=sa.String(3))
