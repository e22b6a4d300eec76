"""Answers that were given, by the key that the caller chose: a request that comes again gets the same one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from eid.errors import LifecycleError
from eid.store.tables import idempotency_key as table

UNDER_WAY: Final = 0  # the status of a request that has no answer yet


@dataclass(frozen=True, slots=True)
class GivenReply:
    """An answer: HTTP status, body."""

    status: int
    reply: Any


class KeyReusedError(LifecycleError):
    """The caller sent another request under a key that he had used."""


def find_reply(connection: Connection, caller: str, key: str, request: bytes) -> GivenReply | None:
    """The answer that this very request got before, or None.

    Raises:
        KeyReusedError: the key stands for another request.
    """
    row = connection.execute(
        select(table.c.request_digest, table.c.status, table.c.reply).where(
            table.c.caller == caller, table.c.key == key
        )
    ).one_or_none()
    if row is None:
        return None
    if row.request_digest != hashlib.sha256(request).digest():
        raise KeyReusedError("this idempotency key was used for another request")
    return GivenReply(row.status, row.reply)


def keep_reply(connection: Connection, caller: str, key: str, request: bytes, given: GivenReply, now: datetime) -> None:
    """Keep an answer, in the transaction of what it tells of."""
    connection.execute(
        insert(table).values(
            caller=caller,
            key=key,
            request_digest=hashlib.sha256(request).digest(),
            status=given.status,
            reply=given.reply,
            created_at=now,
        )
    )


def claim(connection: Connection, caller: str, key: str, request: bytes, now: datetime) -> GivenReply | None:
    """Take a key for a request before it is done; None where it was free.

    Raises:
        KeyReusedError: the key stands for another request.
    """
    found = find_reply(connection, caller, key, request)
    if found is not None:
        return found
    try:
        with connection.begin_nested():  # of two at once the second finds the first one's
            keep_reply(connection, caller, key, request, GivenReply(UNDER_WAY, None), now)
    except IntegrityError:
        return find_reply(connection, caller, key, request)
    return None


def complete(connection: Connection, caller: str, key: str, given: GivenReply) -> None:
    """Keep the answer of a request whose key was claimed."""
    ours = (table.c.caller == caller, table.c.key == key, table.c.status == UNDER_WAY)
    connection.execute(update(table).where(*ours).values(status=given.status, reply=given.reply))


def release(connection: Connection, caller: str, key: str) -> None:
    """Give back a key that was claimed; an answer that stands stays."""
    ours = (table.c.caller == caller, table.c.key == key, table.c.status == UNDER_WAY)
    connection.execute(delete(table).where(*ours))


def forget_replies(connection: Connection, before: datetime) -> int:
    """Drop answers given before a moment; how many there were."""
    return connection.execute(delete(table).where(table.c.created_at < before)).rowcount
