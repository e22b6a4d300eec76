"""Small HTTP servers on the loopback interface: sandboxes, a developer's issuer, the page of a trace."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Final

HOST: Final = "127.0.0.1"
POLL: Final = 0.05  # seconds until a server notices that it is to stop


class LocalServer(ThreadingHTTPServer):
    """Answers each request in a thread of its own, none of which keeps the process from ending."""

    daemon_threads = True

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks off is nobody's fault."""


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Have a server answer while the context lasts; then it is closed."""
    thread = threading.Thread(target=server.serve_forever, args=(POLL,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
