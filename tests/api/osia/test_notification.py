"""OSIA notification: every operation and status code, what reaches a receiver, and where nothing is ever sent to."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, select

from eid.enrolment.card_status import RevocationCause, SuspensionCause
from eid.errors import GatewayError, RecordError
from eid.gateways.http import Location, is_public, send
from eid.services.card.cards import Register
from eid.services.osia import credential_events
from eid.services.osia.subscriptions import LEASE, deliver, locate, require_address, sweep, tidy
from eid.store.database import in_transaction
from eid.store.osia_tables import delivery, topic_message
from eid.store.outbox import forget, waiting
from tests.api.osia.test_osia import NOBODY, refuse_everything, require_all_seen
from tests.builders.cards import CHIEF, NOW, active_card
from tests.builders.osia import OPERATIONS, System, require_valid
from tests.builders.registry import Office, build_office

pytestmark = pytest.mark.anyio
Stated = dict[str, Any]


LOOK_UP: Any = socket.getaddrinfo


class Receiver(ThreadingHTTPServer):
    """Takes what is sent to it; status: what it answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.taken: list[tuple[dict[str, str], dict[str, Any]]] = []

    @property
    def address(self) -> str:
        return f"http://receiver.localhost:{self.server_port}/in?key=secret"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((dict(self.headers.items()), json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    server = Receiver()
    monkeypatch.setattr("eid.gateways.http.socket.getaddrinfo", _resolve)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def _resolve(host: str, port: Any, *more: Any, **given: Any) -> list[tuple[Any, ...]]:
    return LOOK_UP("127.0.0.1" if host == "receiver.localhost" else host, port, *more, **given)


class Mail:
    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, message: Any) -> str:
        self.sent.append(message)
        return "reference"


class Post:
    """The worker's part: does what waits, as often as it is asked."""

    def __init__(self, office: Office) -> None:
        self.engine = office.registry.engine
        self.mail = Mail()
        registry = office.registry
        self.workshop: Any = SimpleNamespace(engine=self.engine, keys=registry.keys, now=registry.now, mail=self.mail)

    def work(self, *, is_allowed: Any = lambda _: True) -> int:
        with self.engine.connect() as connection:
            works = [item for item in waiting(connection, 1000) if item.kind == "osia.deliver"]
        for item in works:
            assert item.payload.keys() == {"delivery"}
            deliver(self.workshop, item, is_allowed)
            in_transaction(self.engine, lambda connection, item=item: forget(connection, item))  # type: ignore[misc]  # a lambda is given no type
        return len(works)

    def tell_events(self, *, again: bool = False) -> int:
        """Tell what has become of cards; again: what was told before, besides."""
        if not again:
            with self.engine.connect() as connection:
                self.events = [item for item in waiting(connection, 1000) if item.kind == "osia.credential"]
        for item in self.events:
            credential_events.tell(self.workshop, item)
        return len(self.events)

    def states(self) -> list[tuple[str, int]]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(delivery.c.state, delivery.c.attempts).order_by(delivery.c.id))
            return [(row.state, row.attempts) for row in rows]


@pytest.fixture
def office(any_database: Engine) -> Office:
    return build_office(any_database)


@pytest.fixture
def system(office: Office) -> System:
    return System(office)


async def test_notification(system: System, receiver: Receiver, tmp_path: Path):
    await refuse_everything(system, tmp_path, "notification")
    post = Post(system.office)
    topic = (await system("createTopic", 200, query={"name": "cards"})).json()
    assert (await system("createTopic", 200, query={"name": "cards"})).json() == topic
    assert (await system("listTopics", 200)).json() == [topic]
    await system("createTopic", 400, query={"name": "no topic"})
    asked = {"topic": "cards", "address": receiver.address, "policy": "60,1"}
    made = (await system("subscribe", 200, query=asked)).json()
    assert (made["topic"], made["active"], made["policy"]) == (topic["uuid"], False, "60,1")
    assert (await system("subscribe", 200, query={**asked, "topic": topic["uuid"]})).json() == made
    assert (await system("listSubscription", 200)).json() == [made]
    assert (await System(system.office, sub="system-2")("listSubscription", 200)).json() == []
    await _publish(system, topic["uuid"], "before it is confirmed")
    assert post.work() == 1
    (headers, told), *none = receiver.taken
    assert none == []
    _require_message(headers, told, made, topic)
    assert told["type"] == "SubscriptionConfirmation"
    for wrong in (told["token"][:-1] + "x", told["token"].partition(".")[0], f"{NOBODY}.{told['token'][37:]}"):
        await system("confirm", 400, query={"token": wrong})
    await system("confirm", 200, query={"token": told["token"]})
    assert (await system("listSubscription", 200)).json() == [{**made, "active": True}]
    await _publish(system, topic["uuid"], "a card was revoked")
    assert (post.work(), post.work()) == (1, 0)
    headers, told = receiver.taken[-1]
    _require_message(headers, told, made, topic)
    assert (told["type"], told["message"], told["subject"]) == ("Notification", "a card was revoked", "News")
    await System(system.office, sub="system-2")("unsubscribe", 404, uuid=made["uuid"])
    await system("publish", 400, content=b"x", headers={"Content-Type": "plain/text"}, uuid=NOBODY)
    await system("unsubscribe", 204, uuid=made["uuid"])
    await system("confirm", 400, query={"token": receiver.taken[0][1]["token"]})
    await system("deleteTopic", 204, uuid=topic["uuid"])
    assert (await system("listTopics", 200)).json() == []
    require_all_seen(system, "notification")


async def test_what_becomes_of_cards_is_told_to_those_who_have_subscribed(system: System, receiver: Receiver):
    """Under the topics that there are; the card's identifier and status, never its number or why."""
    post, register = Post(system.office), Register(system.office.registry.engine)
    active_card(register.engine, "SPM00001", 1)  # nobody has asked for this
    for name in ("credential.registered", "credential.suspended", "credential.revoked"):
        await system("createTopic", 200, query={"name": name})
        await system("subscribe", 200, query={"topic": name, "address": receiver.address})
    assert post.work() == 3
    for _, told in list(receiver.taken):
        await system("confirm", 200, query={"token": told["token"]})
    receiver.taken.clear()
    card = active_card(register.engine, "SPM00002", 2)
    register.suspend(card.id, SuspensionCause.STOLEN, CHIEF, NOW)
    revoked = register.revoke(card.id, RevocationCause.FRAUD, CHIEF, NOW)
    assert [post.tell_events(), post.tell_events(again=True)] == [3, 3]  # as a worker that died on the way does
    assert (post.work(), post.work()) == (3, 0)
    system.office.clock.now += timedelta(days=31)
    tidy(post.workshop)
    with register.engine.connect() as connection:
        assert connection.execute(select(topic_message)).all() == []
    messages = {told["subject"]: json.loads(told["message"]) for _, told in receiver.taken}
    assert {subject: told["status"] for subject, told in messages.items()} == {
        "credential.registered": "NEW",
        "credential.suspended": "SUSPENDED",
        "credential.revoked": "REVOKED",
    }
    assert messages["credential.revoked"] == {
        "event": "credential.revoked",
        "credentialId": str(card.id),
        "status": "REVOKED",
        "version": revoked.version,
        "timestamp": NOW.isoformat(),
    }
    for hidden in ("SPM00002", "fraud", "stolen"):
        assert hidden not in str(receiver.taken)


async def _publish(system: System, topic: str, text: str) -> None:
    plain = {"Content-Type": "plain/text"}
    await system("publish", 200, content=text.encode(), headers=plain, query={"subject": "News"}, uuid=topic)


def _require_message(
    headers: dict[str, str], told: dict[str, Any], made: dict[str, Any], topic: dict[str, Any]
) -> None:
    callback = OPERATIONS["subscribe"][1]["callback"]
    require_valid("notification", callback["body"], told)
    required = {item["name"] for item in callback["headers"] if item["required"]}
    assert required <= {name.lower() for name in headers}
    assert (headers["message-type"], headers["message-id"]) == (told["type"], told["messageId"])
    assert (headers["subscription-id"], headers["topic-id"]) == (made["uuid"], topic["uuid"])


async def test_what_cannot_be_delivered_is_tried_again_by_its_policy(system: System, receiver: Receiver):
    post, clock = Post(system.office), system.office.clock
    await system("createTopic", 200, query={"name": "cards"})
    await system("subscribe", 200, query={"topic": "cards", "address": receiver.address, "policy": "600,2"})
    for status in (500, 302):  # where a redirect leads, nobody goes
        receiver.status = status
        assert post.work() == 1
        sweep(post.workshop)
        assert post.work() == 0  # not yet
        clock.now += timedelta(seconds=601)
        sweep(post.workshop)
    assert post.states() == [("WAITING", 2)]
    clock.now += LEASE / 2
    sweep(post.workshop)  # somebody is at it
    assert post.work() == 1
    assert post.states() == [("FAILED", 2)]
    assert len(receiver.taken) == 3
    clock.now += timedelta(days=1)
    sweep(post.workshop)
    assert post.work() == 0
    tidy(post.workshop)
    assert post.states() == [("FAILED", 2)]
    clock.now += timedelta(days=30)
    tidy(post.workshop)
    assert post.states() == []


@pytest.mark.both_databases
async def test_a_worker_that_dies_leaves_its_delivery_to_the_next(system: System, receiver: Receiver):
    post, clock = Post(system.office), system.office.clock
    await system("createTopic", 200, query={"name": "cards"})
    await system("subscribe", 200, query={"topic": "cards", "address": receiver.address})
    with post.engine.connect() as connection:
        (item,) = (item for item in waiting(connection) if item.kind == "osia.deliver")
    in_transaction(post.engine, lambda connection: forget(connection, item))  # taken over, and never done
    clock.now += LEASE
    sweep(post.workshop)
    assert post.work() == 1
    assert post.states() == [("DONE", 0)]


async def test_messages_by_mail(system: System):
    post = Post(system.office)
    await system("createTopic", 200, query={"name": "cards"})
    asked = {"topic": "cards", "protocol": "email", "address": "office@specimen.invalid"}
    await system("subscribe", 200, query=asked)
    await system("subscribe", 400, query={**asked, "address": "no address"})
    await system("subscribe", 400, query={**asked, "protocol": "fax"})
    assert post.work() == 1
    (sent,) = post.mail.sent
    assert sent.to == "office@specimen.invalid"
    await system("confirm", 200, query={"token": sent.text})
    (topic,) = (await system("listTopics", 200)).json()
    await _publish(system, topic["uuid"], "by mail")
    assert post.work() == 1
    assert (post.mail.sent[-1].subject, post.mail.sent[-1].text) == ("News", "by mail")


# ------------------------------------------------------------------------------------------- where nothing is ever sent
REFUSED = (
    "file:///etc/passwd", "ftp://example.org/", "//example.org/", "https://", "https://:443/", "https://example.org:0/",
    "https://example.org:99999/", "https://user:secret@example.org/", "https://example.org/#part",
    "https://exa mple.org/", "https://example.org/\r\nX-Header: 1", "http://127.0.0.1/", "http://[::1]/",
    "http://10.0.0.1/", "http://169.254.169.254/", "http://[::ffff:10.0.0.1]/", "http://[fe80::1]/", "http://0.0.0.0/",
    "http://192.168.1.1:8080/", "http://[64:ff9b::a00:1]/", "https://exämple.org/", "http://" + "a" * 600,
)  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_nobody_subscribes(address: str):
    with pytest.raises(RecordError):
        require_address("http", address)


def test_addresses_that_are_taken():
    assert locate("https://example.org") == Location("https", "example.org", 443, "/")
    assert locate("http://example.org:8080/in?a=b") == Location("http", "example.org", 8080, "/in?a=b")
    require_address("http", "https://example.org/in")
    require_address("http", "https://8.8.8.8/in")


async def test_a_name_that_leads_inside_is_sent_nothing(system: System, receiver: Receiver):
    """It is looked at when something is sent, at the very address that is connected to then."""
    post = Post(system.office)
    await system("createTopic", 200, query={"name": "cards"})
    await system("subscribe", 200, query={"topic": "cards", "address": receiver.address})
    assert post.work(is_allowed=is_public) == 1
    assert receiver.taken == []
    assert post.states() == [("WAITING", 1)]


def test_a_host_with_one_bad_address_is_sent_nothing(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    here = receiver.server_port
    both = [(2, 1, 6, "", ("8.8.8.8", 80)), (2, 1, 6, "", ("127.0.0.1", here))]
    monkeypatch.setattr("eid.gateways.http.socket.getaddrinfo", lambda *_, **__: both)
    with pytest.raises(GatewayError, match="not public"):
        send(Location("http", "two.example", receiver.server_port, "/"), b"{}", {})
    assert receiver.taken == []


def test_a_slow_receiver_is_given_up(monkeypatch: pytest.MonkeyPatch):
    listener = socket.create_server(("127.0.0.1", 0))
    place = Location("http", "127.0.0.1", listener.getsockname()[1], "/")
    with listener, pytest.raises(GatewayError):
        send(place, b"{}", {}, seconds=0.2, is_allowed=lambda _: True)


async def test_default_policy(system: System):
    await system("createTopic", 200, query={"name": "cards"})
    asked = {"topic": "cards", "address": "https://receiver.example/"}
    assert (await system("subscribe", 200, query=asked)).json()["policy"] == "3600,168"
    for policy in ("0,1", "1", "x,y", "60,-2", "9999999,1"):
        await system("subscribe", 400, query={**asked, "policy": policy})
    await system("subscribe", 400, query={**asked, "topic": "none"})
