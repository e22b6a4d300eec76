"""Columns and constraints that tables share."""

from __future__ import annotations

import uuid

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, SmallInteger, Uuid


def bucket() -> Column[int]:
    """What rows of one family share (`eid.store.audit.bucket_of`): it stands in every key of theirs.

    So a database spread over machines can keep what one transaction touches on one of them.
    """
    return Column("bucket", SmallInteger, primary_key=True, autoincrement=False)


def family_key() -> tuple[Column[int], Column[uuid.UUID]]:
    """The primary key of a row that lies with its family."""
    return bucket(), Column("id", Uuid, primary_key=True)


def belongs_to(table: str, column: str) -> ForeignKeyConstraint:
    """The constraint that a column has the `id` of a row of another table in the same family."""
    return ForeignKeyConstraint(["bucket", column], [f"{table}.bucket", f"{table}.id"])


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """The constraint that a column has one of these values."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=column)
