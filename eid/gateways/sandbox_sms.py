"""A made-up SMS gateway: a real HTTP server with the answers, delays and failures of one. Sends nothing to anybody.

It speaks what `eid.gateways.sms` speaks. The last digits of a telephone number choose what happens:

    ...001  503 twice, then taken            ...004  taken, but the answer is lost: the connection breaks
    ...002  refused for good, 422            ...005  429 once, then taken
    ...003  taken after a second             any     taken, 202

A message that comes again under its key is answered as before and counts once. ``GET /messages`` lists what was taken.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from eid.gateways.local_server import HOST, LocalServer, serving

MAX_BODY: Final = 1 << 14  # octets
SLOW: Final = 1.0  # seconds
LOST: Final = 0  # in the place of a status: no answer


@dataclass
class SmsSandbox:
    """What the gateway has taken: by key, the message; and how often each key was tried."""

    token: str = field(repr=False)
    messages: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)
    tries: dict[str, int] = field(default_factory=dict, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self, key: str, to: str, text: str) -> tuple[int, dict[str, str]]:
        """Take a message or not; the status, LOST for none, and the answer."""
        with self.lock:
            if key in self.messages:
                return 202, {"reference": self.messages[key]["reference"]}
            self.tries[key] = tried = self.tries.get(key, 0) + 1
            match to[-3:]:
                case "001" if tried <= 2:
                    return 503, {}
                case "002":
                    return 422, {"error": "unknown number"}
                case "005" if tried <= 1:
                    return 429, {}
            reference = f"sandbox-{len(self.messages) + 1}"
            self.messages[key] = {"reference": reference, "to": to, "text": text}
        if to.endswith("003"):
            time.sleep(SLOW)
        return (LOST if to.endswith("004") else 202), {"reference": reference}


class _Server(LocalServer):
    def __init__(self, address: tuple[str, int], sandbox: SmsSandbox) -> None:
        self.sandbox = sandbox
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def do_POST(self) -> None:
        """POST /messages."""
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Authorization") != f"Bearer {self.server.sandbox.token}":
            return self._answer(401, {})
        if not (length.isascii() and length.isdecimal() and int(length) <= MAX_BODY):
            return self._answer(413, {})
        try:
            stated = json.loads(self.rfile.read(int(length)))
            key, to, text = (str(stated[name]) for name in ("id", "to", "text"))
        except (ValueError, TypeError, LookupError, RecursionError):
            return self._answer(400, {})
        if self.path != "/messages" or self.headers.get("Idempotency-Key") != key:
            return self._answer(404 if self.path != "/messages" else 400, {})
        status, answer = self.server.sandbox.take(key, to, text)
        if status == LOST:
            self.close_connection = True
            return None
        return self._answer(status, answer)

    def do_GET(self) -> None:
        """GET /messages."""
        sandbox = self.server.sandbox
        if self.path != "/messages" or self.headers.get("Authorization") != f"Bearer {sandbox.token}":
            return self._answer(404 if self.path != "/messages" else 401, {})
        with sandbox.lock:
            return self._answer(200, [{"id": key, **message} for key, message in sandbox.messages.items()])

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: a stamp is nothing for a log."""

    def _answer(self, status: int, value: Any) -> None:
        body = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serve_sms(token: str, host: str = HOST, port: int = 0) -> Iterator[tuple[SmsSandbox, str]]:
    """Run the gateway while the context lasts; what it has taken, and its address.

    Raises:
        OSError: the address is taken or not one of this machine.
    """
    sandbox = SmsSandbox(token)
    server = _Server((host, port), sandbox)
    with serving(server):
        yield sandbox, f"{server.url}/messages"
