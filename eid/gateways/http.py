"""HTTP to hosts outside: a file that the operator configured, a message to whoever subscribed to it.

No redirect is followed, no private address connected to, nothing is endless.

The name is resolved once and the connection goes to that address, so that a name that changes its mind between two
look-ups leads nowhere else. Never used on the path of a request.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final, Protocol, TypeVar

from eid.errors import GatewayError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
MAX_OCTETS: Final = (1 << 24) - 1
STEP_SECONDS: Final = 5.0  # to connect, and for each step of reading
TOTAL_SECONDS: Final = 60.0
SEND_SECONDS: Final = 10.0  # for a message, its answer included
PIECE: Final = 1 << 16
A = TypeVar("A")
_HEADERS: Final = {"User-Agent": "eid", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Location:
    """Where a file is. target: path and query."""

    scheme: str
    host: str
    port: int
    target: str


def is_public(address: Address) -> bool:
    """Whether an address is one of the public Internet: not private, local, multicast, reserved or a tunnel's."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.sixtofour is not None or address.teredo is not None:
            return False
        if address.is_site_local:  # fec0::/10, the private addresses of earlier years (RFC 3879)
            return False
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


_NOT_PUBLIC: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # RFC 6890; clouds answer there, and Python before 3.11.9 takes most of it for public
            "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
            "168.63.129.16/32",  # the host of a virtual machine at one cloud
            "64:ff9b::/96",  # NAT64 (RFC 6052, RFC 8215)
            "64:ff9b:1::/48",
            "2001:db8::/32",
            "3fff::/20",  # documentation (RFC 9637)
            "5f00::/16",  # segment routing (RFC 9602)
        ),
    )
)


def fetch(
    location: Location,
    *,
    limit: int = MAX_OCTETS,
    seconds: float = TOTAL_SECONDS,
    is_allowed: Callable[[Address], bool] = is_public,
    tls: ssl.SSLContext | None = None,
) -> bytes:
    """Fetch a file.

    Args:
        limit: octets that it may have. seconds: that it may take in all.
        is_allowed: which addresses may be connected to. Tests on one machine alone pass another function than
            `is_public`; no setting, variable or option leads here.
        tls: trust anchors for https; the system's unless said otherwise.

    Raises:
        GatewayError: the host has no address, or one that is not allowed; it does not answer, not in time, not with
            status 200, or with more than `limit` octets.
    """
    end = time.monotonic() + seconds

    def ask(connection: HTTPConnection) -> bytes:
        connection.request("GET", location.target, headers=_HEADERS)
        response = connection.getresponse()
        if response.status != 200:  # a redirect leads to a place that nobody configured
            raise GatewayError(f"{location.host} answered with status {response.status}")
        return _read(response, limit, end)

    return _within(location, end, ask, is_allowed, tls)


def send(
    location: Location,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float = SEND_SECONDS,
    is_allowed: Callable[[Address], bool] = is_public,
    tls: ssl.SSLContext | None = None,
) -> None:
    """POST a message to an address that somebody outside has named; of the answer nothing but its status is looked at.

    Args: see `fetch`.

    Raises:
        GatewayError: the host has no address, or one that is not allowed; it does not answer, not in time, or with a
            status other than 200 to 204.
    """
    end = time.monotonic() + seconds

    def ask(connection: HTTPConnection) -> None:
        connection.request("POST", location.target, body, {**_HEADERS, **headers})
        status = connection.getresponse().status
        if not 200 <= status <= 204:
            raise GatewayError(f"the receiver answered with status {status}")

    _within(location, end, ask, is_allowed, tls)


def _within(
    location: Location,
    end: float,
    ask: Callable[[HTTPConnection], A],
    is_allowed: Callable[[Address], bool],
    tls: ssl.SSLContext | None,
) -> A:
    """Ask a host over a connection to the one address that it has now, until a moment of the monotonic clock."""
    connection = _Pinned(location, _resolve(location, is_allowed), tls)
    try:
        with ending_after(connection, end - time.monotonic()):
            return ask(connection)
    except (OSError, HTTPException, ValueError) as failure:
        if time.monotonic() >= end:
            raise GatewayError("the file takes too long") from failure
        raise GatewayError(f"{location.host} cannot be reached: {type(failure).__name__}") from failure


@contextmanager
def ending_after(connection: HTTPConnection, seconds: float) -> Iterator[None]:
    """Close a connection in the end; and after so many seconds, whatever is waited for, also an answer that drips.

    Raises:
        TimeoutError: it took longer, and what was read is cut off.
    """
    late = threading.Event()

    def give_up() -> None:
        late.set()
        shut(connection)

    watch = threading.Timer(seconds, give_up)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        connection.close()
    if late.is_set():
        raise TimeoutError


class HasSocket(Protocol):
    """A connection of the standard library's."""

    sock: Any


def shut(connection: HasSocket) -> None:
    """End whatever a connection waits for."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _resolve(location: Location, is_allowed: Callable[[Address], bool]) -> Address:
    """The first address of the host; every one of them must be allowed."""
    try:
        found = socket.getaddrinfo(location.host, location.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as failure:
        raise GatewayError(f"{location.host} has no address") from failure
    addresses = [ipaddress.ip_address(str(item[4][0]).split("%")[0]) for item in found]
    if not addresses or not all(map(is_allowed, addresses)):
        raise GatewayError(f"{location.host} has an address that is not public")
    return addresses[0]


class _Pinned(HTTPConnection):
    """A connection to one address, whatever its host is called."""

    def __init__(self, location: Location, address: Address, tls: ssl.SSLContext | None) -> None:
        super().__init__(location.host, location.port, timeout=STEP_SECONDS)
        self._address = address
        self._tls = (tls or ssl.create_default_context()) if location.scheme == "https" else None

    def connect(self) -> None:
        """Connect to the address; under TLS the host must show that it is the one of the name."""
        self.sock = socket.create_connection((str(self._address), self.port), self.timeout)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)


def _read(response: HTTPResponse, limit: int, end: float) -> bytes:
    """The body, within its limits."""
    if response.length is not None and response.length > limit:
        raise GatewayError(f"the file has over {limit} octets")
    received = bytearray()
    while piece := response.read1(PIECE):
        received += piece
        if len(received) > limit:
            raise GatewayError(f"the file has over {limit} octets")
    if time.monotonic() >= end:
        raise GatewayError("the file takes too long")
    if response.length:
        raise GatewayError("the file is cut off")
    return bytes(received)
