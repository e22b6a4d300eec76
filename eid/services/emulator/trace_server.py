"""The live trace as a page: a small HTTP server on the loopback interface, with server-sent events (HTML 9.2).

It reads nothing but the request line and three header fields, writes nothing anywhere, and serves two resources: the
page and its events. Pages of other sites cannot read it: the Host field must name the loopback interface (against DNS
rebinding), and no cross-origin access is granted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Final

from eid.errors import ReaderUnavailableError
from eid.gateways.local_server import HOST, LocalServer, serving
from eid.services.emulator.trace_feed import TraceEntry, TraceFeed

HEARTBEAT: Final = 10.0  # seconds
PATIENCE: Final = 30.0  # seconds for a request to come
_NAMES: Final = frozenset((HOST, "localhost"))
_SCRIPT_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@contextmanager
def serve_trace(page: str, nonce: str, feed: TraceFeed, port: int) -> Iterator[str]:
    """Serve the page and the feed, in threads of its own, while the context lasts.

    Args:
        page: the whole document. nonce: of its script (Content Security Policy 3). port: 0 lets the system choose.

    Yields:
        the page's address.

    Raises:
        ReaderUnavailableError: the port cannot be listened at.
    """
    handler = type("_Bound", (_Handler,), {"page": page.encode(), "nonce": nonce, "feed": feed})
    try:
        server = LocalServer((HOST, port), handler)
    except (OSError, OverflowError) as failure:
        raise ReaderUnavailableError(f"the trace page cannot be served at {HOST}:{port} ({failure})") from failure
    with serving(server):
        try:
            yield f"{server.url}/"
        finally:
            feed.close()


class _Handler(BaseHTTPRequestHandler):
    page: bytes
    nonce: str
    feed: TraceFeed
    timeout = PATIENCE
    server_version = "eid"
    sys_version = ""

    def do_GET(self) -> None:
        if self.headers.get("Host", "").rpartition(":")[0] not in _NAMES:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        elif self.path == "/":
            self._send_page()
        elif self.path == "/events":
            self._send_events()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:
        """Who looks at the page is not told on the card's terminal."""

    def _send_page(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(self.page)))
        self.send_header("Content-Security-Policy", _SCRIPT_POLICY.format(nonce=self.nonce))
        self._send_common()
        self.wfile.write(self.page)

    def _send_events(self) -> None:
        """Everything after the last entry that the browser has, and then what comes."""
        last = self.headers.get("Last-Event-ID", "0")
        number = int(last) if last.isascii() and last.isdecimal() and len(last) < 12 else 0
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self._send_common()
        while (entries := self.feed.after(number, HEARTBEAT)) is not None:
            self.wfile.write(b"".join(map(_encode_event, entries)) or b": still here\n\n")
            self.wfile.flush()
            number = entries[-1].number if entries else number
        self.wfile.write(b"event: end\ndata: {}\n\n")

    def _send_common(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Connection", "close")
        self.end_headers()


def _encode_event(entry: TraceEntry) -> bytes:
    return f"id: {entry.number}\ndata: {json.dumps(entry.to_json(), ensure_ascii=False)}\n\n".encode()
