"""The registry, for a station that reaches it over HTTP only: bearer token, JSON, each POST done once.

The address is the one that somebody configured: no redirect is followed. What got no answer is asked once more under
the same idempotency key, so that it is done once however the connection broke.
"""

from __future__ import annotations

import json
import ssl
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

from eid.errors import GatewayError, GatewayRefusedError
from eid.gateways.address import require_secure_address

SECONDS: Final = 30.0
MAX_ANSWER: Final = 4 << 20  # octets
MAX_DETAIL: Final = 200  # characters of what the registry says of a refusal
ATTEMPTS: Final = 2


@dataclass(slots=True)
class RegistryClient:
    """One station's connection to the registry.

    Args:
        address: of the registry, "https://registry.example.org". token: answers an access token that is good now.
        tls: trust anchors for https; the system's unless said otherwise.

    Raises:
        ProfileError: the address is neither https nor http to this machine: the token would be read on its way.
    """

    address: str
    token: Callable[[], str] = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    _connection: HTTPConnection | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.address = require_secure_address(self.address, "the registry")

    def get(self, path: str) -> bytes:
        """What stands at an address.

        Raises:
            GatewayError: the registry cannot be reached, or cannot answer now. GatewayRefusedError: it refuses.
        """
        return self._ask("GET", path, None, {})

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Have something done; the answer's JSON, None where there is none.

        Raises:
            GatewayError: the registry cannot be reached, or cannot answer now. GatewayRefusedError: it refuses.
        """
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        raw = self._ask("POST", path, json.dumps({} if body is None else body).encode(), headers)
        try:
            return json.loads(raw) if raw else None
        except (ValueError, RecursionError) as failure:
            raise GatewayError("the registry's answer is no JSON") from failure

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        said = {"User-Agent": "eid", "Accept-Language": "en"}  # an operator's program speaks English
        told = {"Authorization": f"Bearer {self.token()}", **said, **headers}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._ask_once(method, path, body, told)
            except (OSError, HTTPException, ValueError) as failure:
                self.close()
                if attempt == ATTEMPTS:
                    raise GatewayError(f"the registry cannot be reached: {type(failure).__name__}") from failure
        raise GatewayError("no attempt was allowed")

    def _ask_once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request(method, urlsplit(self.address).path + path, body, headers)
        response = self._connection.getresponse()
        raw = response.read(MAX_ANSWER + 1)
        if response.status >= 500 or len(raw) > MAX_ANSWER:
            self.close()
            raise GatewayError(f"the registry answered with status {response.status}")
        if not 200 <= response.status < 300:
            raise GatewayRefusedError(f"the registry refused with status {response.status}{_describe(raw)}")
        return raw

    def _connect(self) -> HTTPConnection:
        place = urlsplit(self.address)
        if place.scheme == "https":
            context = self.tls or ssl.create_default_context()
            return HTTPSConnection(place.hostname or "", place.port, timeout=SECONDS, context=context)
        return HTTPConnection(place.hostname or "", place.port, timeout=SECONDS)


def _describe(raw: bytes) -> str:
    """What a problem says of itself (RFC 9457): its name, and the sentence of the rule."""
    told: list[str] = []
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        problem = json.loads(raw)
        told.append(str(problem["type"]).rpartition(":")[2])
        told.append(str(problem["detail"]))
    said = "".join(f": {item}" for item in told)[:MAX_DETAIL]
    return said if said.isprintable() else ""
