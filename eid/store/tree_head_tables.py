"""Tables of the audit log's signed tree heads."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table

from eid.store.columns import bucket
from eid.store.tables import metadata
from eid.store.types import UtcDateTime

tree_head = Table(  # append-only: eid.store.triggers
    "tree_head",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("previous", BigInteger, nullable=False, unique=True),  # the head before: no two follow the same one
    Column("entries", LargeBinary, nullable=False),  # those that the head before has not (eid.audit.tree_head)
    Column("frontier", LargeBinary, nullable=False),  # roots of the perfect subtrees, from which the tree grows on
    Column("checkpoint", String(1024), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

sealed_chain = Table(  # how much of each chain stands under the newest tree head
    "sealed_chain",
    metadata,
    bucket(),
    Column("size", BigInteger, nullable=False),
)
