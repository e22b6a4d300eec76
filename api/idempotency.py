"""`Idempotency-Key` on every POST: a request that comes again is answered the same and done once.

No route has to do anything for it. Before the route runs, the caller's key is claimed for this very request, in a
transaction of its own; afterwards the answer is kept, sealed. The same request again gets that answer, another one
under the same key is refused (422). Where a process died in between, nobody knows how far it came: the key then
answers 409 until it is forgotten, and nothing is done twice. Requests of nobody known (payment callbacks, say) have no
keys.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.intake import BODY
from api.problems import Problem, ProblemError
from api.registry_problems import RegistryProblem, problem_of_error
from eid.errors import EidError
from eid.services.caller.idempotency import claim_key, keep_answer, release_key
from eid.services.caller.tokens import Caller
from eid.services.registry import Registry
from eid.store.idempotency import UNDER_WAY, KeyReusedError

HEADER: Final = "idempotency-key"
REPLAYED: Final = "Idempotency-Replayed"
_KEY: Final = re.compile(r'"?[\x21\x23-\x7e]{1,128}"?')  # a String of RFC 8941, or the same without quotes
_NOT_DONE: Final = frozenset((401, 403, 408, 429, 503))  # nothing was done, and the same may be possible later
_NOT_REPEATED: Final = frozenset((b"x-request-id", b"content-length", b"date"))


@dataclass(slots=True)
class _Answer:
    """An answer while it is being made."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(name, value) for name, value in message["headers"] if name not in _NOT_REPEATED]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def to_bytes(self) -> bytes:
        headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in self.headers]
        return json.dumps({"headers": headers, "body": base64.b64encode(self.body).decode()}).encode()

    def response(self) -> Response:
        found = Response(bytes(self.body), self.status)
        found.raw_headers = [*self.headers, (b"content-length", str(len(self.body)).encode())]
        return found


class Idempotency:
    """ASGI middleware; inside of `Intake`, which has the body, and of `Callers`, which knows who asks."""

    def __init__(self, app: ASGIApp, registry: Registry) -> None:
        self._app = app
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        key = request.headers.get(HEADER)
        try:
            caller = None if key is None else _caller_of(request, key)
            if key is None or caller is None:
                await self._app(scope, receive, send)
                return
            response = await self._once(caller.actor.id, key.strip('"'), scope, receive)
        except EidError as error:
            response = problem_of_error(request, error)
        await response(scope, receive, send)

    async def _once(self, caller: str, key: str, scope: Scope, receive: Receive) -> Response:
        asked = _describe(scope)
        try:
            given = await to_thread.run_sync(claim_key, self._registry, caller, key, asked)
        except KeyReusedError:
            raise ProblemError(RegistryProblem.KEY_REUSED) from None
        if given is not None and given.status == UNDER_WAY:
            raise ProblemError(RegistryProblem.UNFINISHED)
        if given is not None:
            return _repeat(given.status, given.body)
        answer = _Answer()
        await self._app(scope, receive, answer.take)  # an error of ours: nobody knows how far it came, the claim stays
        if answer.status in _NOT_DONE:
            await to_thread.run_sync(release_key, self._registry, caller, key)
        elif answer.status < 500:
            await to_thread.run_sync(keep_answer, self._registry, caller, key, answer.status, answer.to_bytes())
        return answer.response()


def _caller_of(request: Request, key: str) -> Caller | None:
    if not _KEY.fullmatch(key):
        raise ProblemError(Problem.MALFORMED_REQUEST, "an idempotency key has 1 to 128 visible ASCII characters")
    found: Caller | None = request.state.caller
    return found


def _describe(scope: Scope) -> bytes:
    """What makes a request this very one: address, query, body."""
    parts = (scope["path"].encode(), scope.get("query_string", b""), scope.get(BODY, b""))
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def _repeat(status: int, kept: bytes) -> Response:
    stated: dict[str, Any] = json.loads(kept)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in stated["headers"]]
    answer = _Answer(status, [*headers, (REPLAYED.lower().encode(), b"true")])
    answer.body += base64.b64decode(stated["body"])
    return answer.response()
