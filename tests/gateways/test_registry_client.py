"""A station's client of the registry against a server that misbehaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from eid.errors import GatewayError, GatewayRefusedError, ProfileError
from eid.gateways import registry as module
from eid.gateways.local_server import HOST, LocalServer, serving
from eid.gateways.registry import RegistryClient

PROBLEM = {"type": "urn:eid:problem:wrong-state", "detail": "no card"}
JSON: dict[str, tuple[int, bytes]] = {
    "/ok": (200, b'{"a": 1}'),
    "/empty": (204, b""),
    "/junk": (200, b"<html>"),
    "/refused": (409, json.dumps(PROBLEM).encode()),
    "/control": (409, json.dumps({**PROBLEM, "detail": "a\x1bb"}).encode()),
    "/strange": (403, b"[1]"),
    "/elsewhere": (302, b""),
    "/broken": (503, b""),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    heard: list[tuple[str, str, str | None, str | None]]
    drops: int

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.heard.append((self.command, self.path, self.headers["Idempotency-Key"], self.headers["Authorization"]))
        self.close_connection = self.path == "/registry/once"
        if self.path == "/registry/drop" and type(self).drops:
            type(self).drops -= 1
            self.close_connection = True
            return
        path = self.path.removeprefix("/registry")
        status, content = JSON.get(path, (200, json.dumps({"sent": json.loads(body or b"null")}).encode()))
        if path == "/endless":
            content = b"x" * 300
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if status == 302:
            self.send_header("Location", "/ok")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer  # noqa: N815  names of the standard library

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def handler() -> type[Handler]:
    return type("_Bound", (Handler,), {"heard": [], "drops": 0})


@pytest.fixture
def client(handler: type[Handler]) -> Iterator[RegistryClient]:
    server = LocalServer((HOST, 0), handler)
    tokens = iter(range(100))
    with serving(server), closing(RegistryClient(f"{server.url}/registry", lambda: f"t{next(tokens)}")) as made:
        yield made


def test_what_is_asked_and_answered(client: RegistryClient, handler: type[Handler]) -> None:
    assert client.get("/ok") == b'{"a": 1}'
    assert client.post("/echo", {"é": 1}) == {"sent": {"é": 1}}
    assert client.post("/once") == {"sent": {}}
    assert client.post("/empty") is None  # on a new connection: the server has ended the one before
    assert [(item[0], item[1], item[3]) for item in handler.heard] == [
        ("GET", "/registry/ok", "Bearer t0"),
        ("POST", "/registry/echo", "Bearer t1"),
        ("POST", "/registry/once", "Bearer t2"),
        ("POST", "/registry/empty", handler.heard[-1][3]),
    ]
    assert len({item[2] for item in handler.heard[1:]}) == 3
    assert "t0" not in repr(client)


def test_what_got_no_answer_is_asked_once_more_under_the_same_key(
    client: RegistryClient, handler: type[Handler]
) -> None:
    handler.drops = 1
    assert client.post("/drop", {"a": 1}) == {"sent": {"a": 1}}
    assert len(handler.heard) == 2
    assert len({item[2] for item in handler.heard}) == 1
    handler.drops = 2
    with pytest.raises(GatewayError, match="cannot be reached"):
        client.post("/drop")


def test_refusals(client: RegistryClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GatewayRefusedError, match=r"status 409: wrong-state: no card$"):
        client.post("/refused")
    for path, status in (("/control", 409), ("/strange", 403), ("/elsewhere", 302)):
        with pytest.raises(GatewayRefusedError, match=rf"status {status}$"):
            client.get(path)
    with pytest.raises(GatewayError, match="status 503"):
        client.get("/broken")
    with pytest.raises(GatewayError, match="no JSON"):
        client.post("/junk")
    monkeypatch.setattr(module, "MAX_ANSWER", 100)
    with pytest.raises(GatewayError, match="status 200"):
        client.get("/endless")


def test_nobody_there() -> None:
    for address in ("http://127.0.0.1:9", "https://127.0.0.1:9/registry"):
        with pytest.raises(GatewayError, match="cannot be reached"):
            RegistryClient(address, lambda: "t").get("/ok")


@pytest.mark.parametrize(
    "address",
    [
        "http://registry.example",
        "ftp://127.0.0.1",
        "https://u:p@registry.example",
        "https://:p@registry.example",
        "http://[::1",
    ],
)
def test_a_token_goes_over_https_or_stays_on_this_machine(address: str) -> None:
    with pytest.raises(ProfileError, match="the address of the registry"):
        RegistryClient(address, lambda: "t")
