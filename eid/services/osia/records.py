"""What other systems hold here under identifiers of their own: sealed, named by a keyed hash, changed by one at a time.

OSIA lets the sender choose the identifier of an enrolment or of a credential request. Here it becomes a keyed hash, so
that the same identifier is the same record, and nobody finds a person by what somebody else put into an identifier.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine

from eid.enrolment.roles import Actor, Role
from eid.errors import AlreadyDoneError, LifecycleError, NotStoredError, RecordError
from eid.keystore.service_keys import ServiceKeys
from eid.store.database import in_transaction
from eid.store.osia_records import (
    Record,
    delete_record,
    insert_record,
    list_records,
    load_record,
    replace_record,
)
from eid.store.outbox import Work, enqueue

Body = dict[str, Any]
PURPOSE: Final = "osia-record"
NAME_PURPOSE: Final = "osia-record-name"
MAX_NAME: Final = 128  # characters


class Keeper(Protocol):
    """Where records lie: a registry, or a worker's workshop."""

    @property
    def engine(self) -> Engine:
        """The database."""

    @property
    def keys(self) -> ServiceKeys:
        """The service's keys."""


@dataclass(frozen=True, slots=True)
class Held:
    """A record with its body opened."""

    record: Record
    body: Body = field(repr=False)

    @property
    def id(self) -> uuid.UUID:
        """The record's own identifier."""
        return self.record.id


def identify_record(keeper: Keeper, kind: str, name: str) -> uuid.UUID:
    """The identifier of a record that another system calls so.

    Raises:
        RecordError: the name is empty or too long.
    """
    if not 1 <= len(name) <= MAX_NAME:
        raise RecordError(f"an identifier has 1 to {MAX_NAME} characters")
    return derive_id(keeper.keys.tag(NAME_PURPOSE, f"{kind}:{name}".encode()))


def derive_id(tag: bytes) -> uuid.UUID:
    """A UUID of version 8 (RFC 9562 5.8) out of a keyed hash: the same where that is the same."""
    octets = bytearray(tag[:16])
    octets[6], octets[8] = octets[6] & 0x0F | 0x80, octets[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(octets))


def hold(
    keeper: Keeper,
    kind: str,
    record_id: uuid.UUID,
    state: str,
    body: Mapping[str, Any],
    owner: str,
    now: datetime,
    subject: uuid.UUID | None = None,
    work: Iterable[Work] = (),
) -> Held:
    """Keep a new record, together with the work that it causes.

    Raises:
        AlreadyDoneError: there is one under its identifier.
    """
    sealed = _seal(keeper, record_id, body)
    record = Record(record_id, kind, state, 1, subject, owner, sealed, now, now)

    def keep(connection: Connection) -> None:
        if not insert_record(connection, record):
            raise AlreadyDoneError("there is one under this identifier")
        for item in work:
            enqueue(connection, item)

    in_transaction(keeper.engine, keep)
    return Held(record, dict(body))


def find_held(keeper: Keeper, record_id: uuid.UUID) -> Held | None:
    """The record, or None."""
    record = in_transaction(keeper.engine, lambda connection: load_record(connection, record_id))
    return None if record is None else _open(keeper, record)


def require_held(keeper: Keeper, record_id: uuid.UUID) -> Held:
    """The record.

    Raises:
        NotStoredError: there is none.
    """
    found = find_held(keeper, record_id)
    if found is None:
        raise NotStoredError("there is no such record")
    return found


def rewrite(keeper: Keeper, held: Held, body: Mapping[str, Any], now: datetime, **changes: Any) -> Held:
    """Write the body, and state or subject, anew.

    Raises:
        LifecycleError: somebody else has done so since it was read.
    """
    changed = replace(held.record, sealed=_seal(keeper, held.id, body), updated_at=now, **changes)

    def work(connection: Connection) -> None:
        if not replace_record(connection, changed):
            raise LifecycleError("the record was changed by somebody else meanwhile")

    in_transaction(keeper.engine, work)
    return Held(replace(changed, version=changed.version + 1), dict(body))


def drop(keeper: Keeper, held: Held) -> None:
    """Drop a record; harmless where it is gone."""
    in_transaction(keeper.engine, lambda connection: delete_record(connection, held.id))


def browse(keeper: Keeper, kind: str, limit: int, offset: int, state: str | None = None) -> tuple[Held, ...]:
    """Records of a kind, in a state or in any, the newest first."""
    found = in_transaction(keeper.engine, lambda connection: list_records(connection, kind, limit, offset, state))
    return tuple(_open(keeper, record) for record in found)


def acting(actor: Actor, role: Role) -> Actor:
    """A system in the one role that the scope of an operation stands for, whatever else it may be."""
    return replace(actor, roles=frozenset((role,)))


def parse_id(text: str) -> uuid.UUID:
    """An identifier of ours that another system says.

    Raises:
        NotStoredError: it is none, so there is nothing under it.
    """
    try:
        found = uuid.UUID(text)
    except ValueError:
        found = None
    if found is None or str(found) != text:
        raise NotStoredError("there is no such thing")
    return found


def _seal(keeper: Keeper, record_id: uuid.UUID, body: Mapping[str, Any]) -> bytes:
    plain = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return keeper.keys.seal(PURPOSE, plain, record_id.bytes)


def open_body(keys: ServiceKeys, record: Record) -> Body:
    """What a record holds.

    Raises:
        KeyStoreError: it was sealed by another service.
    """
    body: Body = json.loads(keys.unseal(PURPOSE, record.sealed, record.id.bytes))
    return body


def _open(keeper: Keeper, record: Record) -> Held:
    return Held(record, open_body(keeper.keys, record))
