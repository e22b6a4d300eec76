"""Request bodies of the registry: whole, bounded and sound before a route or its schema sees them.

Bounds are by address: what carries papers or captured images has a line in `LIMITS`, everything else is small, and so
is all that nobody known sends: the room for what is under way is for those who may leave something here. JSON is
refused here where it would be trouble later: a name twice, a number that is none, NUL or half a surrogate pair (which
no database keeps), more structure than any honest request has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.body import MAX_DIGITS, BodyReader, Limits
from api.problems import Problem, ProblemError
from api.registry_problems import RegistryProblem, problem_of_error

SMALL: Final = 64 << 10  # octets
LIMITS: Final[tuple[tuple[re.Pattern[str], int], ...]] = (
    (re.compile(r"/v1/applications/[^/]+/(documents|enrolment|capture)(/.*)?"), 12 << 20),
    (re.compile(r"/v1/enrol?l?ments(/.*)?"), 12 << 20),
    (re.compile(r"/v1/credentialRequests/.*"), 12 << 20),
    (re.compile(r"/v1/(identify|verify/.*)"), 4 << 20),
    (re.compile(r"/v1/persons(/.*)?"), 1 << 20),
    (re.compile(r"/v1/stockStores/[^/]+/counts"), 1 << 20),
    (re.compile(r"/v1/reconciliations(/.*)?"), 4 << 20),
)
MAX_STRUCTURE: Final = 20_000  # commas and opening brackets
BODY: Final = "eid.body"  # where the scope has the body for those between here and the route


class Intake:
    """ASGI middleware: reads the body, then hands it on as one piece."""

    def __init__(self, app: ASGIApp, limits: Limits | None = None) -> None:
        self._app = app
        self._bodies = BodyReader(limits or Limits(bodies_in_flight=128 << 20))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            _require_sound_address(scope)
            async with self._bodies.read(request, _limit_for(request)) as raw:
                if is_json(request.headers.get("content-type", "")) and raw:
                    require_sound_json(raw)
                scope[BODY] = raw
                await self._app(scope, _replay(raw, receive), send)
        except ProblemError as problem:
            await problem_of_error(request, problem)(scope, receive, send)


def limit_of(path: str) -> int:
    """Octets that a body may have at an address."""
    return next((limit for pattern, limit in LIMITS if pattern.fullmatch(path)), SMALL)


def _limit_for(request: Request) -> int:
    """Octets that a caller's body may have at an address.

    Raises:
        ProblemError: UNAUTHENTICATED, nobody known states a length that a known caller might send there.
    """
    limit, stated = limit_of(request.scope["path"]), request.headers.get("content-length", "0")
    if limit == SMALL or getattr(request.state, "caller", None) is not None:
        return limit
    if stated.isascii() and stated.isdigit() and len(stated) <= MAX_DIGITS and SMALL < int(stated) <= limit:
        raise ProblemError(RegistryProblem.UNAUTHENTICATED)
    return SMALL


def is_json(media_type: str) -> bool:
    """Whether a body of this type is JSON (RFC 6839 3.1)."""
    kind = media_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def require_sound_json(raw: bytes) -> None:
    """Refuse JSON that is malformed or that nobody sends in good faith.

    Raises:
        ProblemError: MALFORMED_BODY.
    """
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MAX_STRUCTURE:
        raise ProblemError(Problem.MALFORMED_BODY, "the body has more structure than any request has")
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
        told = json.dumps(value, ensure_ascii=False).encode("utf-8") if b"\\u" in raw else b""
    except (ValueError, RecursionError):
        raise ProblemError(Problem.MALFORMED_BODY, "the body is not JSON (RFC 8259)") from None
    if b"\\u0000" in told:
        raise ProblemError(Problem.MALFORMED_BODY, "a text of the body has a NUL character in it")


def _unique(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")  # parsers differ on which one counts (RFC 8259 4)
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")  # RFC 8259 6


def _require_sound_address(scope: Scope) -> None:
    """No database keeps a NUL, so nothing is found under one."""
    if "\x00" in scope["path"] or b"%00" in scope.get("query_string", b""):
        raise ProblemError(Problem.NOT_FOUND)


def _replay(raw: bytes, receive: Receive) -> Receive:
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": raw, "more_body": False}

    return replay
