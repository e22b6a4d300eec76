"""Rows of applications, and the number by which people name one.

The number on the receipt is made from the identifier: twelve characters that lead back to the bucket, and a check
character, so that a slip on the phone is told at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from eid.errors import NotStoredError, RecordError
from eid.store.application_tables import application as table
from eid.store.audit import bucket_of

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
NUMBER_LENGTH: Final = 12
_LOAD: Final = select(table).where(table.c.bucket == bindparam("of_bucket"), table.c.id == bindparam("of_id"))
_LOCK: Final = _LOAD.with_for_update()
_INSERT: Final = insert(table)
_CHANGE: Final = update(table).where(
    table.c.bucket == bindparam("of_bucket"),
    table.c.id == bindparam("of_id"),
    table.c.state == bindparam("of_state"),
    table.c.version == bindparam("of_version"),
)
_BY: Final = (
    select(table)
    .where(table.c.applicant == bindparam("of_applicant"))
    .order_by(table.c.id.desc())
    .limit(bindparam("most"))
)
_SLIPS: Final = str.maketrans({"I": "1", "L": "1", "O": "0", "U": "V", " ": None, "-": None})


@dataclass(frozen=True, slots=True)
class StoredApplication:
    """An application's row. Moments are UTC.

    Args:
        number: of the receipt. applicant: identifier of the account. site: the office that it is addressed to.
        fee: in whole units of `currency`, None where the age is not known yet. stamp_id: reserved or consumed for it.
        requested_papers: what an officer asked for, at `requested_at`. due_at: when it lapses where nothing happens.
        decide_by: the office's own deadline. category: of those who come first, as stated; from the
            validation on, as an officer has found it.
    """

    id: uuid.UUID
    number: str
    state: str
    version: int
    person_id: uuid.UUID
    applicant: str
    service: str
    reason: str
    abroad: bool
    site: str | None
    language: str
    rules: str
    rules_digest: bytes = field(repr=False)
    fee: int | None
    currency: str
    created_at: datetime
    updated_at: datetime
    stamp_id: uuid.UUID | None = None
    previous_card_id: uuid.UUID | None = None
    information_requests: int = 0
    requested_papers: tuple[str, ...] = ()
    requested_at: datetime | None = None
    refusal: str | None = None
    appeal_until: datetime | None = None
    validating_officer: str | None = None
    capturing_officer: str | None = None
    appointment_id: uuid.UUID | None = None
    appointment_site: str | None = None
    submitted_at: datetime | None = None
    decide_by: datetime | None = None
    validated_at: datetime | None = None
    due_at: datetime | None = None
    category: str | None = None


def insert_application(connection: Connection, application: StoredApplication) -> None:
    """Enter an application."""
    values = {name: getattr(application, name) for name in StoredApplication.__dataclass_fields__}
    values["requested_papers"] = list(application.requested_papers)
    connection.execute(_INSERT, {"bucket": bucket_of(application.id), **values})


def change_columns(connection: Connection, application: StoredApplication, values: dict[str, Any]) -> bool:
    """Set columns of an application without a change of state; False where somebody else was quicker."""
    which = {
        "of_bucket": bucket_of(application.id),
        "of_id": application.id,
        "of_state": application.state,
        "of_version": application.version,
    }
    changed = connection.execute(_CHANGE, {**values, "version": application.version + 1, **which})
    return changed.rowcount == 1


def load_application(
    connection: Connection, application_id: uuid.UUID, *, change: bool = False
) -> StoredApplication | None:
    """The application, or None; `change` lets nobody else at it until the transaction ends."""
    which = {"of_bucket": bucket_of(application_id), "of_id": application_id}
    row = connection.execute(_LOCK if change else _LOAD, which).mappings().one_or_none()
    return None if row is None else _application(row)


def require_application(
    connection: Connection, application_id: uuid.UUID, *, change: bool = False
) -> StoredApplication:
    """The application; `change` as for `load_application`.

    Raises:
        NotStoredError: there is none.
    """
    found = load_application(connection, application_id, change=change)
    if found is None:
        raise NotStoredError("there is no such application")
    return found


def find_by_number(connection: Connection, number: str) -> StoredApplication | None:
    """The application with this number on its receipt, typed in any usual way.

    Raises:
        RecordError: it is no number of a receipt, or a character is wrong.
    """
    plain = parse_number(number)
    bucket = _decode(plain[:NUMBER_LENGTH]) & 0xFF
    row = connection.execute(select(table).where(table.c.bucket == bucket, table.c.number == plain)).mappings()
    found = row.one_or_none()
    return None if found is None else _application(found)


def applications_of(connection: Connection, person_id: uuid.UUID) -> tuple[StoredApplication, ...]:
    """All applications for a person, oldest first."""
    query = select(table).where(table.c.bucket == bucket_of(person_id), table.c.person_id == person_id)
    return tuple(_application(row) for row in connection.execute(query.order_by(table.c.id)).mappings())


def applications_by(connection: Connection, applicant: str, limit: int = 100) -> tuple[StoredApplication, ...]:
    """The applications of an account, newest first."""
    found = connection.execute(_BY, {"of_applicant": applicant, "most": limit}).mappings()
    return tuple(_application(row) for row in found)


def queue(
    connection: Connection,
    states: Iterable[str],
    *,
    site: str | None = None,
    after: uuid.UUID | None = None,
    limit: int,
) -> tuple[StoredApplication, ...]:
    """Applications in some states, the oldest first. site: only those of that office; after: the last one seen."""
    query = select(table).where(table.c.state.in_(tuple(states)))
    if site is not None:
        query = query.where((table.c.site == site) | (table.c.appointment_site == site))
    if after is not None:
        query = query.where(table.c.id > after)
    return tuple(_application(row) for row in connection.execute(query.order_by(table.c.id).limit(limit)).mappings())


def overdue(connection: Connection, states: Iterable[str], now: datetime, limit: int) -> tuple[StoredApplication, ...]:
    """Applications in some states whose time is over."""
    query = select(table).where(table.c.state.in_(tuple(states)), table.c.due_at <= now)
    return tuple(
        _application(row) for row in connection.execute(query.order_by(table.c.due_at).limit(limit)).mappings()
    )


def build_number(application_id: uuid.UUID) -> str:
    """The number of the receipt: the identifier's last 60 bits, and a check character."""
    value = application_id.int & ((1 << 5 * NUMBER_LENGTH) - 1)
    body = "".join(ALPHABET[value >> 5 * place & 31] for place in reversed(range(NUMBER_LENGTH)))
    return body + _check_character(body)


def identifier_ending(number: str) -> str:
    """How the identifier of the application with this number ends, written as usual; also of one that was erased.

    Raises:
        RecordError: as `parse_number`.
    """
    value = _decode(parse_number(number)[:NUMBER_LENGTH])
    return str(uuid.UUID(int=value))[-5 * NUMBER_LENGTH // 4 - 1 :]  # fifteen digits and the hyphen among them


def parse_number(text: str) -> str:
    """A number as somebody typed it: blanks and hyphens in it, small letters, I and L for 1, O for 0.

    Raises:
        RecordError: it has another length or a character is wrong; the text is not repeated.
    """
    plain = text[: 4 * NUMBER_LENGTH].upper().translate(_SLIPS)
    body, last = plain[:NUMBER_LENGTH], plain[NUMBER_LENGTH:]
    if len(last) != 1 or set(body) - set(ALPHABET):
        raise RecordError("a receipt's number has thirteen letters and digits")
    if _check_character(body) != last:
        raise RecordError("the receipt's number is mistyped: its last character does not fit")
    return plain


def _check_character(body: str) -> str:
    """The hybrid system of ISO/IEC 7064 (clause 8) with the modulus 32, so over this alphabet: any one slip is told."""
    product = 32
    for character in body:
        total = (product + ALPHABET.index(character)) % 32 or 32
        product = 2 * total % 33
    return ALPHABET[(33 - product) % 32]


def _decode(body: str) -> int:
    value = 0
    for character in body:
        value = value << 5 | ALPHABET.index(character)
    return value


def _application(row: RowMapping) -> StoredApplication:
    values: dict[str, Any] = {name: row[name] for name in StoredApplication.__dataclass_fields__}
    values["requested_papers"] = tuple(values["requested_papers"])
    return StoredApplication(**values)
