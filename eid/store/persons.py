"""Rows of persons: the record, every name that somebody had, the keys by which he is found."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Integer, RowMapping, Select, bindparam, case, delete, func, insert, select, update
from sqlalchemy.sql.dml import ReturningInsert

from eid.enrolment.names import fold
from eid.errors import LifecycleError
from eid.store.application_tables import person as table
from eid.store.application_tables import person_name, person_search_key, personal_number
from eid.store.audit import bucket_of
from eid.store.types import new_id
from eid.store.upsert import insert_or

END: Final = "\U0010ffff"

_LOAD: Final = select(table).where(table.c.bucket == bindparam("of_bucket"), table.c.id == bindparam("of_id"))


_LOCK: Final = _LOAD.with_for_update()


def _select_by_name() -> Select[Any]:
    """The first keys of a range, as they lie in their index; of each person the first of these; and their rows.

    However many have such a name, no more than `keys` of them are read.
    """
    columns = (person_search_key.c.key, person_search_key.c.person_id)
    keys = (
        select(*columns, person_search_key.c.bucket)
        .where(columns[0] >= bindparam("first"), columns[0] < bindparam("behind"))
        .order_by(*columns)
        .limit(bindparam("keys", type_=Integer()))
        .subquery()
    )
    name = func.min(keys.c.key).label("name")
    by_person = (keys.c.bucket, keys.c.person_id)
    first = select(*by_person, name).group_by(*by_person).order_by(name, keys.c.person_id)
    found = first.limit(bindparam("persons", type_=Integer())).subquery()
    here = (table.c.bucket == found.c.bucket) & (table.c.id == found.c.person_id)
    return select(table).join(found, here).order_by(found.c.name, found.c.person_id)


def _select_by_column(name: str) -> Select[Any]:
    where = (table.c[name] == bindparam("stated"), table.c.state.in_(("CLAIMED", "VALID")))
    return select(table).where(*where).order_by(table.c.id).limit(bindparam("persons", type_=Integer()))


# Made once: to build a statement takes longer than to run it.
_BY_NAME: Final = _select_by_name()
_BY_COLUMN: Final = {name: _select_by_column(name) for name in ("personal_number", "phone", "email")}


@dataclass(frozen=True, slots=True)
class StoredPerson:
    """A person's row; nothing of it shows but identifier, state and version.

    Args:
        state: CLAIMED by an applicant, VALID (an officer compared it with the civil status), MERGED into another,
            ERASED. record: JSON of `eid.enrolment.person`.
    """

    id: uuid.UUID
    state: str
    version: int
    record: Mapping[str, Any] = field(repr=False)
    personal_number: str | None = field(default=None, repr=False)
    date_of_birth: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    merged_into: uuid.UUID | None = None
    deceased_on: date | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NameVersion:
    """A name that somebody has or had. source: code of the paper it was copied from, or "claim"."""

    version: int
    name: Mapping[str, Any] = field(repr=False)
    source: str
    effective_from: date
    recorded_by: str
    recorded_at: datetime
    application_id: uuid.UUID | None = None


_INSERT: Final = insert(table)
_REPLACE: Final = update(table).where(
    table.c.bucket == bindparam("of_bucket"),
    table.c.id == bindparam("of_id"),
    table.c.version == bindparam("of_version"),
)
_HAS_KEY: Final = (
    person_search_key.c.bucket == bindparam("of_bucket"),
    person_search_key.c.person_id == bindparam("of_person"),
)
_KEYS: Final = select(person_search_key.c.key).where(*_HAS_KEY)
_DROP_KEYS: Final = delete(person_search_key).where(*_HAS_KEY)
_ADD_KEYS: Final = insert(person_search_key)
_NAMES: Final = (
    select(*(person_name.c[name] for name in NameVersion.__dataclass_fields__))
    .where(person_name.c.bucket == bindparam("of_bucket"), person_name.c.person_id == bindparam("of_person"))
    .order_by(person_name.c.version)
)
_ADD_NAME: Final = insert(person_name)
_HOLDER: Final = select(personal_number.c.person_id).where(personal_number.c.number == bindparam("of_number"))


def insert_person(connection: Connection, person: StoredPerson, keys: Iterable[str], now: datetime) -> None:
    """Enter a person."""
    values = _values(person) | {"bucket": bucket_of(person.id), "id": person.id, "created_at": now, "updated_at": now}
    connection.execute(_INSERT, values)
    _add_keys(connection, person.id, frozenset(keys))


def replace_person(
    connection: Connection, person: StoredPerson, keys: Iterable[str], now: datetime, *, keep_keys: bool
) -> StoredPerson:
    """Write a person's record anew, as its next version.

    Args:
        person: with the version that the caller has read. keep_keys: he is still found by his former names.

    Raises:
        LifecycleError: somebody else has changed it meanwhile.
    """
    bucket = bucket_of(person.id)
    which = {"of_bucket": bucket, "of_id": person.id, "of_version": person.version}
    changed = connection.execute(_REPLACE, _values(person) | {"version": person.version + 1, "updated_at": now} | which)
    if changed.rowcount != 1:
        raise LifecycleError("the identity record was changed by somebody else meanwhile")
    wanted, whose = frozenset(keys), {"of_bucket": bucket, "of_person": person.id}
    if not keep_keys:
        connection.execute(_DROP_KEYS, whose)
    else:
        wanted -= set(connection.execute(_KEYS, whose).scalars())
    _add_keys(connection, person.id, wanted)
    return replace(person, version=person.version + 1)


def load_person(connection: Connection, person_id: uuid.UUID, *, change: bool = False) -> StoredPerson | None:
    """The person, or None; `change` lets nobody else at the row until the transaction ends."""
    which = {"of_bucket": bucket_of(person_id), "of_id": person_id}
    row = connection.execute(_LOCK if change else _LOAD, which).mappings().one_or_none()
    return None if row is None else _person(row)


def add_name(connection: Connection, person_id: uuid.UUID, name: NameVersion) -> None:
    """Add a name; its version is the one behind the last that `load_names` has, and two of one number cannot be."""
    values = {field: getattr(name, field) for field in NameVersion.__dataclass_fields__} | {"name": dict(name.name)}
    connection.execute(_ADD_NAME, {"bucket": bucket_of(person_id), "person_id": person_id, **values})


def load_names(connection: Connection, person_id: uuid.UUID) -> tuple[NameVersion, ...]:
    """Every name of a person, oldest first."""
    rows = connection.execute(_NAMES, {"of_bucket": bucket_of(person_id), "of_person": person_id}).mappings()
    return tuple(NameVersion(**row) for row in rows)


# Search


def find_by_name(connection: Connection, prefix: str, limit: int = 20) -> tuple[StoredPerson, ...]:
    """Persons whose name, in either script and either order, begins with this; in the order of the names."""
    key = fold(prefix)
    if not key:
        return ()
    # Somebody is found by several keys, hence more of them than persons.
    wanted = {"first": key, "behind": key + END, "keys": 3 * limit, "persons": limit}
    return tuple(map(_person, connection.execute(_BY_NAME, wanted).mappings()))


def find_by_column(connection: Connection, column: str, value: str, limit: int = 20) -> tuple[StoredPerson, ...]:
    """Persons with this personal number, phone or email, as they state it; oldest first."""
    query = _BY_COLUMN.get(column)
    if query is None:
        raise ValueError(column)
    return tuple(map(_person, connection.execute(query, {"stated": value, "persons": limit}).mappings()))


# Personal numbers: a family of its own, so each function below has a transaction to itself


def holder_of_number(connection: Connection, number: str) -> uuid.UUID | None:
    """The person to whom a personal number belongs."""
    found: uuid.UUID | None = connection.execute(_HOLDER, {"of_number": number}).scalar_one_or_none()
    return found


def claim_number(connection: Connection, number: str, person_id: uuid.UUID, now: datetime) -> uuid.UUID:
    """Enter whose a personal number is, where nobody has it, or that he claims it again; whose it is then."""
    values = {"number": number, "person_id": person_id, "claimed_at": now}
    holder: uuid.UUID = connection.execute(_claim(connection.dialect.name), values).scalar_one()
    return holder


def move_number(
    connection: Connection, number: str, old: uuid.UUID, new: uuid.UUID, now: datetime, claimed_before: datetime
) -> bool:
    """Give a number to another person, if it still is the former's and he claimed it last before a moment."""
    changed = connection.execute(
        update(personal_number)
        .where(personal_number.c.number == number, personal_number.c.person_id == old)
        .where(personal_number.c.claimed_at < claimed_before)
        .values(person_id=new, claimed_at=now)
    )
    return changed.rowcount == 1


def new_person_id(now: datetime) -> uuid.UUID:
    """An identifier that begins a family."""
    return new_id(now)


def _add_keys(connection: Connection, person_id: uuid.UUID, keys: frozenset[str]) -> None:
    rows = [{"bucket": bucket_of(person_id), "person_id": person_id, "key": key} for key in sorted(keys)]
    if rows:
        connection.execute(_ADD_KEYS, rows)


@cache
def _claim(dialect: str) -> ReturningInsert[uuid.UUID]:
    """Enter a number, or claim it again where it is one's own already; whose it is then."""
    new, kept = insert_or(dialect, personal_number), personal_number.c
    again = case((kept.person_id == new.excluded.person_id, new.excluded.claimed_at), else_=kept.claimed_at)
    return new.on_conflict_do_update(index_elements=[kept.number], set_={"claimed_at": again}).returning(kept.person_id)


def _values(person: StoredPerson) -> dict[str, Any]:
    names = (
        "state",
        "version",
        "personal_number",
        "date_of_birth",
        "phone",
        "email",
        "merged_into",
        "deceased_on",
    )
    return {name: getattr(person, name) for name in names} | {"record": dict(person.record)}


def _person(row: RowMapping) -> StoredPerson:
    return StoredPerson(**{name: row[name] for name in StoredPerson.__dataclass_fields__})
