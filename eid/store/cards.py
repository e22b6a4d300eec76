"""Rows of the card register: entered, found, read for the status lists. Services alone change their states."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, func, insert, select

from eid.store.audit import bucket_of
from eid.store.card_tables import card as table
from eid.store.card_tables import status_list
from eid.store.tables import personalization_job, status_place

LIMIT: Final = 100  # cards of one person or number that are told


@dataclass(frozen=True, slots=True)
class RegisteredCard:
    """A card of the register.

    Args:
        holder: the identifier under which its holder acts. expires_on: its last day. cause: why it is suspended or
            revoked. status_uri, status_place: where its status is published, None before its EF.SOD is signed.
    """

    id: uuid.UUID
    state: str
    version: int
    application_id: uuid.UUID | None
    person_id: uuid.UUID | None
    holder: str | None = field(repr=False)
    job_id: uuid.UUID | None
    document_id: uuid.UUID | None
    document_number: str | None = field(repr=False)
    expires_on: date | None
    status_uri: str | None
    status_place: int | None
    cause: str | None
    replaced_by: uuid.UUID | None
    ordered_at: datetime
    changed_at: datetime


_COLUMNS: Final = tuple(table.c[name] for name in RegisteredCard.__dataclass_fields__)


def enter_card(connection: Connection, item: RegisteredCard) -> None:
    """Enter a card.

    Raises (out of `in_transaction`):
        StoreError: the card, or one of the same job, is entered already.
    """
    values = {name: getattr(item, name) for name in RegisteredCard.__dataclass_fields__}
    connection.execute(insert(table).values(bucket=bucket_of(item.id), **values))


def load_card(connection: Connection, card_id: uuid.UUID) -> RegisteredCard | None:
    """The card with this identifier, or None."""
    query = select(*_COLUMNS).where(table.c.bucket == bucket_of(card_id), table.c.id == card_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _card(row)


def find_by_number(connection: Connection, document_number: str) -> tuple[RegisteredCard, ...]:
    """Cards with this document number, newest first: one, unless a number was used up by a spoiled card."""
    query = select(*_COLUMNS).where(table.c.document_number == document_number)
    rows = connection.execute(query.order_by(table.c.ordered_at.desc(), table.c.id.desc()).limit(LIMIT)).mappings()
    return tuple(map(_card, rows))


def find_by_holder(connection: Connection, holder: str) -> tuple[RegisteredCard, ...]:
    """The cards that somebody holds, newest first."""
    query = select(*_COLUMNS).where(table.c.holder == holder)
    rows = connection.execute(query.order_by(table.c.ordered_at.desc(), table.c.id.desc()).limit(LIMIT)).mappings()
    return tuple(map(_card, rows))


def find_by_person(connection: Connection, person_id: uuid.UUID) -> tuple[RegisteredCard, ...]:
    """A person's cards, newest first."""
    query = select(*_COLUMNS).where(table.c.bucket == bucket_of(person_id), table.c.person_id == person_id)
    rows = connection.execute(query.order_by(table.c.ordered_at.desc(), table.c.id.desc()).limit(LIMIT)).mappings()
    return tuple(map(_card, rows))


def find_by_application(connection: Connection, application_id: uuid.UUID) -> tuple[RegisteredCard, ...]:
    """The cards that were ordered for an application, newest first: those before the first were spoiled."""
    bucket = bucket_of(application_id)
    query = select(*_COLUMNS).where(table.c.bucket == bucket, table.c.application_id == application_id)
    rows = connection.execute(query.order_by(table.c.ordered_at.desc(), table.c.id.desc()).limit(LIMIT)).mappings()
    return tuple(map(_card, rows))


def find_by_job(connection: Connection, card_bucket: int, job_id: uuid.UUID) -> RegisteredCard | None:
    """The card that a personalisation job made, or None."""
    query = select(*_COLUMNS).where(table.c.bucket == card_bucket, table.c.job_id == job_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _card(row)


# --- for the status lists


@dataclass(frozen=True, slots=True)
class ListedStatus:
    """A list that was begun. size: how many places it has."""

    uri: str
    series: str
    number: int
    size: int


def read_lists(connection: Connection) -> tuple[ListedStatus, ...]:
    """All lists, by series and number."""
    columns = (status_list.c.uri, status_list.c.series, status_list.c.number, status_list.c.size)
    rows = connection.execute(select(*columns).order_by(status_list.c.series, status_list.c.number))
    return tuple(ListedStatus(*row) for row in rows)


def read_states(connection: Connection, uri: str) -> Iterator[tuple[int, str]]:
    """Place and state of every card in a list that is not active; the index holds just those together."""
    states = ("ORDERED", "PERSONALISED", "IN_STOCK", "SUSPENDED", "REVOKED", "VOID")
    query = select(table.c.status_place, table.c.state).where(table.c.status_uri == uri, table.c.state.in_(states))
    for place, state in connection.execute(query):
        if place is not None:
            yield place, state


def read_unfinished_places(connection: Connection) -> Iterator[tuple[str, int]]:
    """List and place of every card whose personalisation has not succeeded: its EF.SOD may be signed all the same."""
    jobs = personalization_job
    query = (
        select(status_place.c.uri, status_place.c.place)
        .join_from(jobs, status_place, status_place.c.job_id == jobs.c.id)
        .where(jobs.c.state.in_(("PLANNED", "RUNNING", "FAILED", "SPOILED")))
    )
    yield from ((row.uri, row.place) for row in connection.execute(query))


def last_change(connection: Connection, uri: str) -> datetime | None:
    """When a card of the list last changed its state."""
    found: datetime | None = connection.execute(
        select(func.max(table.c.changed_at)).where(table.c.status_uri == uri)
    ).scalar_one()
    return found


def _card(row: RowMapping) -> RegisteredCard:
    return RegisteredCard(**row)
