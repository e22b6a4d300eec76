"""The link to a payment provider: signed JSON over HTTPS, bounded in time and size, no redirects.

Plain HTTP is spoken to this machine alone, where the sandbox provider may run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

from eid.errors import GatewayError, NotStoredError, ProfileError
from eid.gateways.address import require_secure_address
from eid.gateways.http import ending_after
from eid.gateways.payment.signature import HEADER, MIN_SECRET, describe_request, sign_message

MAX_REPLY: Final = 1 << 16  # octets of JSON
SECONDS: Final = 10.0


def utc_now() -> datetime:
    """The clock of the machine, UTC."""
    return datetime.now(UTC)


def check_url(url: str) -> str:
    """Insist on https, or on http to this machine.

    Raises:
        ProfileError: it is neither.
    """
    return require_secure_address(url, "a payment provider")


@dataclass(frozen=True, slots=True)
class ProviderLink:
    """Where a provider is, and the secrets shared with him: the present one first, the one before it while they change.

    Raises:
        ProfileError: the address is not acceptable, or a secret has fewer than 32 octets.
    """

    url: str
    secrets: tuple[bytes, ...] = field(repr=False)
    seconds: float = SECONDS
    clock: Callable[[], datetime] = field(default=utc_now, repr=False)

    def __post_init__(self) -> None:
        check_url(self.url)
        if not self.secrets or min(map(len, self.secrets)) < MIN_SECRET:
            raise ProfileError(f"a secret shared with a payment provider has at least {MIN_SECRET} octets")

    def post(self, path: str, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send an object and return the one that is answered.

        Raises:
            GatewayError: he is out of reach, refuses, or answers no JSON object.
        """
        body = json.dumps(dict(message), separators=(",", ":")).encode()
        return _decode_object(self._exchange("POST", path, body, MAX_REPLY))

    def get(self, path: str) -> Mapping[str, Any]:
        """Ask for an object.

        Raises:
            GatewayError: as of `post`. NotStoredError: he has none there.
        """
        return _decode_object(self._exchange("GET", path, b"", MAX_REPLY))

    def download(self, path: str, limit: int) -> bytes:
        """Ask for a file of at most `limit` octets.

        Raises:
            GatewayError, NotStoredError: as of `get`; or the file is larger.
        """
        return self._exchange("GET", path, b"", limit)

    def _exchange(self, method: str, path: str, body: bytes, limit: int) -> bytes:
        parts = urlsplit(self.url.rstrip("/"))
        target = parts.path + path
        signature = sign_message(self.secrets[0], describe_request(method, target, body), self.clock())
        headers = {"Content-Type": "application/json", "User-Agent": "eid", HEADER: signature}
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(str(parts.hostname), parts.port, timeout=self.seconds)
        try:
            with ending_after(connection, 2 * self.seconds):
                connection.request(method, target, body or None, headers)
                response = connection.getresponse()
                raw = response.read(limit + 1)
        except (OSError, HTTPException, ValueError) as failure:
            raise GatewayError(f"the payment provider is out of reach: {type(failure).__name__}") from failure
        if response.status == 404:
            raise NotStoredError("the payment provider has nothing there")
        if response.status not in (200, 201) or len(raw) > limit:
            raise GatewayError(f"the payment provider answered with status {response.status}")
        return raw


def _decode_object(raw: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise GatewayError("the payment provider did not answer with JSON") from None
    if not isinstance(found, dict):
        raise GatewayError("the payment provider did not answer with an object")
    return found
