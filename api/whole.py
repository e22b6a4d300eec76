"""Requests that are gathered where they arrive and answered as soon as they are whole: no task, no messages, one write.

A check of a document takes less than a millisecond, and to carry a request through the application takes as long again.
Only the plainest form of the address that is asked most comes here, and only what succeeds is answered: all else goes
the ordinary way, which answers the same with the same headers, and is counted and logged alike.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from api.boundary import guard, tell
from api.context import Context
from api.judging import judge_body
from api.metrics import Metrics
from api.routes.passive_authentication import PATH

ADDRESS: Final = PATH.encode()
METHOD: Final = b"POST"
MEDIA_TYPE: Final = b"application/json"
MAX_DIGITS: Final = 9  # of a Content-Length
# With one of these a request is none of the plainest form.
_UNUSUAL: Final = frozenset({b"content-encoding", b"transfer-encoding", b"expect", b"upgrade"})


@dataclass(frozen=True, slots=True)
class WholeRequests:
    """Answers requests for `ADDRESS`."""

    context: Context
    metrics: Metrics

    def takes(self, method: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether a request for the address is of the plainest form; names of headers are in lower case."""
        length = media_type = b""
        for name, value in headers:
            if name == b"content-length":
                length = value if not length else b"-"
            elif name == b"content-type":
                media_type = value if not media_type else b"-"
            elif name in _UNUSUAL:
                return False
        if method != METHOD or media_type != MEDIA_TYPE or not length.isdigit() or len(length) > MAX_DIGITS:
            return False
        return int(length) <= self.context.bodies.limits.files_body

    def answer(self, body: bytes, default_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The response, head and body.

        Raises:
            EidError: the request is refused; nothing has been counted or logged.
        """
        started = time.perf_counter()
        content = judge_body(self.context, body)
        request_id = secrets.token_hex(8)
        tell(self.metrics, "POST", PATH, 200, time.perf_counter() - started, request_id)
        return _HEAD % (_join(default_headers), len(content), request_id.encode()) + content


def _join(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % item for item in headers])


_OWN: Final = ((b"content-length", b"%d"), (b"content-type", MEDIA_TYPE))
# An answer's head with places for the server's own headers, the length and the number of the request
_HEAD: Final = b"HTTP/1.1 200 OK\r\n%b" + _join(guard(_OWN, "%b")) + b"\r\n"
