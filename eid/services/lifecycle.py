"""One step of anything that has a life cycle: the row, the audit log and the work it causes, in one transaction.

Nothing else changes a state. The row's version guards it: of two who act at once, the second is told that the state is
another by now, and nothing of his act remains.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, Update, bindparam, update

from eid.audit.chain import AuditEvent, Fact
from eid.enrolment.roles import Actor
from eid.enrolment.transitions import Lifecycle
from eid.errors import OvertakenError, Refusal
from eid.store.audit import append_event, bucket_of
from eid.store.outbox import Work, enqueue

S = TypeVar("S", bound=StrEnum)
F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where something stands: its table (columns bucket, id, state, version), identifier, state, version."""

    table: Table = field(repr=False)
    id: uuid.UUID
    state: str
    version: int


def advance(
    connection: Connection,
    lifecycle: Lifecycle[S, F],
    standing: Standing,
    event: str,
    facts: F,
    actor: Actor,
    now: datetime,
    *,
    detail: Mapping[str, Fact] | None = None,
    values: Mapping[str, Any] | None = None,
    work: Iterable[Work] = (),
) -> Standing:
    """Let an event happen; it counts when the caller's transaction does.

    Args:
        facts: what the guards look at, read in the same transaction. detail: for the audit log, no personal data.
        values: further columns of the row to set. work: what is to be done about it afterwards.

    Returns:
        where it stands now.

    Raises:
        EnrolmentError: the life cycle, a role or a guard forbids it; or somebody else was quicker (WRONG_STATE).
    """
    state = type(lifecycle.initial)(standing.state)
    row, role = lifecycle.step(state, event, facts, actor)
    bucket, version = bucket_of(standing.id), standing.version + 1
    table = standing.table
    which = {"of_bucket": bucket, "of_id": standing.id, "of_state": standing.state, "of_version": standing.version}
    changed = connection.execute(
        _change_of(table), {**(values or {}), "state": row.target.value, "version": version, **which}
    )
    if changed.rowcount != 1:
        raise OvertakenError(Refusal.WRONG_STATE, f"the {lifecycle.name} was changed by somebody else meanwhile")
    told = {"from": state.value, "to": row.target.value, "version": version, **(detail or {})}
    name, subject = f"{lifecycle.name}.{event}", f"{lifecycle.name}:{standing.id}"
    append_event(connection, bucket, AuditEvent(now, actor.tag(role), name, subject, told))
    for item in work:
        enqueue(connection, item)
    return Standing(table, standing.id, row.target.value, version)


@cache
def _change_of(table: Table) -> Update:
    """What changes a row that nobody else has changed; made once for each table, for it takes longer than to run it."""
    where = (table.c.bucket == bindparam("of_bucket"), table.c.id == bindparam("of_id"))
    guard = (table.c.state == bindparam("of_state"), table.c.version == bindparam("of_version"))
    return update(table).where(*where, *guard)


def begin(
    connection: Connection,
    lifecycle: Lifecycle[S, F],
    table: Table,
    subject: uuid.UUID,
    actor_tag: str,
    now: datetime,
    *,
    detail: Mapping[str, Fact] | None = None,
) -> Standing:
    """Tell the audit log that something was made, whose row the caller has inserted in its initial state, version 1."""
    state = lifecycle.initial.value
    event = AuditEvent(
        now,
        actor_tag,
        f"{lifecycle.name}.create",
        f"{lifecycle.name}:{subject}",
        {"to": state, "version": 1, **(detail or {})},
    )
    append_event(connection, bucket_of(subject), event)
    return Standing(table, subject, state, 1)
