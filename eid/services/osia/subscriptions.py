"""OSIA notification: topics, who wants to be told, and messages that reach each of them at least once.

A subscription counts when its receiver has confirmed it: a message with a token goes to the address first, and whoever
has the token has the address. Where the address leads is looked at when something is sent, never before: its name is
resolved once, every address that it has must be public, and the connection goes to that very address
(`eid.gateways.http.send`). Neither message nor address stands in the outbox, a log or an audit row.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import Connection

from eid.audit.chain import AuditEvent
from eid.enrolment.roles import Actor
from eid.errors import EidError, GatewayError, NotStoredError, RecordError
from eid.gateways.http import Address, Location, is_public, send
from eid.gateways.messages import Message
from eid.services.durable.work import Workshop
from eid.services.osia.records import Keeper, derive_id
from eid.services.registry import Registry
from eid.store import subscriptions as store
from eid.store.audit import append_event, bucket_of
from eid.store.database import in_transaction
from eid.store.outbox import Work, enqueue
from eid.store.subscriptions import Delivery, Subscription, Topic, TopicMessage
from eid.store.types import new_id_like

DELIVER: Final = "osia.deliver"
PURPOSE: Final = "subscription"
CONFIRMATION: Final = "subscription-confirmation"
MAX_MESSAGE: Final = 32 << 10  # octets
MAX_ADDRESS: Final = 512  # characters
PAUSE: Final = 3600  # seconds; OSIA's default policy
RETRIES: Final = 168
LONGEST_PAUSE: Final = 7 * 24 * 3600
LEASE: Final = timedelta(minutes=10)  # in which a worker that took a delivery has finished or died
KEPT: Final = timedelta(days=30)  # a message that every subscriber has, or will never have
_TOPIC: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
_POLICY: Final = re.compile(r"([0-9]{1,6}),(-1|[0-9]{1,5})")
_MAIL: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}")
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription with its address opened."""

    subscription: Subscription
    address: str = field(repr=False)

    @property
    def policy(self) -> str:
        """Seconds between tries, and how many of them."""
        return f"{self.subscription.pause},{self.subscription.retries}"


# --- topics


def create_topic(registry: Registry, name: str, actor: Actor) -> Topic:
    """The topic of this name, made where there is none.

    Raises:
        RecordError: the name is malformed.
    """
    if not _TOPIC.fullmatch(name):
        raise RecordError("a topic's name is 1 to 64 letters, digits and . _ : / -")
    made = Topic(_derive(registry, "topic", name), name, actor.id, registry.now())

    def work(connection: Connection) -> Topic:
        if store.keep(connection, made):
            _note(connection, registry, made.id, "topic.create", actor)
        return store.load_topic(connection, made.id) or made

    return in_transaction(registry.engine, work)


def list_topics(registry: Registry) -> tuple[Topic, ...]:
    """All topics."""
    return in_transaction(registry.engine, store.list_topics)


def delete_topic(registry: Registry, topic_id: uuid.UUID, actor: Actor) -> None:
    """Drop a topic with all that belongs to it.

    Raises:
        NotStoredError: there is none.
    """

    def work(connection: Connection) -> None:
        _require_topic(connection, topic_id)
        store.delete_topic(connection, topic_id)
        _note(connection, registry, topic_id, "topic.delete", actor)

    in_transaction(registry.engine, work)


def publish(registry: Registry, topic_id: uuid.UUID, subject: str, text: str, actor: Actor) -> uuid.UUID:
    """Send a message to all who have confirmed that they want it.

    Raises:
        RecordError: there is no such topic, or the message is too long.
    """
    if len(text.encode()) > MAX_MESSAGE or len(subject) > 200 or not subject.isprintable():
        raise RecordError(f"a message has at most {MAX_MESSAGE} octets, its subject 200 printable characters")
    now = registry.now()
    message_id = new_id_like(topic_id, now, registry.random)

    def work(connection: Connection) -> None:
        if store.load_topic(connection, topic_id) is None:
            raise RecordError("there is no such topic")
        _keep_message(connection, registry, topic_id, message_id, subject, text, now)
        _note(connection, registry, topic_id, "topic.publish", actor)

    in_transaction(registry.engine, work)
    return message_id


def publish_event(workshop: Workshop, topic: str, cause: uuid.UUID, subject: str, text: str) -> None:
    """Send what has happened here to all who have confirmed that they want it; where there is no such topic, to nobody.

    Args:
        topic: its name. cause: identifier of what has happened; told again, nothing more is sent.
    """
    now = workshop.now()

    def work(connection: Connection) -> None:
        found = store.load_topic(connection, _derive(workshop, "topic", topic))
        if found is not None:
            message_id = uuid.UUID(bytes=cause.bytes[:15] + found.id.bytes[15:])
            _keep_message(connection, workshop, found.id, message_id, subject, text, now)

    in_transaction(workshop.engine, work)


# --- subscriptions


def subscribe(
    registry: Registry, topic: str, protocol: str, address: str, policy: str | None, actor: Actor
) -> Subscribed:
    """Have a topic's messages sent to an address, once that has confirmed it; twice the same is the same.

    Args:
        topic: its name, or its identifier. policy: "seconds between tries,tries", -1 for tries without end.

    Raises:
        RecordError: no such topic, an address or policy that is not one.
    """
    pause, retries = _parse_policy(policy)
    require_address(protocol, address)
    now = registry.now()

    def work(connection: Connection) -> Subscription:
        topic_id = _find_topic(connection, registry, topic)
        derived = _derive(registry, "subscription", f"{topic_id}:{protocol}:{address}:{actor.id}")
        made = uuid.UUID(bytes=derived.bytes[:15] + topic_id.bytes[15:])
        sealed = registry.keys.seal(PURPOSE, address.encode(), made.bytes, registry.random)
        new = Subscription(made, topic_id, protocol, sealed, pause, retries, False, actor.id, now)
        if store.keep(connection, new):
            _note(connection, registry, made, "subscription.create", actor)
            _dispatch(connection, new, None, now)
        return store.load_subscription(connection, made) or new

    return Subscribed(in_transaction(registry.engine, work), address)


def list_subscriptions(registry: Registry, actor: Actor) -> tuple[Subscribed, ...]:
    """The caller's own."""
    found = in_transaction(registry.engine, lambda connection: store.list_subscriptions(connection, actor.id))
    return tuple(Subscribed(item, _open_address(registry, item)) for item in found)


def unsubscribe(registry: Registry, subscription_id: uuid.UUID, actor: Actor) -> None:
    """End a subscription of the caller's.

    Raises:
        NotStoredError: he has none such.
    """

    def work(connection: Connection) -> None:
        found = store.load_subscription(connection, subscription_id)
        if found is None or found.owner != actor.id:
            raise NotStoredError("there is no such subscription")
        store.delete_subscriptions(connection, found.topic_id, (found.id,))
        _note(connection, registry, found.id, "subscription.delete", actor)

    in_transaction(registry.engine, work)


def confirm(registry: Registry, token: str, actor: Actor) -> None:
    """Let a subscription count: whoever has the token reads what is sent to its address.

    Raises:
        RecordError: it is no token of a subscription that stands.
    """
    name, _, secret = token.partition(".")
    try:
        subscription_id = uuid.UUID(name)
    except ValueError:
        subscription_id = uuid.UUID(int=0)
    if not hmac.compare_digest(_token(registry, subscription_id), f"{subscription_id}.{secret}".encode()):
        raise RecordError("the token is refused")

    def work(connection: Connection) -> None:
        if not store.activate(connection, subscription_id):
            raise RecordError("the token is refused")
        _note(connection, registry, subscription_id, "subscription.confirm", actor)

    in_transaction(registry.engine, work)


def require_address(protocol: str, address: str) -> None:
    """Refuse what cannot be the address of a receiver; where a name leads is looked at when something is sent.

    Raises:
        RecordError: it is none.
    """
    if protocol == "email":
        if not _MAIL.fullmatch(address):
            raise RecordError("the address is no e-mail address")
        return
    host = locate(address).host
    with_number: Address | None
    try:
        with_number = ipaddress.ip_address(host)
    except ValueError:
        with_number = None
    if with_number is not None and not is_public(with_number):
        raise RecordError("the address is not public")


def locate(address: str) -> Location:
    """Where an http or https address is.

    Raises:
        RecordError: it is none, or has a name, a password or a fragment in it.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise RecordError("the address is no URL") from None
    is_plain = address.isascii() and address.isprintable() and " " not in address and len(address) <= MAX_ADDRESS
    named = _HOST.fullmatch(host) or ":" in host
    if parts.scheme not in ("http", "https") or not named or not is_plain or port == 0:
        raise RecordError("the address is no http or https URL")
    if "@" in parts.netloc or parts.fragment:
        raise RecordError("the address has a name, a password or a fragment in it")
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    return Location(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), target)


# --- deliveries, by the worker


def deliver(workshop: Workshop, work: Work, is_allowed: Callable[[Address], bool] = is_public) -> None:
    """The work `osia.deliver`: one try; the next one is the subscription's policy's to say.

    Args:
        is_allowed: see `eid.gateways.http.fetch`.
    """
    delivery_id = uuid.UUID(work.payload["delivery"])
    found = in_transaction(workshop.engine, lambda connection: _load_way(connection, delivery_id))
    if found is None:
        return
    delivery, subscription, message, topic = found
    try:
        _send(workshop, delivery, subscription, message, topic, is_allowed)
        changed: dict[str, object] = {"state": "DONE"}
    except EidError:
        tries = delivery.attempts
        is_over = 0 <= subscription.retries <= tries
        due = workshop.now() + timedelta(seconds=subscription.pause)
        changed = {"state": "FAILED"} if is_over else {"attempts": tries + 1, "due_at": due}
    in_transaction(workshop.engine, lambda connection: store.change_delivery(connection, delivery_id, **changed))


def sweep(workshop: Workshop) -> None:
    """Order the next try of every delivery whose pause is over; for the worker, at an interval."""
    now = workshop.now()

    def work(connection: Connection) -> None:
        for item in store.late_deliveries(connection, now):
            store.change_delivery(connection, item.id, due_at=now + LEASE)
            enqueue(connection, _work_of(item, workshop))

    in_transaction(workshop.engine, work)


def tidy(workshop: Workshop) -> None:
    """Forget what was delivered, or given up, long ago; for the worker, at an interval."""
    before = workshop.now() - KEPT
    in_transaction(workshop.engine, lambda connection: store.forget_delivered(connection, before))


Way = tuple[Delivery, Subscription, TopicMessage | None, Topic]


def _load_way(connection: Connection, delivery_id: uuid.UUID) -> Way | None:
    delivery = store.load_delivery(connection, delivery_id)
    if delivery is None or delivery.state != "WAITING":
        return None
    subscription = store.load_subscription(connection, delivery.subscription_id)
    topic = None if subscription is None else store.load_topic(connection, subscription.topic_id)
    if subscription is None or topic is None:
        return None
    message = None if delivery.message_id is None else store.load_message(connection, delivery.message_id)
    return delivery, subscription, message, topic


def _send(
    workshop: Workshop,
    delivery: Delivery,
    subscription: Subscription,
    message: TopicMessage | None,
    topic: Topic,
    is_allowed: Callable[[Address], bool],
) -> None:
    address, number = _open_address(workshop, subscription), str(delivery.message_id or delivery.id)
    stated = _compose(workshop, subscription, message, topic, number)
    if subscription.protocol == "email":
        text = stated.get("token", stated["message"])
        subject = stated.get("subject") or topic.name
        workshop.mail.send(Message(str(delivery.id), address, subject, text, "en"))
        return
    headers = {
        "Content-Type": "application/json",
        "message-type": stated["type"],
        "subscription-id": str(subscription.id),
        "message-id": number,
        "topic-id": str(topic.id),
    }
    try:
        place = locate(address)
    except RecordError as failure:
        raise GatewayError("the address is none any more") from failure
    send(place, json.dumps(stated, ensure_ascii=False).encode(), headers, is_allowed=is_allowed)


def _compose(
    workshop: Workshop, subscription: Subscription, message: TopicMessage | None, topic: Topic, number: str
) -> dict[str, str]:
    """OSIA's Message."""
    moment = workshop.now().isoformat(timespec="seconds")
    common = {"topic": topic.name, "messageId": number, "timestamp": moment}
    if message is None:
        token = _token(workshop, subscription.id).decode()
        return {"type": "SubscriptionConfirmation", "message": "confirm with the token", "token": token, **common}
    subject, text = json.loads(workshop.keys.unseal(PURPOSE, message.sealed, message.id.bytes))
    return {"type": "Notification", "message": text, **({"subject": subject} if subject else {}), **common}


# Inside


def _keep_message(
    connection: Connection,
    keeper: Keeper,
    topic_id: uuid.UUID,
    message_id: uuid.UUID,
    subject: str,
    text: str,
    now: datetime,
) -> None:
    plain = json.dumps([subject, text], ensure_ascii=False).encode()
    sealed = keeper.keys.seal(PURPOSE, plain, message_id.bytes)
    if store.keep(connection, TopicMessage(message_id, topic_id, sealed, now)):
        for item in store.subscribers(connection, topic_id):
            _dispatch(connection, item, message_id, now)


def _dispatch(connection: Connection, item: Subscription, message: uuid.UUID | None, now: datetime) -> None:
    made = Delivery(new_id_like(item.id, now), item.id, message, "WAITING", 0, now + LEASE)
    store.keep(connection, made)
    enqueue(connection, Work(new_id_like(item.id, now), DELIVER, {"delivery": str(made.id)}, now))


def _work_of(item: Delivery, workshop: Workshop) -> Work:
    return Work(new_id_like(item.id, workshop.now()), DELIVER, {"delivery": str(item.id)}, workshop.now())


def _require_topic(connection: Connection, topic_id: uuid.UUID) -> Topic:
    found = store.load_topic(connection, topic_id)
    if found is None:
        raise NotStoredError("there is no such topic")
    return found


def _find_topic(connection: Connection, registry: Registry, text: str) -> uuid.UUID:
    try:
        named = uuid.UUID(text)
    except ValueError:
        named = _derive(registry, "topic", text)
    if store.load_topic(connection, named) is None:
        raise RecordError("there is no such topic")
    return named


def _parse_policy(policy: str | None) -> tuple[int, int]:
    if policy is None:
        return PAUSE, RETRIES
    found = _POLICY.fullmatch(policy)
    if found is None or not 1 <= int(found[1]) <= LONGEST_PAUSE:
        raise RecordError("a policy is seconds between tries, a comma, and how many; -1 for no end")
    return int(found[1]), int(found[2])


def _derive(keeper: Keeper, kind: str, text: str) -> uuid.UUID:
    return derive_id(keeper.keys.tag(PURPOSE, f"{kind}:{text}".encode()))


def _token(keeper: Keeper, subscription_id: uuid.UUID) -> bytes:
    return f"{subscription_id}.{keeper.keys.tag(CONFIRMATION, subscription_id.bytes).hex()}".encode()


def _open_address(keeper: Keeper, item: Subscription) -> str:
    return keeper.keys.unseal(PURPOSE, item.address, item.id.bytes).decode()


def _note(connection: Connection, registry: Registry, subject: uuid.UUID, action: str, actor: Actor) -> None:
    kind = action.partition(".")[0]
    event = AuditEvent(registry.now(), f"osia:{actor.id}", action, f"{kind}:{subject}", {})
    append_event(connection, bucket_of(subject), event)
