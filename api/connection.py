"""HTTP connections that are bounded in size and time where the server library bounds nothing.

Without this a client may send one header for ever, or one octet a minute, or thousands of requests at once, and hold
memory or a connection. And requests of the plainest form (`api.whole`) are gathered here and answered as soon as they
are whole, without a way through the application; of one that dawdles, or for which there is no room, it is the
application's to take the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sized
from contextlib import suppress
from typing import Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.whole import ADDRESS, WholeRequests

MAX_HEAD: Final = 16 << 10  # octets of request line and headers, or of what stands in a body and is none of it
MAX_WAITING: Final = 32  # requests of one connection that wait for their turn
HEAD_SECONDS: Final = 10.0  # also for what is left of a body when its request is answered already
GATHER_SECONDS: Final = 1.0  # after that the application waits for the rest of a body
TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class FlowInTurn(FlowControl):
    """Nothing more is read as long as requests wait for their turn."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        """Whoever is last among those that wait may have more to read."""
        if not self._waiting:
            super().resume_reading()


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol; a head that is too large is answered 431, one that takes too long ends the connection."""

    _in_head = False
    _in_body = False
    _bodiless = 0  # octets since the message began, or since its last ones that were of a body
    _had_body = False  # whether some of what arrived last was
    _timer: asyncio.TimerHandle | None = None
    _whole: WholeRequests | None = None
    _pieces: list[bytes] | None = None  # of a body that is gathered here; None where the application has the request
    _held = 0  # octets that are kept until more of the body arrives
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base
        """Expect a first request."""
        super().connection_made(transport)
        self.flow = FlowInTurn(transport, self.pipeline)
        self._whole = getattr(getattr(self.app, "state", None), "whole", None)
        self._await_head()
        self._limit_time()

    def on_message_begin(self) -> None:
        """Expect the rest of the head; a kept connection was idle until here, and is not any more."""
        super().on_message_begin()
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        self._await_head()

    def on_headers_complete(self) -> None:
        """The head is there; its body is the application's to bound, unless it is gathered here."""
        self._stop_waiting()
        self._in_body = True
        self._pieces = [] if self._may_be_whole() else None
        if self._pieces is not None:
            return
        if len(self.pipeline) >= MAX_WAITING:
            self.transport.close()
            raise BufferError("too many requests wait for their turn")  # or the parser would go on
        super().on_headers_complete()
        self.headers = []  # what follows a chunked body is none of the request's headers (RFC 9110 6.5.1)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of a body."""
        self._had_body = True
        if self._pieces is None:
            super().on_body(body)
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        """Answer a request that is whole now."""
        self._in_body = False
        if self._held:
            self._let_go()
        if self._pieces is not None and not self._answer(b"".join(self._pieces)):
            self._pass_on()
        if self._pieces is None:
            super().on_message_complete()
        self._pieces = None

    def on_response_complete(self) -> None:
        """Of a request that is answered, but has not ended, the rest must come soon, or the next request."""
        super().on_response_complete()
        if self._in_body and self._is_answered():
            self._limit_time()

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP, to whoever listens yet."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def data_received(self, data: bytes) -> None:
        """Parse, then count what belongs to an unfinished head, to a body that is gathered, or to nothing at all."""
        self._had_body = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._pieces is not None:
            self._await_more(len(data))
        if not self._in_head and not self._in_body:
            return
        self._bodiless = 0 if self._had_body else self._bodiless + len(data)
        if self._bodiless > MAX_HEAD:
            self._stop_waiting()
            if self._is_answered():
                self.transport.write(TOO_LARGE)
            self.transport.close()
        elif self._in_head and self._timer is None:
            self._limit_time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers, and what was gathered."""
        self._stop_waiting()
        self._let_go()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End after the answer that is due; a request of which a part is there is the application's to finish."""
        if self._pieces is not None:
            self._pass_on()
        super().shutdown()

    # --- requests that are answered here

    def _may_be_whole(self) -> bool:
        """Whether the request is of a kind that is answered at once, and nothing before it is still to be answered."""
        whole, parser = self._whole, self.parser
        if whole is None or self.url != ADDRESS or not whole.takes(parser.get_method(), self.headers):
            return False
        if parser.get_http_version() != "1.1" or not parser.should_keep_alive() or self.flow.write_paused:
            return False
        return self._is_answered()

    def _is_answered(self) -> bool:
        """Whether nothing that was handed to the application waits for its answer."""
        return bool(getattr(self.cycle, "response_complete", True))  # there is no cycle before the first

    def _answer(self, body: bytes) -> bool:
        """Answer; not what is refused or fails, for then the application says why."""
        if self._whole is None:
            return False
        response = b""
        with suppress(Exception):
            response = self._whole.answer(body, self.server_state.default_headers)
        if response:
            self.transport.write(response)
            super().on_response_complete()
        return bool(response)

    def _await_more(self, octets: int) -> None:
        """Keep what has arrived of a body, for a short time and as long as there is room for all that are under way."""
        if self._whole is None:
            return
        self._held += octets
        if not self._whole.context.bodies.hold(octets):
            self._pass_on()
        elif self._patience is None:
            self._patience = self.loop.call_later(GATHER_SECONDS, self._pass_on)

    def _let_go(self) -> None:
        """Hold nothing any more."""
        if self._whole is not None:
            self._whole.context.bodies.release(self._held)
        self._held = 0
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _pass_on(self) -> None:
        """Hand a request with what has arrived of its body to the application."""
        self._let_go()
        pieces, self._pieces = self._pieces or [], None
        super().on_headers_complete()
        for piece in pieces:
            super().on_body(piece)

    # --- the time that a head may take, or what nobody waits for

    def _await_head(self) -> None:
        self._stop_waiting()
        self._in_head, self._bodiless = True, 0

    def _limit_time(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        self._in_head = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
