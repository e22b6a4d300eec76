"""Verification sessions: a challenge is given out, consumed once, and its verdict kept.

::

    CREATED --consume--> COLLECTING --decide--> DECIDED
       |                     |
       +----expire-----------+----------------> EXPIRED
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, and_, delete, insert, or_, select, update

from eid.errors import AlreadyDoneError, LifecycleError, NotStoredError, TooLateError
from eid.store.tables import verification_session as table
from eid.store.types import new_id

JUDGING_TIME: Final = timedelta(minutes=5)  # after this a session that was never decided is given up


@dataclass(frozen=True, slots=True)
class VerificationSession:
    """One session.

    Args:
        challenge: what the chip is to sign. result: the report's JSON value, None before the decision.
    """

    id: uuid.UUID
    challenge: bytes = field(repr=False)
    policy: str
    purpose: str
    state: str
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    result: Any = field(default=None, repr=False)


def create_session(
    connection: Connection, *, challenge: bytes, policy: str, purpose: str, now: datetime, lifetime: timedelta
) -> VerificationSession:
    """Keep a new session with a fresh challenge."""
    session = VerificationSession(new_id(now), challenge, policy, purpose, "CREATED", now, now + lifetime)
    connection.execute(
        insert(table).values(
            id=session.id,
            challenge=challenge,
            policy=policy,
            purpose=purpose,
            state=session.state,
            created_at=now,
            expires_at=session.expires_at,
        )
    )
    return session


def load_session(connection: Connection, session_id: uuid.UUID) -> VerificationSession | None:
    """Return the session, or None where there is none with this id."""
    row = connection.execute(select(table).where(table.c.id == session_id)).mappings().one_or_none()
    return None if row is None else _session(row)


def consume_challenge(connection: Connection, session_id: uuid.UUID, now: datetime) -> VerificationSession:
    """Take the session's challenge; of any number of callers exactly one succeeds, and only before the expiry.

    Raises:
        NotStoredError: there is no such session.
        AlreadyDoneError: the challenge was consumed before. TooLateError: it has expired.
    """
    taken = connection.execute(
        update(table)
        .where(table.c.id == session_id, table.c.state == "CREATED", table.c.expires_at > now)
        .values(state="COLLECTING")
    )
    session = load_session(connection, session_id)
    if session is None:
        raise NotStoredError("there is no such verification session")
    if taken.rowcount != 1 and session.state in ("CREATED", "EXPIRED"):
        raise TooLateError("the challenge has expired")
    if taken.rowcount != 1:
        raise AlreadyDoneError("the challenge has been used")
    return session


def decide_session(connection: Connection, session_id: uuid.UUID, result: Any, now: datetime) -> None:
    """Keep the verdict of a session whose challenge was consumed.

    Args:
        result: a JSON value.

    Raises:
        LifecycleError: the session is in any other state.
    """
    decided = connection.execute(
        update(table)
        .where(table.c.id == session_id, table.c.state == "COLLECTING")
        .values(state="DECIDED", decided_at=now, result=result)
    )
    if decided.rowcount != 1:
        raise LifecycleError("the verification session is not waiting for a decision")


def expire_sessions(connection: Connection, now: datetime) -> int:
    """Close sessions whose challenge was not used in time, or that were never decided; return how many."""
    unused = and_(table.c.state == "CREATED", table.c.expires_at <= now)
    abandoned = and_(table.c.state == "COLLECTING", table.c.expires_at <= now - JUDGING_TIME)
    return connection.execute(update(table).where(or_(unused, abandoned)).values(state="EXPIRED")).rowcount


def forget_sessions(connection: Connection, before: datetime) -> int:
    """Delete sessions that expired before this moment, with their results; return how many."""
    return connection.execute(delete(table).where(table.c.expires_at < before)).rowcount


def _session(row: RowMapping) -> VerificationSession:
    return VerificationSession(**row)
