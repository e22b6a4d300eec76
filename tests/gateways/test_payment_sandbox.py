"""The five adapters against the sandbox provider, over HTTP; and the provider against those who abuse it."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zoneinfo import ZoneInfo

import pytest

from eid.enrolment.payment import Channel, Money, Outcome
from eid.errors import GatewayError, LifecycleError, NotStoredError, ProfileError, RecordError
from eid.gateways.payment import CHANNELS
from eid.gateways.payment.callback import Callback, decode_callback
from eid.gateways.payment.channel import HttpChannel, PaymentOrder
from eid.gateways.payment.link import ProviderLink
from eid.gateways.payment.sandbox import Ending, Plan, SandboxProvider
from eid.gateways.payment.sandbox_server import SandboxSettings, serve_sandbox
from eid.gateways.payment.signature import HEADER, verify_message
from eid.gateways.payment.statement import decode_statement

SECRET = b"s" * 32
PRICE = Money(75, "MAD")
NOW = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)  # the first of July where the provider is
ZONE = "Africa/Casablanca"


def clock() -> datetime:
    return NOW


@dataclass
class Office:
    """Receives callbacks as a registry does."""

    url: str = ""
    told: list[tuple[str, Callback]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    statuses: list[int] = field(default_factory=list)  # answered first, before 200

    def wait(self, count: int) -> list[Outcome]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.told) >= count, 60)
            return [callback.outcome for _, callback in self.told]


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            verify_message((SECRET,), self.headers[HEADER], body, NOW)
            with office.arrived:
                status = office.statuses.pop(0) if office.statuses else 200
                if status == 200:
                    office.told.append((self.path, decode_callback(body)))
                office.arrived.notify_all()
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        office.url = f"http://127.0.0.1:{server.server_address[1]}/v1/payment-callbacks"
        yield office
        server.shutdown()
        thread.join()


@dataclass
class Sandbox:
    url: str
    provider: SandboxProvider

    def channel(self, name: Channel, secret: bytes = SECRET) -> HttpChannel:
        return next(kind for kind in CHANNELS if kind.name is name)(ProviderLink(self.url, (secret,), clock=clock))

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        connection.request(method, path, body)
        response = connection.getresponse()
        found = response.status, response.read()
        connection.close()
        return found


@pytest.fixture
def sandbox(office: Office) -> Iterator[Sandbox]:
    with serve_sandbox(SandboxSettings(office.url, SECRET, ZONE, clock)) as (url, provider):
        yield Sandbox(url, provider)


def order(**changes: object) -> PaymentOrder:
    given = {"phone": "+212600000001", "terminal": "T-1", "return_url": "https://office.example/", **changes}
    return PaymentOrder(uuid.uuid4(), PRICE, "card", NOW + timedelta(days=1), **given)


@pytest.mark.parametrize(
    ("name", "form", "tells"),
    [
        (Channel.ONLINE_CARD, "redirect", "url"),
        (Channel.BANK_BRANCH, "voucher", "code"),
        (Channel.PAYMENT_PROVIDER, "voucher", "code"),
        (Channel.COUNTER_TERMINAL, "terminal", None),
        (Channel.MOBILE_WALLET, "push", None),
    ],
)
def test_every_way_is_requested_paid_told_and_returned(office, sandbox, name, form, tells) -> None:
    channel, wanted = sandbox.channel(name), order()
    assert channel.ask(wanted.reference) is None
    told = channel.request(wanted)
    assert channel.request(wanted) == told  # once
    assert (told.form, told.url is not None, told.code is not None) == (form, tells == "url", tells == "code")
    assert channel.ask(wanted.reference) is Outcome.PENDING
    sandbox.provider.end(name, wanted.reference, Plan(Ending.SETTLED))
    assert office.wait(1) == [Outcome.SETTLED]
    path, callback = office.told[0]
    assert path == f"/v1/payment-callbacks/{name.value}"
    assert (callback.reference, callback.money, callback.provider_reference) == (
        wanted.reference, PRICE, told.provider_reference
    )  # fmt: skip
    assert channel.refund(wanted.reference, PRICE) is Outcome.REFUNDED
    assert channel.refund(wanted.reference, PRICE) is Outcome.REFUNDED
    assert channel.ask(wanted.reference) is Outcome.REFUNDED
    today = NOW.astimezone(ZoneInfo(ZONE)).date()
    lines = decode_statement(channel.statement(today))
    assert [(line.reference, line.kind, line.money) for line in lines] == [
        (wanted.reference, "payment", PRICE),
        (wanted.reference, "refund", PRICE),
    ]
    assert decode_statement(channel.statement(today - timedelta(days=1))) == ()


def test_plans_duplicates_order_delay_silence_and_wrong_amounts(office, sandbox) -> None:
    channel = sandbox.channel(Channel.MOBILE_WALLET)
    plan = {"ending": "settled", "delay": 0.05, "duplicates": 2, "out_of_order": True, "refund": "refunded"}
    assert sandbox.ask("PUT", "/sandbox/plan", json.dumps(plan).encode()) == (200, json.dumps(plan).encode())
    channel.request(order())
    assert sorted(office.wait(4)) == ["pending", "settled", "settled", "settled"]
    assert len({callback.event_id for _, callback in office.told}) == 2
    for ending in ("declined", "expired", "cancelled", "wrong-amount", "silent"):
        sandbox.provider.plan = Plan(Ending(ending))
        wanted = order()
        channel.request(wanted)
        if ending == "silent":
            assert channel.ask(wanted.reference) is Outcome.SETTLED
    assert sorted(office.wait(8)[4:]) == ["cancelled", "declined", "expired", "settled"]
    amounts = {callback.money.amount for _, callback in office.told}
    assert amounts == {75, 76}


def test_an_event_is_told_until_it_is_taken(office, sandbox) -> None:
    office.statuses = [503, 500]
    sandbox.provider.plan = Plan(Ending.SETTLED)
    sandbox.channel(Channel.BANK_BRANCH).request(order())
    assert office.wait(1) == [Outcome.SETTLED]
    assert office.statuses == []


def test_a_person_pays_on_the_page_or_lets_a_payment_settle_late(office, sandbox) -> None:
    told = sandbox.channel(Channel.ONLINE_CARD).request(order())
    path = told.url.removeprefix(sandbox.url)
    status, page = sandbox.ask("GET", path)
    assert status == 200
    assert b"75 MAD" in page
    assert sandbox.ask("POST", path, b"ending=declined")[0] == 200
    assert sandbox.ask("POST", f"/sandbox/endings/{told.provider_reference}", b'{"ending": "settled"}')[0] == 200
    assert office.wait(2)[-1] in (Outcome.SETTLED, Outcome.DECLINED)
    assert sandbox.ask("POST", path, b"ending=settled")[0] == 409
    assert b"<form" not in sandbox.ask("GET", path)[1]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/online-card/payments/" + "0" * 36, b"", 401),
        ("POST", "/v1/online-card/payments", b"{}", 401),
        ("GET", "/v1/online-card/statements/2026-11-22", b"", 401),
        ("GET", "/pay/none", b"", 404),
        ("PUT", "/sandbox/other", b"{}", 404),
        ("PUT", "/sandbox/plan", b"[]", 422),
        ("PUT", "/sandbox/plan", b"{", 422),
        ("PUT", "/sandbox/plan", b'{"ending": "won"}', 422),
        ("PUT", "/sandbox/plan", b'{"delay": 1e9}', 422),
        ("PUT", "/sandbox/plan", b'{"delay": NaN}', 422),
        ("PUT", "/sandbox/plan", b"x" * (1 << 15), 422),
    ],
)
def test_what_the_provider_refuses(sandbox, method, path, body, status) -> None:
    assert sandbox.ask(method, path, body)[0] == status


def test_what_the_adapters_refuse(sandbox, office) -> None:
    with pytest.raises(RecordError, match="terminal"):
        sandbox.channel(Channel.COUNTER_TERMINAL).request(order(terminal=None))
    with pytest.raises(RecordError, match="telephone"):
        sandbox.channel(Channel.MOBILE_WALLET).request(order(phone=None))
    with pytest.raises(GatewayError, match="status 401"):
        sandbox.channel(Channel.BANK_BRANCH, b"x" * 32).request(order())
    channel = sandbox.channel(Channel.BANK_BRANCH)
    wanted = order()
    channel.request(wanted)
    with pytest.raises(GatewayError, match="status 409"):
        channel.refund(wanted.reference, PRICE)
    gone = next(kind for kind in CHANNELS if kind.name is Channel.BANK_BRANCH)(
        ProviderLink("http://127.0.0.1:1", (SECRET,))
    )
    with pytest.raises(GatewayError, match="out of reach"):
        gone.request(order())


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 30_000,
        b'{"provider_reference": "a b"}',
        b'{"provider_reference": "P-1"}',
        b'{"provider_reference": "P-1", "url": "http://evil.example/"}',
        b'{"provider_reference": "P-1", "url": 7}',
        b"x" * (1 << 17),
    ],
)
def test_a_provider_that_answers_nonsense(answer: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        link = ProviderLink(f"http://127.0.0.1:{server.server_address[1]}", (SECRET,))
        channel = next(kind for kind in CHANNELS if kind.name is Channel.ONLINE_CARD)(link)
        with pytest.raises(GatewayError):
            channel.request(order())
        server.shutdown()
        thread.join()


def test_a_refund_that_waits_or_is_declined(sandbox, office) -> None:
    channel, wanted = sandbox.channel(Channel.BANK_BRANCH), order()
    channel.request(wanted)
    sandbox.provider.end(Channel.BANK_BRANCH, wanted.reference, Plan(Ending.SILENT))
    for answer in (Outcome.DECLINED, Outcome.PENDING, Outcome.REFUNDED):
        sandbox.provider.plan = Plan(refund=answer)
        assert channel.refund(wanted.reference, PRICE) is answer
    assert office.wait(1) == [Outcome.REFUNDED]
    assert channel.ask(wanted.reference) is Outcome.REFUNDED
    with pytest.raises(RecordError, match="refund"):
        Plan(refund=Outcome.EXPIRED)


def test_the_books_of_the_sandbox() -> None:
    told: list[object] = []
    provider = SandboxProvider(told.append)
    reference = uuid.uuid4()
    provider.request(Channel.BANK_BRANCH, reference, PRICE)
    with pytest.raises(LifecycleError, match="another amount"):
        provider.request(Channel.BANK_BRANCH, reference, Money(76, "MAD"))
    with pytest.raises(NotStoredError):
        provider.find(Channel.ONLINE_CARD, reference)
    with pytest.raises(LifecycleError):
        provider.end(Channel.BANK_BRANCH, reference, Plan(Ending.MANUAL))
    provider.end(Channel.BANK_BRANCH, reference, Plan(Ending.DECLINED))
    provider.end(Channel.BANK_BRANCH, reference, Plan(Ending.SETTLED))  # late
    with pytest.raises(LifecycleError):
        provider.end(Channel.BANK_BRANCH, reference, Plan(Ending.SETTLED))
    assert len(told) == 2
    with pytest.raises(RecordError):
        Plan(delay=-1)
    with pytest.raises(ProfileError), serve_sandbox(SandboxSettings("http://far.example", SECRET)):
        pass
