"""Work on the status lists: those are published that are due."""

from __future__ import annotations

from sqlalchemy import Connection

from eid.errors import KeyStoreError
from eid.services.card.status_lists import PUBLISH, list_uris
from eid.services.durable.work import Workshop
from eid.store import standing_work
from eid.store.database import in_transaction
from eid.store.outbox import Work


def ask_to_publish(workshop: Workshop) -> None:
    """At intervals: have lists published; whether one is due is known to whoever publishes."""

    def work(connection: Connection) -> None:
        if list_uris(connection):
            standing_work.ask(connection, PUBLISH, workshop.now())

    in_transaction(workshop.engine, work)


def publish(workshop: Workshop, work: Work) -> None:
    """Work of the kind "status.publish": sign the lists that are due, and write them out.

    Done again it publishes nothing: no list is due that was published a moment ago.

    Raises:
        KeyStoreError: to be tried again, where the key can be used. LifecycleError: the signer must not sign now.
    """
    if workshop.publisher is None:
        raise KeyStoreError("this process has not the key of status lists")
    workshop.publisher.publish(workshop.now(), due_only=True)
    in_transaction(workshop.engine, lambda connection: standing_work.settle(connection, work))
