"""HTTP connections whose request heads are bounded in size and time; the server library bounds neither.

Without this a client may send one header for ever, or one octet a minute, and hold memory or a connection.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD: Final = 16 << 10  # octets of request line and headers
HEAD_SECONDS: Final = 10.0
TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol; a head that is too large is answered 431, one that takes too long ends the connection."""

    _in_head = False
    _head_octets = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base
        """Expect a first request."""
        super().connection_made(transport)
        self._await_head()

    def on_message_begin(self) -> None:
        """Expect the rest of the head; a kept connection was idle until here."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """The head is there; its body is the application's to bound."""
        self._stop_waiting()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Parse, then count what belongs to an unfinished head."""
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._head_octets += len(data)
        if self._head_octets > MAX_HEAD:
            self._stop_waiting()
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._stop_waiting()
        self._in_head, self._head_octets = True, 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        if self._in_head and not self.transport.is_closing():
            self.transport.close()
