"""The sandbox ABIS served over HTTP, with OSIA's paths: for trials from another process, and for late answers."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from eid.errors import DecodeError
from eid.gateways.abis import Candidate, Encounter, Pending
from eid.gateways.abis.messages import decode_encounter, encode_candidates
from eid.gateways.abis.sandbox import SandboxAbis
from eid.gateways.local_server import HOST, LocalServer, serving

MAX_BODY: Final = 32 << 20  # octets
ENCOUNTER: Final = re.compile(r"/v1/persons/([^/]+)/encounters/([^/]+)")
IDENTIFY: Final = re.compile(r"/v1/identify/ALL/([^/]+)/encounters/([^/]+)")
REDELIVER: Final = re.compile(r"/v1/tasks/([^/]+)/redeliver")
STATUS: Final = re.compile(r"/v1/tasks/([^/]+)/status")
Reply = tuple[int, Any]


class SandboxServer(LocalServer):
    """Listens on this machine alone. copies: how often a late answer is sent, for receivers that must bear it."""

    def __init__(self, abis: SandboxAbis, port: int = 0, copies: int = 1, token: str = "") -> None:
        super().__init__((HOST, port), _Handler)
        self.abis = abis
        self.copies = copies
        self.token = token
        self.callbacks: dict[str, str] = {}
        self.delivered: dict[str, bool] = {}
        self.turn = threading.Lock()  # of the gallery

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def deliver(self, task: str) -> None:
        """Send a late answer to where it was asked for."""
        transaction, candidates = self.abis.tasks[task]
        query = {"transactionId": transaction, "taskId": task}
        for _ in range(self.copies):
            self.delivered[task] = _call_back(self.callbacks[task], query, candidates, self.token)


@contextmanager
def serve_sandbox(abis: SandboxAbis, *, port: int = 0, copies: int = 1, token: str = "") -> Iterator[SandboxServer]:
    """Serve it while the context lasts. token: bearer token that late answers carry."""
    server = SandboxServer(abis, port, copies, token)
    with serving(server):
        yield server


class _Handler(BaseHTTPRequestHandler):
    server: SandboxServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """createEncounter, identifyFromEncounterId, redeliverTaskResult."""
        self._answer((ENCOUNTER, self._create), (IDENTIFY, self._identify), (REDELIVER, self._redeliver))

    def do_GET(self) -> None:
        """readTaskStatus."""
        self._answer((STATUS, self._status))

    def do_DELETE(self) -> None:
        """deleteEncounter."""
        self._answer((ENCOUNTER, self._delete))

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: paths hold identifiers of persons."""

    def _answer(self, *routes: tuple[re.Pattern[str], Callable[..., Reply]]) -> None:
        split = urlsplit(self.path)
        length = self.headers.get("Content-Length") or "0"
        if not (length.isascii() and length.isdecimal() and int(length) <= MAX_BODY):
            self.close_connection = True
            self._send(413, {"code": 413, "message": "the body is too long"})
            return
        body = self.rfile.read(int(length))
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        found = next(((m, act) for pattern, act in routes if (m := pattern.fullmatch(split.path))), None)
        if found is None:
            self._send(404, {"code": 404, "message": "unknown address"})
            return
        match, act = found
        with self.server.turn:
            self._send(*act(*map(unquote, match.groups()), query=query, body=body))

    def _create(self, person: str, encounter: str, *, query: dict[str, str], body: bytes) -> Reply:
        try:
            decoded = decode_encounter(person, encounter, json.loads(body))
        except (DecodeError, ValueError, RecursionError):
            return 400, {"code": 400, "message": "malformed encounter"}
        if (person, encounter) in self.server.abis.encounters:
            return 409, {"code": 409, "message": "the encounter is there"}
        self.server.abis.create_encounter(decoded, query.get("transactionId", ""))
        return 201, None

    def _identify(self, person: str, encounter: str, *, query: dict[str, str], body: bytes) -> Reply:
        if (person, encounter) not in self.server.abis.encounters:
            return 404, {"code": 404, "message": "unknown person or encounter"}
        self.server.abis.later = "callback" in query
        found = self.server.abis.identify(Encounter(person, encounter, ()), query.get("transactionId", ""))
        if not isinstance(found, Pending):
            return 200, encode_candidates(found)
        self.server.callbacks[found.task] = query["callback"]
        self._deliver_later(found.task)
        return 202, {"taskId": found.task}

    def _redeliver(self, task: str, *, query: dict[str, str], body: bytes) -> Reply:
        if not self.server.abis.redeliver(task):
            return 404, {"code": 404, "message": "unknown task"}
        self._deliver_later(task)
        return 204, None

    def _status(self, task: str, *, query: dict[str, str], body: bytes) -> Reply:
        if task not in self.server.abis.tasks:
            return 404, {"code": 404, "message": "unknown task"}
        delivered = self.server.delivered.get(task)
        return 200, "PENDING" if delivered is None else "COMPLETED" if delivered else "RESPONSE_ERROR"

    def _delete(self, person: str, encounter: str, *, query: dict[str, str], body: bytes) -> Reply:
        if (person, encounter) not in self.server.abis.encounters:
            return 404, {"code": 404, "message": "unknown encounter"}
        self.server.abis.delete_encounter(Encounter(person, encounter, ()), "")
        return 204, None

    def _deliver_later(self, task: str) -> None:
        threading.Thread(target=self.server.deliver, args=(task,), daemon=True).start()

    def _send(self, status: int, body: Any) -> None:
        raw = b"" if body is None else json.dumps(body).encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def _call_back(address: str, query: dict[str, str], candidates: tuple[Candidate, ...], token: str) -> bool:
    """Whether the answer was taken (204)."""
    split = urlsplit(address)
    raw = json.dumps(encode_candidates(candidates)).encode("utf-8")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection = HTTPConnection(split.hostname or "", split.port or 80, timeout=10)
    try:
        connection.request("POST", f"{split.path or '/'}?{urlencode(query)}", raw, headers)
        return connection.getresponse().status == 204
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
