"""Text messages through an SMS gateway over HTTP, of which the operator names the address and the token.

::

    POST {address}        Authorization: Bearer {token}     Idempotency-Key: {key}
    {"id": "{key}", "to": "+2126...", "text": "..."}
    --> 200, 201 or 202   {"reference": "..."}

One that was sent before under the same key is not sent again by the gateway. 408, 425, 429 and 5xx mean "later", and so
do 401 and 403, which are about us and not about the message; every other status means "never". No redirect is followed:
the address is the one that somebody configured.
"""

from __future__ import annotations

import json
import re
import ssl
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from eid.errors import GatewayError, GatewayRefusedError
from eid.gateways.http import ending_after
from eid.gateways.messages import Message

SECONDS: Final = 10.0
MAX_ANSWER: Final = 1 << 16  # octets
MAX_REFERENCE: Final = 128  # characters
TAKEN: Final = frozenset((200, 201, 202))
LATER: Final = frozenset((401, 403, 408, 425, 429))
E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")


@dataclass(frozen=True, slots=True)
class HttpSms:
    """An SMS gateway over HTTP.

    Args:
        address: its URL. token: what it knows us by. tls: trust anchors for https; the system's unless said otherwise.
        seconds: for each step; a message takes twice that at most.
    """

    address: str
    token: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    seconds: float = SECONDS

    def send(self, message: Message) -> str:
        """Hand a message over; return the gateway's reference.

        Raises:
            GatewayError: it cannot be reached, or asks to try later. GatewayRefusedError: it will never take this one.
        """
        if not E164.fullmatch(message.to):
            raise GatewayRefusedError("the telephone number is not one of E.164")
        body = json.dumps({"id": message.key, "to": message.to, "text": message.text}, ensure_ascii=False).encode()
        status, answer = self._post(body, message.key)
        if status in LATER or status >= 500:
            raise GatewayError(f"the SMS gateway answered with status {status}")
        if status not in TAKEN:
            raise GatewayRefusedError(f"the SMS gateway refused the message with status {status}")
        return _read_reference(answer)

    def _post(self, body: bytes, key: str) -> tuple[int, bytes]:
        place = urlsplit(self.address)
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.token}",
            "Idempotency-Key": key,
            "User-Agent": "eid",
        }
        try:
            connection = self._connect(place.scheme, place.hostname or "", place.port)
            with ending_after(connection, 2 * self.seconds):
                connection.request("POST", place.path or "/", body, headers)
                response = connection.getresponse()
                return response.status, response.read(MAX_ANSWER)
        except (OSError, HTTPException, ValueError) as failure:
            raise GatewayError(f"the SMS gateway cannot be reached: {type(failure).__name__}") from failure

    def _connect(self, scheme: str, host: str, port: int | None) -> HTTPConnection:
        if scheme == "https":
            return HTTPSConnection(host, port, timeout=self.seconds, context=self.tls or ssl.create_default_context())
        return HTTPConnection(host, port, timeout=self.seconds)


def _read_reference(answer: bytes) -> str:
    """The reference in an answer; a gateway that gives none, or nonsense, has taken the message all the same."""
    try:
        reference = json.loads(answer)["reference"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return ""
    return str(reference)[:MAX_REFERENCE]
