"""Rows of those who apply. A family shares its bucket, the last octet of the contact's keyed hash and account."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from eid.store.access_tables import access_account, access_code, access_session
from eid.store.audit import bucket_of
from eid.store.notification_tables import notification


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """A code that was sent, or is about to be. sealed: contact and code, gone once it was used."""

    id: uuid.UUID
    contact_tag: bytes = field(repr=False)
    code_tag: bytes = field(repr=False)
    channel: str
    language: str
    sealed: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who has shown that a contact is his. language: his account's, None where none is known."""

    id: uuid.UUID
    account_id: uuid.UUID
    secret_tag: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime
    language: str | None = None


_CODE = (
    access_code.c.id,
    access_code.c.contact_tag,
    access_code.c.code_tag,
    access_code.c.channel,
    access_code.c.language,
    access_code.c.sealed,
    access_code.c.created_at,
    access_code.c.expires_at,
)


def insert_code(connection: Connection, code: OneTimeCode) -> None:
    """Keep a new code."""
    connection.execute(
        insert(access_code).values(
            bucket=bucket_of(code.id),
            id=code.id,
            contact_tag=code.contact_tag,
            code_tag=code.code_tag,
            channel=code.channel,
            language=code.language,
            sealed=code.sealed,
            tries=0,
            created_at=code.created_at,
            expires_at=code.expires_at,
        )
    )


def count_codes(connection: Connection, contact_tag: bytes, since: datetime) -> int:
    """How many codes a contact was sent since a moment."""
    ours = (access_code.c.bucket == contact_tag[-1], access_code.c.contact_tag == contact_tag)
    query = select(func.count()).select_from(access_code).where(*ours, access_code.c.created_at > since)
    return connection.execute(query).scalar_one()


def load_code(connection: Connection, code_id: uuid.UUID, now: datetime) -> OneTimeCode | None:
    """A code that can still be used."""
    row = connection.execute(select(*_CODE).where(*_usable(code_id, now))).one_or_none()
    return None if row is None else OneTimeCode(*row)


def count_try(connection: Connection, code_id: uuid.UUID, now: datetime, most: int) -> OneTimeCode | None:
    """Count a try of a code; the code, or None where it cannot be used any more."""
    usable = (*_usable(code_id, now), access_code.c.tries < most)
    counted = connection.execute(update(access_code).where(*usable).values(tries=access_code.c.tries + 1))
    return load_code(connection, code_id, now) if counted.rowcount == 1 else None


def use_code(connection: Connection, code_id: uuid.UUID, now: datetime) -> None:
    """Spend a code and drop what was sealed in it."""
    spent = {"used_at": now, "sealed": b""}
    connection.execute(update(access_code).where(*_usable(code_id, now)).values(**spent))


def _usable(code_id: uuid.UUID, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        access_code.c.bucket == bucket_of(code_id),
        access_code.c.id == code_id,
        access_code.c.used_at.is_(None),
        access_code.c.expires_at > now,
    )


def find_or_make_account(connection: Connection, contact_tag: bytes, fresh: uuid.UUID, now: datetime) -> uuid.UUID:
    """The account of a contact; where there is none, a new one under the fresh identifier, of the same bucket."""
    bucket = contact_tag[-1]
    query = select(access_account.c.id).where(
        access_account.c.bucket == bucket, access_account.c.contact_tag == contact_tag
    )
    found: uuid.UUID | None = connection.execute(query).scalar_one_or_none()
    if found is not None:
        return found
    try:
        with connection.begin_nested():  # two first sessions at once: the second finds the first one's account
            connection.execute(
                insert(access_account).values(bucket=bucket, id=fresh, contact_tag=contact_tag, created_at=now)
            )
    except IntegrityError:
        first: uuid.UUID = connection.execute(query).scalar_one()
        return first
    return fresh


def insert_session(connection: Connection, session: Session) -> None:
    """Keep a new session."""
    connection.execute(
        insert(access_session).values(
            bucket=bucket_of(session.id),
            id=session.id,
            account_id=session.account_id,
            secret_tag=session.secret_tag,
            created_at=session.created_at,
            expires_at=session.expires_at,
        )
    )


def load_session(connection: Connection, session_id: uuid.UUID, now: datetime) -> Session | None:
    """A session that is still good."""
    names = ("id", "account_id", "secret_tag", "created_at", "expires_at")
    columns = [*(access_session.c[name] for name in names), access_account.c.language]
    row = connection.execute(
        select(*columns)
        .join(
            access_account,
            (access_account.c.bucket == access_session.c.bucket) & (access_account.c.id == access_session.c.account_id),
        )
        .where(
            access_session.c.bucket == bucket_of(session_id),
            access_session.c.id == session_id,
            access_session.c.ended_at.is_(None),
            access_session.c.expires_at > now,
        )
    ).one_or_none()
    return None if row is None else Session(*row)


def language_of_contact(connection: Connection, contact_tag: bytes) -> str | None:
    """The language of the account that a contact has, None where it has none."""
    ours = (access_account.c.bucket == contact_tag[-1], access_account.c.contact_tag == contact_tag)
    found: str | None = connection.execute(select(access_account.c.language).where(*ours)).scalar_one_or_none()
    return found


def keep_language(connection: Connection, account_id: uuid.UUID, language: str) -> None:
    """Remember in which language somebody is told things."""
    mine = (access_account.c.bucket == bucket_of(account_id), access_account.c.id == account_id)
    connection.execute(update(access_account).where(*mine).values(language=language))


def end_session(connection: Connection, session_id: uuid.UUID, now: datetime) -> bool:
    """End a session; whether it was still open."""
    ours = (access_session.c.bucket == bucket_of(session_id), access_session.c.id == session_id)
    ended = connection.execute(
        update(access_session).where(*ours, access_session.c.ended_at.is_(None)).values(ended_at=now)
    )
    return ended.rowcount == 1


def forget_access(connection: Connection, before: datetime) -> int:
    """Delete codes, what was noted of their messages, and sessions whose time was over before a moment; how many."""
    old = exists().where(
        access_code.c.bucket == notification.c.bucket,
        access_code.c.id == notification.c.subject,
        access_code.c.expires_at < before,
    )
    connection.execute(delete(notification).where(old))
    codes = connection.execute(delete(access_code).where(access_code.c.expires_at < before)).rowcount
    sessions = connection.execute(delete(access_session).where(access_session.c.expires_at < before)).rowcount
    return codes + sessions
