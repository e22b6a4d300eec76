"""Production orders, and the document numbers that were ever given out."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from eid.store.audit import bucket_of
from eid.store.card_tables import card
from eid.store.cards import RegisteredCard, load_card
from eid.store.production_tables import document_number, production_order
from eid.store.types import new_id_like


@dataclass(frozen=True, slots=True)
class ProductionOrder:
    """An order for one card.

    Args:
        attempt: from 1, of the application. priority: 0 to 9, the highest first. deliver_to: site of the hand-over.
        store_id, serial: of the blank. job_id: the personalisation job. cause: why it was spoiled.
    """

    id: uuid.UUID
    state: str
    version: int
    application_id: uuid.UUID
    attempt: int
    priority: int
    profile: str
    deliver_to: str
    created_at: datetime
    store_id: uuid.UUID | None = None
    serial: str | None = None
    document_number: str | None = field(default=None, repr=False)
    issued_on: date | None = None
    expires_on: date | None = None
    operator: str | None = None
    job_id: uuid.UUID | None = None
    card_id: uuid.UUID | None = None
    sod_hash: bytes | None = None
    cause: str | None = None


def insert_order(
    connection: Connection,
    application: uuid.UUID,
    *,
    profile: str,
    deliver_to: str,
    priority: int,
    now: datetime,
) -> ProductionOrder:
    """Keep a new order, queued."""
    attempts = connection.execute(
        _of_application(select(func.count()).select_from(production_order), application)
    ).scalar_one()
    order = ProductionOrder(
        new_id_like(application, now), "QUEUED", 1, application, attempts + 1, priority, profile, deliver_to, now
    )
    values = {name: getattr(order, name) for name in ProductionOrder.__slots__}
    connection.execute(insert(production_order).values(bucket=bucket_of(order.id), **values))
    return order


def find_order(connection: Connection, order_id: uuid.UUID) -> ProductionOrder | None:
    """The order, or None."""
    query = select(*_COLUMNS).where(production_order.c.bucket == bucket_of(order_id), production_order.c.id == order_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else ProductionOrder(*row)


def orders_of(connection: Connection, application: uuid.UUID) -> tuple[ProductionOrder, ...]:
    """All orders of an application, oldest first."""
    query = _of_application(select(*_COLUMNS), application).order_by(production_order.c.attempt)
    return tuple(ProductionOrder(*row) for row in connection.execute(query))


def order_of_card(connection: Connection, card_id: uuid.UUID) -> ProductionOrder | None:
    """The order that a card was made by, or None."""
    here = (card.c.bucket == bucket_of(card_id), card.c.id == card_id)
    application = connection.execute(select(card.c.application_id).where(*here)).scalar_one_or_none()
    orders = () if application is None else orders_of(connection, application)
    return next((order for order in orders if order.card_id == card_id), None)


def uncollected_cards(connection: Connection, site: str, limit: int) -> tuple[RegisteredCard, ...]:
    """Cards that were to be handed over at a site and are revoked because nobody came, oldest first."""
    same = (production_order.c.bucket == card.c.bucket) & (production_order.c.application_id == card.c.application_id)
    rows = connection.execute(
        select(card.c.id)
        .join(production_order, same & (production_order.c.card_id == card.c.id))
        .where(card.c.cause == "uncollected", production_order.c.deliver_to == site)
        .order_by(card.c.changed_at, card.c.id)
        .limit(limit)
    )
    found = (load_card(connection, row.id) for row in rows.all())
    return tuple(item for item in found if item is not None)


def list_orders(connection: Connection, state: str, limit: int = 100) -> tuple[ProductionOrder, ...]:
    """Orders in a state: the most urgent first, of these the oldest."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(production_order.c.state == state)
        .order_by(production_order.c.priority.desc(), production_order.c.created_at, production_order.c.id)
        .limit(limit)
    )
    return tuple(ProductionOrder(*row) for row in rows)


def take_number(connection: Connection, number: str, order_id: uuid.UUID, now: datetime) -> bool:
    """Give out a document number for ever; False where it was given out before."""
    known = select(document_number.c.number).where(document_number.c.number == number)
    if connection.execute(known).first() is not None:
        return False
    connection.execute(insert(document_number).values(number=number, order_id=order_id, drawn_at=now))
    return True


_COLUMNS = tuple(production_order.c[name] for name in ProductionOrder.__slots__)


def _of_application(query: Any, application: uuid.UUID) -> Any:
    return query.where(
        production_order.c.bucket == bucket_of(application), production_order.c.application_id == application
    )
