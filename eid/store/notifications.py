"""What people were told, as rows: begun before a message goes out, ended when the gateway has it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from eid.store.audit import bucket_of
from eid.store.notification_tables import notification as table

SENDING: Final = "SENDING"
SENT: Final = "SENT"
REFUSED: Final = "REFUSED"


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to one person.

    Args:
        id: of the work that it is. subject: whose affair. masked_to: the address as far as staff may see it.
        state: SENDING, SENT or REFUSED. reference: the gateway's.
    """

    id: uuid.UUID
    channel: str
    subject: uuid.UUID
    template: str
    language: str
    masked_to: str
    state: str
    reference: str
    at: datetime


def begin_notification(connection: Connection, new: Notification) -> bool:
    """Note that a message is about to be sent; False where it was sent before, or refused for good."""
    standing = connection.execute(
        select(table.c.state).where(*_key(new.subject, new.id, new.channel))
    ).scalar_one_or_none()
    if standing is None:
        values = {name: getattr(new, name) for name in Notification.__dataclass_fields__}
        connection.execute(insert(table).values(bucket=bucket_of(new.subject), **values))
    return standing in (None, SENDING)


def end_notification(connection: Connection, begun: Notification, state: str, reference: str, now: datetime) -> None:
    """Note what became of a message: SENT or REFUSED."""
    values = {"state": state, "reference": reference, "at": now}
    connection.execute(update(table).where(*_key(begun.subject, begun.id, begun.channel)).values(values))


def notifications_of(connection: Connection, subject: uuid.UUID, limit: int = 100) -> tuple[Notification, ...]:
    """What was told about an affair, the newest first."""
    columns = tuple(table.c[name] for name in Notification.__dataclass_fields__)
    query = select(*columns).where(table.c.bucket == bucket_of(subject), table.c.subject == subject)
    rows = connection.execute(query.order_by(table.c.at.desc(), table.c.channel).limit(limit))
    return tuple(Notification(*row) for row in rows)


def _key(subject: uuid.UUID, work_id: uuid.UUID, channel: str) -> tuple[Any, ...]:
    """A row lies with the affair that it is about, wherever its work came from."""
    return (table.c.bucket == bucket_of(subject), table.c.id == work_id, table.c.channel == channel)
