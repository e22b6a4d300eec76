"""Rows of topics, of who wants to be told, of messages and their deliveries. All of a topic lie together."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from eid.store import osia_tables as tables
from eid.store.audit import bucket_of


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that messages are published about."""

    id: uuid.UUID
    name: str
    owner: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told of a topic's messages.

    Args:
        protocol: http or email. address: sealed. pause: seconds between tries. retries: how many, -1 for no end.
        active: whether it was confirmed.
    """

    id: uuid.UUID
    topic_id: uuid.UUID
    protocol: str
    address: bytes = field(repr=False)
    pause: int
    retries: int
    active: bool
    owner: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TopicMessage:
    """What was published. sealed: subject and text."""

    id: uuid.UUID
    topic_id: uuid.UUID
    sealed: bytes = field(repr=False)
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way to one subscription; without a message, the question whether it is wanted."""

    id: uuid.UUID
    subscription_id: uuid.UUID
    message_id: uuid.UUID | None
    state: str
    attempts: int
    due_at: datetime


Row = Topic | Subscription | TopicMessage | Delivery
_TABLES: dict[type[Row], Table] = {
    Topic: tables.topic,
    Subscription: tables.subscription,
    TopicMessage: tables.topic_message,
    Delivery: tables.delivery,
}


def keep(connection: Connection, row: Row) -> bool:
    """Keep a row; False where there is one under its identifier."""
    values = {name: getattr(row, name) for name in type(row).__slots__}
    try:
        with connection.begin_nested():
            connection.execute(insert(_TABLES[type(row)]).values(bucket=bucket_of(row.id), **values))
    except IntegrityError:
        return False
    return True


def load_topic(connection: Connection, topic_id: uuid.UUID) -> Topic | None:
    """The topic, or None."""
    row = connection.execute(_select(Topic, topic_id)).one_or_none()
    return None if row is None else Topic(*row)


def load_subscription(connection: Connection, subscription_id: uuid.UUID) -> Subscription | None:
    """The subscription, or None."""
    row = connection.execute(_select(Subscription, subscription_id)).one_or_none()
    return None if row is None else Subscription(*row)


def load_message(connection: Connection, message_id: uuid.UUID) -> TopicMessage | None:
    """The message, or None."""
    row = connection.execute(_select(TopicMessage, message_id)).one_or_none()
    return None if row is None else TopicMessage(*row)


def load_delivery(connection: Connection, delivery_id: uuid.UUID) -> Delivery | None:
    """The delivery, or None."""
    row = connection.execute(_select(Delivery, delivery_id)).one_or_none()
    return None if row is None else Delivery(*row)


def has_topic(connection: Connection, name: str) -> bool:
    """Whether there is a topic of this name."""
    return connection.execute(select(tables.topic.c.id).where(tables.topic.c.name == name)).first() is not None


def list_topics(connection: Connection) -> tuple[Topic, ...]:
    """All topics, oldest first."""
    rows = connection.execute(_columns(Topic).order_by(tables.topic.c.created_at, tables.topic.c.id))
    return tuple(Topic(*row) for row in rows)


def list_subscriptions(connection: Connection, owner: str) -> tuple[Subscription, ...]:
    """A system's subscriptions, oldest first."""
    table = tables.subscription
    query = _columns(Subscription).where(table.c.owner == owner).order_by(table.c.created_at, table.c.id)
    return tuple(Subscription(*row) for row in connection.execute(query))


def subscribers(connection: Connection, topic_id: uuid.UUID) -> tuple[Subscription, ...]:
    """The confirmed subscriptions to a topic."""
    table = tables.subscription
    query = _columns(Subscription).where(table.c.bucket == bucket_of(topic_id), table.c.topic_id == topic_id)
    return tuple(Subscription(*row) for row in connection.execute(query.where(table.c.active).order_by(table.c.id)))


def activate(connection: Connection, subscription_id: uuid.UUID) -> bool:
    """Confirm a subscription; False where there is none."""
    table = tables.subscription
    mine = (table.c.bucket == bucket_of(subscription_id), table.c.id == subscription_id)
    return connection.execute(update(table).where(*mine).values(active=True)).rowcount == 1


def change_delivery(connection: Connection, delivery_id: uuid.UUID, **values: Any) -> None:
    """Set columns of a delivery that is not over."""
    table = tables.delivery
    mine = (table.c.bucket == bucket_of(delivery_id), table.c.id == delivery_id, table.c.state == "WAITING")
    connection.execute(update(table).where(*mine).values(**values))


def late_deliveries(connection: Connection, now: datetime, limit: int = 100) -> tuple[Delivery, ...]:
    """Deliveries whose next try is due."""
    table = tables.delivery
    query = _columns(Delivery).where(table.c.state == "WAITING", table.c.due_at <= now)
    return tuple(Delivery(*row) for row in connection.execute(query.order_by(table.c.due_at, table.c.id).limit(limit)))


def forget_delivered(connection: Connection, before: datetime) -> int:
    """Drop deliveries that were over before a moment, and messages of that time that nobody waits for; how many."""
    ways, messages = tables.delivery, tables.topic_message
    over = connection.execute(delete(ways).where(ways.c.state != "WAITING", ways.c.due_at < before)).rowcount
    waits = exists().where(ways.c.bucket == messages.c.bucket, ways.c.message_id == messages.c.id)
    told = connection.execute(delete(messages).where(messages.c.published_at < before, ~waits)).rowcount
    return over + told


def delete_subscriptions(connection: Connection, topic_id: uuid.UUID, ids: Iterable[uuid.UUID]) -> None:
    """Drop subscriptions to a topic, and what was on its way to them."""
    bucket, chosen = bucket_of(topic_id), tuple(ids)
    table, ways = tables.subscription, tables.delivery
    connection.execute(delete(ways).where(ways.c.bucket == bucket, ways.c.subscription_id.in_(chosen)))
    connection.execute(delete(table).where(table.c.bucket == bucket, table.c.id.in_(chosen)))


def delete_topic(connection: Connection, topic_id: uuid.UUID) -> None:
    """Drop a topic with its subscriptions and messages."""
    bucket, table, messages = bucket_of(topic_id), tables.subscription, tables.topic_message
    found = select(table.c.id).where(table.c.bucket == bucket, table.c.topic_id == topic_id)
    delete_subscriptions(connection, topic_id, connection.execute(found).scalars())
    connection.execute(delete(messages).where(messages.c.bucket == bucket, messages.c.topic_id == topic_id))
    connection.execute(delete(tables.topic).where(tables.topic.c.bucket == bucket, tables.topic.c.id == topic_id))


def _columns(kind: type[Row]) -> Any:
    return select(*(_TABLES[kind].c[name] for name in kind.__slots__))


def _select(kind: type[Row], row_id: uuid.UUID) -> Any:
    table = _TABLES[kind]
    return _columns(kind).where(table.c.bucket == bucket_of(row_id), table.c.id == row_id)
