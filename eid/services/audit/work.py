"""Work on the audit log: signed heads over its new rows."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from eid.errors import KeyStoreError
from eid.services.audit.log import export_heads
from eid.services.durable.work import Workshop
from eid.store import standing_work
from eid.store.database import in_transaction
from eid.store.outbox import Work
from eid.store.tree_heads import has_unsealed

SEAL: Final = "audit.seal"


def ask_to_seal(workshop: Workshop) -> None:
    """At intervals: have rows sealed that stand under no head yet."""

    def work(connection: Connection) -> None:
        if has_unsealed(connection):
            standing_work.ask(connection, SEAL, workshop.now())

    in_transaction(workshop.engine, work)


def seal(workshop: Workshop, work: Work) -> None:
    """Work of the kind "audit.seal": put new rows under a signed head, and write heads to where they are kept.

    Done again it seals what has come since, or nothing: the database takes one head over the same rows.

    Raises:
        KeyStoreError: to be tried again, where the key can be used.
    """
    if workshop.sealer is None:
        raise KeyStoreError("this process has not the audit log's key")
    workshop.sealer.seal(workshop.now())
    export_heads(workshop.engine, workshop.settings.heads_directory)
    in_transaction(workshop.engine, lambda connection: standing_work.settle(connection, work))
