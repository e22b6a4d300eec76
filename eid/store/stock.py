"""Blank cards: stores, deliveries, and where each blank is. States change through `eid.services.card.stock` alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, insert, select

from eid.store.audit import bucket_of
from eid.store.production_tables import stock_batch, stock_item, stock_store
from eid.store.types import new_id, new_id_like

AT_ONCE: Final = 500  # serials that one statement looks for


@dataclass(frozen=True, slots=True)
class Store:
    """A place where blanks are kept."""

    id: uuid.UUID
    name: str


@dataclass(frozen=True, slots=True)
class Blank:
    """A blank card. serial: hexadecimal, upper case. order_id: for which it is reserved or used."""

    id: uuid.UUID
    state: str
    version: int
    store_id: uuid.UUID
    batch_id: uuid.UUID
    product: str
    serial: str
    order_id: uuid.UUID | None
    spoiled_for: uuid.UUID | None
    cause: str | None


def open_store(connection: Connection, name: str, now: datetime) -> Store:
    """Keep a new store."""
    store = Store(new_id(now), name)
    connection.execute(insert(stock_store).values(bucket=bucket_of(store.id), id=store.id, name=name, opened_at=now))
    return store


def find_store(connection: Connection, store_id: uuid.UUID) -> Store | None:
    """The store, or None."""
    row = connection.execute(
        select(stock_store.c.id, stock_store.c.name).where(
            stock_store.c.bucket == bucket_of(store_id), stock_store.c.id == store_id
        )
    ).one_or_none()
    return None if row is None else Store(*row)


def list_stores(connection: Connection) -> tuple[Store, ...]:
    """All stores, oldest first."""
    rows = connection.execute(select(stock_store.c.id, stock_store.c.name).order_by(stock_store.c.id))
    return tuple(Store(*row) for row in rows)


def insert_batch(
    connection: Connection, store: Store, name: str, product: str, serials: Iterable[str], actor: str, now: datetime
) -> tuple[uuid.UUID, tuple[uuid.UUID, ...]]:
    """Keep a delivery and its blanks; the batch's identifier and theirs."""
    batch, bucket = new_id_like(store.id, now), bucket_of(store.id)
    blanks = [
        {
            "bucket": bucket,
            "id": new_id_like(store.id, now),
            "state": "IN_STORE",
            "version": 1,
            "store_id": store.id,
            "batch_id": batch,
            "product": product,
            "serial": serial,
            "changed_at": now,
        }
        for serial in serials
    ]
    connection.execute(
        insert(stock_batch).values(
            bucket=bucket,
            id=batch,
            store_id=store.id,
            name=name,
            product=product,
            size=len(blanks),
            received_at=now,
            received_by=actor,
        )
    )
    connection.execute(insert(stock_item), blanks)
    return batch, tuple(uuid.UUID(str(blank["id"])) for blank in blanks)


def find_reserved(connection: Connection, store_id: uuid.UUID, order_id: uuid.UUID) -> Blank | None:
    """The blank of an order that it has reserved or used."""
    return _one(connection, store_id, stock_item.c.order_id == order_id)


def find_serial(connection: Connection, store_id: uuid.UUID, serial: str) -> Blank | None:
    """The blank with a serial, or None."""
    return _one(connection, store_id, stock_item.c.serial == serial)


def list_free(connection: Connection, store_id: uuid.UUID, product: str, limit: int) -> tuple[Blank, ...]:
    """Some blanks of a product that nobody has reserved, oldest first."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(stock_item.c.bucket == bucket_of(store_id), stock_item.c.store_id == store_id)
        .where(stock_item.c.product == product, stock_item.c.state == "IN_STORE")
        .order_by(stock_item.c.id)
        .limit(limit)
    )
    return tuple(Blank(**row) for row in rows.mappings())


def list_blanks(
    connection: Connection, store_id: uuid.UUID, *, state: str | None = None, limit: int = 1000
) -> tuple[Blank, ...]:
    """Blanks of a store, oldest first."""
    query = select(*_COLUMNS).where(stock_item.c.bucket == bucket_of(store_id), stock_item.c.store_id == store_id)
    if state is not None:
        query = query.where(stock_item.c.state == state)
    return tuple(Blank(**row) for row in connection.execute(query.order_by(stock_item.c.id).limit(limit)).mappings())


def list_in_states(connection: Connection, store_id: uuid.UUID, states: Iterable[str]) -> tuple[Blank, ...]:
    """All blanks of a store that are in these states."""
    query = select(*_COLUMNS).where(stock_item.c.bucket == bucket_of(store_id), stock_item.c.store_id == store_id)
    rows = connection.execute(query.where(stock_item.c.state.in_(tuple(states)))).mappings()
    return tuple(Blank(**row) for row in rows)


def known_serials(connection: Connection, store_id: uuid.UUID, serials: Iterable[str]) -> frozenset[str]:
    """Those of many serials that a store has, or had, a blank of."""
    query = select(stock_item.c.serial).where(
        stock_item.c.bucket == bucket_of(store_id), stock_item.c.store_id == store_id
    )
    wanted, found = sorted(serials), set[str]()
    for start in range(0, len(wanted), AT_ONCE):
        part = wanted[start : start + AT_ONCE]
        found.update(connection.execute(query.where(stock_item.c.serial.in_(part))).scalars())
    return frozenset(found)


def count_blanks(connection: Connection, store_id: uuid.UUID) -> dict[str, dict[str, int]]:
    """How many blanks of each product are in each state."""
    rows = connection.execute(
        select(stock_item.c.product, stock_item.c.state, func.count())
        .where(stock_item.c.bucket == bucket_of(store_id), stock_item.c.store_id == store_id)
        .group_by(stock_item.c.product, stock_item.c.state)
    )
    counts: dict[str, dict[str, int]] = {}
    for product, state, count in rows:
        counts.setdefault(product, {})[state] = count
    return counts


def count_delivered(connection: Connection, store_id: uuid.UUID) -> dict[str, int]:
    """How many blanks of each product were delivered, as the delivery notes say."""
    rows = connection.execute(
        select(stock_batch.c.product, func.sum(stock_batch.c.size))
        .where(stock_batch.c.bucket == bucket_of(store_id), stock_batch.c.store_id == store_id)
        .group_by(stock_batch.c.product)
    )
    return {product: int(size) for product, size in rows}


_COLUMNS = tuple(stock_item.c[name] for name in Blank.__slots__)


def _one(connection: Connection, store_id: uuid.UUID, which: ColumnElement[bool]) -> Blank | None:
    query = select(*_COLUMNS).where(stock_item.c.bucket == bucket_of(store_id), stock_item.c.store_id == store_id)
    row = connection.execute(query.where(which)).mappings().one_or_none()
    return None if row is None else Blank(**row)
