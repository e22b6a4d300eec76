"""Before a route: whose token or session a request carries, and whether he asks too often.

A request of nobody known goes on, for some routes are for everybody; one whose credentials are not (or no longer) good
goes on as that of nobody, and the route's own `require` says 401.
"""

from __future__ import annotations

from anyio import to_thread
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import ProblemError
from api.rates import Buckets, Rates
from api.registry_problems import RegistryProblem, problem_of_error
from eid.errors import AuthenticationError, EidError
from eid.services.caller.applicants import SESSION_PREFIX, find_session
from eid.services.caller.tokens import Caller
from eid.services.registry import Registry

THREADS = 12  # fewer than the connections that the database's pool gives out


class Callers:
    """ASGI middleware: `request.state.caller` is a Caller or None from here on.

    Args:
        proxy: address of the reverse proxy in front, whose word on where a request came from counts.
    """

    def __init__(self, app: ASGIApp, registry: Registry, rates: Rates, proxy: str = "") -> None:
        self._app = app
        self._registry = registry
        self._buckets = Buckets(rates)
        self._proxy = proxy
        self._has_bound_threads = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._bound_threads()
        request = Request(scope)
        try:
            caller = await self._identify(request)
            request.state.caller = caller
            name = None if caller is None else caller.actor.id
            wait = self._buckets.take(name, self._address(request), request.method, scope["path"])
            if wait:
                raise ProblemError(RegistryProblem.TOO_MANY_REQUESTS, headers={"Retry-After": str(wait)})
        except EidError as error:
            await problem_of_error(request, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _identify(self, request: Request) -> Caller | None:
        kind, _, credentials = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not credentials:
            return None
        try:
            if credentials.startswith(SESSION_PREFIX):
                return await to_thread.run_sync(find_session, self._registry, credentials.strip())
            return self._registry.issuer.verify(credentials.strip(), self._registry.now())
        except AuthenticationError:
            return None

    def _address(self, request: Request) -> str:
        """Where a request came from: the last address that the proxy added, if it came through it."""
        peer = request.client.host if request.client else ""
        forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return forwarded[:64] if forwarded and peer == self._proxy else peer

    def _bound_threads(self) -> None:
        if not self._has_bound_threads:
            to_thread.current_default_thread_limiter().total_tokens = THREADS
            self._has_bound_threads = True
