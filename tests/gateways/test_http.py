"""Fetching a file: what is refused, and that no server can keep it waiting or make it large."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from eid.errors import GatewayError
from eid.gateways import http
from eid.gateways.http import Location, fetch, is_public

MANY = 1200  # drops, a minute of them
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


def allow_loopback(address: http.Address) -> bool:
    return address in LOOPBACK


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that answers each connection by a function; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)  # so that the thread sees the end
        stop = threading.Event()

        def run() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(60)
                    try:
                        connection.recv(65536)
                        answer(connection)
                    except OSError:
                        pass

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def get(port: int, **options: object) -> bytes:
    return fetch(Location("http", "127.0.0.1", port, "/x.crl"), is_allowed=allow_loopback, **options)  # type: ignore[arg-type]  # by name, as the caller has them


def respond(text: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(text)


def test_a_file() -> None:
    with serving(respond(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")) as port:
        assert get(port) == b"hello"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
    with serving(respond(chunked)) as port:
        assert get(port) == b"hello"


@pytest.mark.parametrize(
    "status", [b"301 Moved", b"302 Found", b"307 Temporary", b"404 Not Found", b"500 Oops", b"204 No"]
)
def test_only_200(status: bytes) -> None:
    """A redirect is not followed: not even to the same host."""
    asked: list[int] = []

    def answer(connection: socket.socket) -> None:
        asked.append(1)
        connection.sendall(b"HTTP/1.1 " + status + b"\r\nLocation: http://localhost/other\r\nContent-Length: 0\r\n\r\n")

    with serving(answer) as port, pytest.raises(GatewayError, match="status"):
        get(port)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", "over 100 octets"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"A" * 101, "over 100 octets"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "cut off|cannot be reached"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\nA", "cannot be reached|over"),
        (b"no HTTP at all\r\n\r\n", "cannot be reached"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"A" * 70_000 + b"\r\n\r\n", "cannot be reached"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "cannot be reached"),
        (b"", "cannot be reached"),
    ],
)
def test_bad_answers(text: bytes, message: str) -> None:
    with serving(respond(text)) as port, pytest.raises(GatewayError, match=message):
        get(port, limit=100)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n"])
def test_a_server_that_drips(start: bytes) -> None:
    drops: list[int] = []

    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        for drop in range(MANY):
            drops.append(drop)
            connection.sendall(b"a")
            time.sleep(0.05)

    with serving(answer) as port, pytest.raises(GatewayError):
        get(port, seconds=0.4)
    assert len(drops) < MANY  # it is not the server who ended it


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2001:0:7f00:1::", False),
        ("192.0.0.192", False),
        ("192.88.99.1", False),
        ("168.63.129.16", False),
        ("168.63.129.17", True),
        ("64:ff9b:1::a00:1", False),
        ("::ffff:192.0.0.192", False),
        ("3fff::1", False),
    ],
)
def test_public_addresses(text: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(text)) is public


def test_no_connection_to_a_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """One private address among public ones is enough to refuse; no socket is opened."""
    monkeypatch.setattr(http.socket, "create_connection", lambda *_, **__: pytest.fail("a socket was opened"))
    for addresses in (("127.0.0.1",), ("93.184.216.34", "10.0.0.1"), ("fe80::1%eth0",), ()):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (item, 80)) for item in addresses]
        monkeypatch.setattr(http.socket, "getaddrinfo", lambda *_, found=found, **__: found)
        with pytest.raises(GatewayError, match="not public"):
            fetch(Location("http", "inside.example.org", 80, "/"))

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(http.socket, "getaddrinfo", unknown)
    with pytest.raises(GatewayError, match="no address"):
        fetch(Location("https", "nowhere.example.org", 443, "/"))


def test_the_address_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere the second time leads nowhere else (DNS rebinding)."""
    asked: list[object] = []
    real = socket.create_connection
    with serving(respond(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as port:
        monkeypatch.setattr(
            http.socket, "create_connection", lambda place, timeout: asked.append(place) or real(place, timeout)
        )
        assert get(port) == b"ok"
    assert asked == [("127.0.0.1", port)]


def test_tls_needs_a_certificate_of_the_name() -> None:
    with serving(respond(b"no TLS")) as port, pytest.raises(GatewayError, match="cannot be reached"):
        fetch(Location("https", "127.0.0.1", port, "/"), is_allowed=allow_loopback)
