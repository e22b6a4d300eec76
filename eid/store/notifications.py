"""What people were told, as rows: begun before a message goes out, ended when the gateway has it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.sql.dml import ReturningInsert

from eid.store.audit import bucket_of
from eid.store.notification_tables import notification as table
from eid.store.upsert import insert_or

SENDING: Final = "SENDING"
SENT: Final = "SENT"
REFUSED: Final = "REFUSED"
_OF_WORK: Final = (table.c.bucket == bindparam("of_bucket"), table.c.id == bindparam("of_id"))
_END: Final = update(table).where(*_OF_WORK, table.c.channel == bindparam("of_channel"))


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


def begin_notifications(connection: Connection, wanted: Sequence[Notification]) -> list[Notification]:
    """Note that messages of one work are about to be sent: those that were not sent before, nor refused for good."""
    if not wanted:
        return []
    rows = connection.execute(_begin(connection.dialect.name), [_values(new) for new in wanted])
    open_channels = {row.channel for row in rows if row.state == SENDING}
    return [new for new in wanted if new.channel in open_channels]


def end_notifications(connection: Connection, ended: Iterable[tuple[Notification, str, str]], now: datetime) -> None:
    """Note what became of messages: SENT or REFUSED, and the gateway's reference."""
    told = [
        {
            "of_bucket": bucket_of(begun.subject),
            "of_id": begun.id,
            "of_channel": begun.channel,
            "state": state,
            "reference": reference,
            "at": now,
        }
        for begun, state, reference in ended
    ]
    connection.execute(_END, told)


def notifications_of(connection: Connection, subject: uuid.UUID, limit: int = 100) -> tuple[Notification, ...]:
    """What was told about an affair, the newest first."""
    columns = tuple(table.c[name] for name in Notification.__dataclass_fields__)
    query = select(*columns).where(table.c.bucket == bucket_of(subject), table.c.subject == subject)
    rows = connection.execute(query.order_by(table.c.at.desc(), table.c.channel).limit(limit))
    return tuple(Notification(*row) for row in rows)


@cache
def _begin(dialect: str) -> ReturningInsert[str, str]:
    """A row of each that is new; where each stands then."""
    return (
        insert_or(dialect, table)
        .on_conflict_do_update(index_elements=list(table.primary_key.columns), set_={"state": table.c.state})
        .returning(table.c.channel, table.c.state)
    )


def _values(new: Notification) -> dict[str, Any]:
    """A row lies with the affair that it is about, wherever its work came from."""
    return {"bucket": bucket_of(new.subject)} | {name: getattr(new, name) for name in Notification.__dataclass_fields__}
