"""The sandbox provider as an HTTP server: what our adapters ask of a provider, a page to pay at, and its controls.

::

    POST /v1/<channel>/payments                  signed      expect a payment
    GET  /v1/<channel>/payments/<reference>      signed      what became of it
    POST /v1/<channel>/refunds                   signed      return it
    GET  /v1/<channel>/statements/<YYYY-MM-DD>   signed      the movements of a day, CSV
    GET, POST /pay/<number or code>              for people  a page with a button for each ending
    GET, PUT  /sandbox/plan                      controls    how the next payments end
    POST /sandbox/endings/<number or code>       controls    let this one end now

It listens on the loopback interface and moves no money.
"""

from __future__ import annotations

import html
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from eid.enrolment.payment import Channel, Money, Outcome
from eid.errors import AuthenticationError, GatewayError, LifecycleError, NotStoredError, RecordError
from eid.gateways.local_server import HOST, LocalServer, serving
from eid.gateways.payment.link import check_url, utc_now
from eid.gateways.payment.sandbox import Ending, Plan, SandboxPayment, SandboxProvider, Telling
from eid.gateways.payment.signature import HEADER, describe_request, sign_message, verify_message

MAX_BODY: Final = 1 << 14
PATIENCE: Final = 10.0  # seconds for a request to come, and for an answer to a callback
PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # between the attempts to tell of an event
_PAYMENT: Final = re.compile(r"/v1/([a-z-]{1,32})/payments/([0-9a-f-]{36})")
_STATEMENT: Final = re.compile(r"/v1/([a-z-]{1,32})/statements/([0-9]{4}-[0-9]{2}-[0-9]{2})", re.ASCII)
_ASKED: Final = re.compile(r"/v1/([a-z-]{1,32})/(payments|refunds)")
_PERSON: Final = re.compile(r"/(pay|sandbox/endings)/([A-Za-z0-9-]{1,40})")
Report = Callable[[str, str], None]
_STATUS: Final[tuple[tuple[type[Exception], HTTPStatus], ...]] = (
    (AuthenticationError, HTTPStatus.UNAUTHORIZED),
    (NotStoredError, HTTPStatus.NOT_FOUND),
    (LifecycleError, HTTPStatus.CONFLICT),
    (RecordError, HTTPStatus.UNPROCESSABLE_ENTITY),
)


def _say_nothing(channel: str, how: str) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Where callbacks go (`<callback_url>/<channel>`), and the secret under which both sides sign.

    zone: of its days. clock: answers the moment, UTC.
    """

    callback_url: str
    secret: bytes = field(repr=False)
    zone: str = "UTC"
    clock: Callable[[], datetime] = field(default=utc_now, repr=False)


class CallbackSender:
    """Carries events to their receiver, each by a thread of its own, until he has taken them or patience is over.

    Args:
        report: told of every attempt: channel and what came of it.
    """

    def __init__(self, settings: SandboxSettings, report: Report = _say_nothing) -> None:
        self._settings = settings
        self._report = report
        self._stopped = threading.Event()
        check_url(settings.callback_url)

    def tell(self, telling: Telling) -> None:
        """Carry an event."""
        threading.Thread(target=self._carry, args=(telling,), daemon=True).start()

    def stop(self) -> None:
        """Give up whatever has not been carried."""
        self._stopped.set()

    def _carry(self, telling: Telling) -> None:
        if self._stopped.wait(telling.delay):
            return
        for pause in PAUSES:
            try:
                status = self._send(telling)
            except (OSError, HTTPException) as failure:
                self._report(telling.channel.value, type(failure).__name__)
            else:
                self._report(telling.channel.value, str(status))
                if status < 500 and status != HTTPStatus.TOO_MANY_REQUESTS:
                    return
            if self._stopped.wait(pause):
                return

    def _send(self, telling: Telling) -> int:
        parts = urlsplit(self._settings.callback_url.rstrip("/"))
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(str(parts.hostname), parts.port, timeout=PATIENCE)
        signature = sign_message(self._settings.secret, telling.body, self._settings.clock())
        headers = {"Content-Type": "application/json", HEADER: signature}
        try:
            connection.request("POST", f"{parts.path}/{telling.channel.value}", telling.body, headers)
            return connection.getresponse().status
        finally:
            connection.close()


@contextmanager
def serve_sandbox(
    settings: SandboxSettings, port: int = 0, report: Report = _say_nothing
) -> Iterator[tuple[str, SandboxProvider]]:
    """Run the provider, in threads of its own, while the context lasts.

    Yields:
        its address and its books.

    Raises:
        GatewayError: the port cannot be listened at. ProfileError: the address of callbacks is not acceptable.
    """
    sender = CallbackSender(settings, report)
    provider = SandboxProvider(sender.tell, settings.zone, settings.clock)
    handler = type("_Bound", (_Handler,), {"provider": provider, "settings": settings})
    try:
        server = LocalServer((HOST, port), handler)
    except (OSError, OverflowError) as failure:
        raise GatewayError(f"the sandbox cannot listen at {HOST}:{port}") from failure
    with serving(server):
        try:
            yield server.url, provider
        finally:
            sender.stop()


class _Handler(BaseHTTPRequestHandler):
    provider: SandboxProvider
    settings: SandboxSettings
    timeout = PATIENCE
    server_version = "eid"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_PUT(self) -> None:
        self._answer(self._put)

    def log_message(self, format: str, *args: object) -> None:
        """What is paid is nobody's business."""

    def _answer(self, act: Callable[[bytes], tuple[HTTPStatus, str, bytes]]) -> None:
        try:
            status, kind, content = act(self._read())
        except tuple(cause for cause, _ in _STATUS) as refused:
            status = next(found for cause, found in _STATUS if isinstance(refused, cause))
            kind, content = "application/json", json.dumps({"error": status.phrase}).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def _read(self) -> bytes:
        stated = self.headers.get("Content-Length", "0")
        if not (stated.isascii() and stated.isdecimal() and len(stated) < 8 and int(stated) <= MAX_BODY):
            raise RecordError("the body is too large")
        return self.rfile.read(int(stated))

    def _require_signature(self, body: bytes) -> None:
        message = describe_request(self.command, self.path, body)
        verify_message((self.settings.secret,), self.headers.get(HEADER), message, self.settings.clock())

    def _get(self, body: bytes) -> tuple[HTTPStatus, str, bytes]:
        if self.path == "/sandbox/plan":
            return _json(_render_plan(self.provider.plan))
        if person := _PERSON.fullmatch(self.path):
            return _page(self.provider.find_by_number(person[2]))
        self._require_signature(body)
        if asked := _PAYMENT.fullmatch(self.path):
            return _json(_render(self.provider.find(_channel(asked[1]), _reference(asked[2]))))
        if day := _STATEMENT.fullmatch(self.path):
            return HTTPStatus.OK, "text/csv; charset=utf-8", self.provider.statement(_channel(day[1]), _day(day[2]))
        raise NotStoredError("there is nothing at this address")

    def _post(self, body: bytes) -> tuple[HTTPStatus, str, bytes]:
        if person := _PERSON.fullmatch(self.path):
            found = self.provider.find_by_number(person[2])
            stated = _form(body) if person[1] == "pay" else _object(body)
            self.provider.end(found.channel, found.reference, _plan(stated))
            return _page(found) if person[1] == "pay" else _json(_render(found))
        self._require_signature(body)
        asked = _ASKED.fullmatch(self.path)
        if asked is None:
            raise NotStoredError("there is nothing at this address")
        channel, stated = _channel(asked[1]), _object(body)
        reference, money = _reference(str(stated.get("reference"))), _money(stated)
        if asked[2] == "refunds":
            outcome = self.provider.refund(channel, reference, money)
            return _json({**_render(self.provider.find(channel, reference)), "outcome": outcome.value})
        return _json(self._instruct(self.provider.request(channel, reference, money)), HTTPStatus.CREATED)

    def _put(self, body: bytes) -> tuple[HTTPStatus, str, bytes]:
        if self.path != "/sandbox/plan":
            raise NotStoredError("there is nothing at this address")
        self.provider.plan = _plan(_object(body))
        return _json(_render_plan(self.provider.plan))

    def _instruct(self, made: SandboxPayment) -> dict[str, Any]:
        answer = _render(made)
        if made.channel is Channel.ONLINE_CARD:
            answer["url"] = f"http://{HOST}:{self.connection.getsockname()[1]}/pay/{made.number}"
        elif made.channel in (Channel.BANK_BRANCH, Channel.PAYMENT_PROVIDER):
            answer["code"] = made.code
        return answer


def _render(item: SandboxPayment) -> dict[str, Any]:
    return {"reference": str(item.reference), "provider_reference": item.number, "outcome": item.outcome.value}


def _render_plan(plan: Plan) -> dict[str, Any]:
    return {
        "ending": plan.ending.value,
        "delay": plan.delay,
        "duplicates": plan.duplicates,
        "out_of_order": plan.out_of_order,
        "refund": plan.refund.value,
    }


def _json(content: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> tuple[HTTPStatus, str, bytes]:
    return status, "application/json", json.dumps(dict(content)).encode()


def _page(item: SandboxPayment) -> tuple[HTTPStatus, str, bytes]:
    buttons = "".join(
        f'<button name="ending" value="{ending.value}">{ending.value}</button> '
        for ending in Ending
        if ending is not Ending.MANUAL
    )
    shown = f'<form method="post">{buttons}</form>' if item.settled_at is None else ""
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox</title>'
        f"<h1>Sandbox: no money moves</h1><p>{html.escape(str(item.money))} by {item.channel.value}:"
        f" {item.outcome.value}</p>{shown}</html>"
    )
    return HTTPStatus.OK, "text/html; charset=utf-8", text.encode()


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise RecordError("the body is not JSON") from None
    if not isinstance(found, dict):
        raise RecordError("the body is not an object")
    return found


def _form(body: bytes) -> Mapping[str, Any]:
    return {name: values[-1] for name, values in parse_qs(body.decode("ascii", "replace"), max_num_fields=8).items()}


def _plan(stated: Mapping[str, Any]) -> Plan:
    try:
        return Plan(
            Ending(stated.get("ending", "settled")),
            float(stated.get("delay", 0)),
            int(stated.get("duplicates", 0)),
            stated.get("out_of_order") is True,
            Outcome(stated.get("refund", "refunded")),
        )
    except (ValueError, TypeError, OverflowError):
        raise RecordError("this is no plan") from None


def _channel(name: str) -> Channel:
    try:
        return Channel(name)
    except ValueError:
        raise NotStoredError("there is no such way to pay") from None


def _reference(stated: str) -> uuid.UUID:
    try:
        return uuid.UUID(stated)
    except ValueError:
        raise RecordError("a reference is a UUID") from None


def _day(stated: str) -> date:
    try:
        return date.fromisoformat(stated)
    except ValueError:
        raise RecordError("there is no such day") from None


def _money(stated: Mapping[str, Any]) -> Money:
    amount, currency = stated.get("amount"), stated.get("currency")
    if type(amount) is not int or not 0 < amount < 10**9 or not isinstance(currency, str) or len(currency) != 3:
        raise RecordError("an amount in whole units, and a currency")
    return Money(amount, currency)
