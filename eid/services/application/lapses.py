"""Applications that nothing happened to in time: they lapse, at an interval, each in a transaction of its own."""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection, Engine

from eid.enrolment.application import ApplicationState
from eid.enrolment.card_status import CardState, RevocationCause
from eid.enrolment.roles import Role
from eid.errors import EidError
from eid.services.application.steps import SYSTEM, change_values, stamp_release, step
from eid.services.card.cards import revoke_card
from eid.store.applications import StoredApplication, load_application, overdue
from eid.store.cards import find_by_application
from eid.store.database import in_transaction, reading
from eid.store.outbox import enqueue

S = ApplicationState
LAPSING: Final = (S.DRAFT.value, S.INFORMATION_REQUESTED.value, S.READY.value, S.REJECTED.value)


def end_overdue(engine: Engine, now: datetime, limit: int = 100) -> tuple[uuid.UUID, ...]:
    """Let lapse what nothing happened to in time, each in a transaction of its own; whose they were.

    Of a refused application whose appeal is over the stamp becomes free; a card that was never collected is revoked.
    One that cannot end keeps no other one waiting.

    Raises:
        EidError: of the first that cannot, where there was no other.
    """
    with reading(engine) as connection:
        found = overdue(connection, LAPSING, now, limit)
    ended: list[uuid.UUID] = []
    failures: list[EidError] = []
    for one in found:
        try:
            if in_transaction(engine, partial(_end, application_id=one.id, now=now)):
                ended.append(one.id)
        except EidError as failure:
            failures.append(failure)
    if failures and not ended:
        raise failures[0]
    return tuple(ended)


def _end(connection: Connection, application_id: uuid.UUID, now: datetime) -> bool:
    application = load_application(connection, application_id, change=True)
    if application is None or application.due_at is None or application.due_at > now:
        return False
    if application.state == S.REJECTED.value:
        if application.stamp_id is not None:
            enqueue(connection, stamp_release(application, now))
        change_values(connection, application, "appeal-over", SYSTEM.tag(Role.SYSTEM), now, {"due_at": None})
    elif application.state in LAPSING:
        event = "discard" if application.state == S.DRAFT.value else "lapse"
        step(connection, application, event, SYSTEM, now)
        _end_uncollected(connection, application, now)
    return True


def _end_uncollected(connection: Connection, application: StoredApplication, now: datetime) -> None:
    """The card of an application that has lapsed is nobody's: it waits to be destroyed (`card.delivery`)."""
    for item in find_by_application(connection, application.id):
        if item.state == CardState.IN_STOCK:
            revoke_card(connection, item.id, RevocationCause.UNCOLLECTED, SYSTEM, now)
