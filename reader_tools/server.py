"""A server process: bound before anything starts, one line when it is ready, ended by a signal in good order."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import click
from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from eid.errors import TransportError

CONNECTION: Final = "api.connection:BoundedHttpProtocol"
WORKER_START_SECONDS: Final = 60
BACKLOG: Final = 512
STOP_SECONDS: Final = 5
LOGGING: Final[dict[str, Any]] = {  # as `logging.config` has it; the worker processes get it, too
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"places": {"()": "api.logs.PlacesFormatter", "fmt": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "places"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"eid.api": {"level": "INFO"}},
}


def stop_with_stdin() -> None:
    """Whoever started this process holds the other end of its standard input: that one's end is ours."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def configure(application: str, workers: int = 1) -> Config:
    """How uvicorn is to serve an application, named as "module:factory" for every worker process makes its own."""
    return Config(
        application,
        factory=True,
        http=CONNECTION,
        ws="none",
        lifespan="off",
        log_config=LOGGING,
        access_log=False,  # uvicorn's would show queries; the application has its own
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=STOP_SECONDS,
        workers=workers,
    )


def listen(host: str, port: int) -> socket.socket:
    """Bind the address before anything is started.

    Raises:
        TransportError: it is taken, or not one of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as unless_bound:
            listener = unless_bound.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            unless_bound.pop_all()
    except OSError as error:
        raise TransportError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    listener.set_inheritable(True)
    return listener


def announcement(host: str, listener: socket.socket) -> Callable[[], None]:
    """What prints the one line of a server that is ready."""
    port = listener.getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    return lambda: click.echo(f"listening on http://{name}:{port}")


class AnnouncingServer(Server):
    """uvicorn's server; it says when it is ready, and a signal that ends it is no failure."""

    def __init__(self, config: Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that it is ready once it is."""
        await super().startup(sockets)
        self._announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on a signal as on any other end."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()  # the base would raise them once more and die of them


class AnnouncingSupervisor(Multiprocess):
    """uvicorn's supervisor of worker processes; it says when all of them are ready."""

    def __init__(self, config: Config, listener: socket.socket, announce: Callable[[], Any]) -> None:
        super().__init__(config, [listener])
        self._announce = announce
        self.started = False

    def init_processes(self) -> None:
        """Start the workers and wait until each of them is ready."""
        super().init_processes()
        self.started = all(item.wait_until_ready(WORKER_START_SECONDS, self.should_exit) for item in self.processes)
        if self.started:
            self._announce()
        else:
            self.should_exit.set()
