"""`eid serve`: the verification API as a server process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from eid.errors import TransportError
from eid.services.settings import Settings, load_settings
from eid.services.verification import open_verification_service
from reader_tools import exit_codes

APPLICATION: Final = "api.app:create_app_from_environment"  # by name: every worker process makes its own
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


@click.command(name="serve")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.  [default: 8080]")
@click.option("--trust", metavar="DIR", help="Trust store.  [default: EID_HOME/trust]")
@click.option("--stations", metavar="DIR", help="Public keys (PEM) of known inspection stations.  [default: none]")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Where state lives.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Number of processes.")
@click.option("--attached", is_flag=True, hidden=True, help="Stop when standard input ends.")
def command(
    host: str | None,
    port: int | None,
    trust: str | None,
    stations: str | None,
    home: Path | None,
    workers: int,
    attached: bool,
) -> int:
    """Start the verification API and serve until SIGTERM or SIGINT.

    When it is ready it prints one line on standard output: listening on http://HOST:PORT
    """
    if attached:
        threading.Thread(target=_stop_with_stdin, daemon=True).start()
    settings = load_settings(os.environ, host=host, port=port, trust=trust, stations=stations, home=home)
    open_verification_service(settings)  # an unusable state ends it here, with one line and an exit code
    _export(settings)
    listener = _listen(settings.host, settings.port)
    announce = _announcement(settings.host, listener)
    config = _configure(workers)
    if workers == 1:
        _AnnouncingServer(config, announce).run(sockets=[listener])
        return exit_codes.PASSED
    supervisor = _AnnouncingSupervisor(config, listener, announce)
    supervisor.run()
    return exit_codes.PASSED if supervisor.started else exit_codes.INTERNAL


def _stop_with_stdin() -> None:
    """Whoever started this process holds the other end of its standard input: that one's end is ours."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _configure(workers: int) -> Config:
    return Config(
        APPLICATION,
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


def _export(settings: Settings) -> None:
    """Settle the settings for the application, which reads its environment in every worker process."""
    os.environ["EID_HOME"] = str(settings.home)
    os.environ["EID_DATABASE"] = settings.database
    os.environ["EID_TRUST"] = settings.trust
    os.environ["EID_STATIONS"] = settings.stations
    os.environ["EID_CHALLENGE_SECONDS"] = str(settings.challenge_seconds)


def _listen(host: str, port: int) -> socket.socket:
    """Bind the address before anything is started.

    Raises:
        TransportError: it is taken, or not one of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise TransportError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    listener.set_inheritable(True)
    return listener


def _announcement(host: str, listener: socket.socket) -> Callable[[], None]:
    port = listener.getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    return lambda: click.echo(f"listening on http://{name}:{port}")


class _AnnouncingServer(Server):
    """uvicorn's server; it says when it is ready, and a signal that ends it is no failure."""

    def __init__(self, config: Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            self._captured_signals.clear()  # the base would raise them once more and die of them


class _AnnouncingSupervisor(Multiprocess):
    """uvicorn's supervisor of worker processes; it says when all of them are ready."""

    def __init__(self, config: Config, listener: socket.socket, announce: Callable[[], Any]) -> None:
        super().__init__(config, [listener])
        self._announce = announce
        self.started = False

    def init_processes(self) -> None:
        super().init_processes()
        self.started = all(item.wait_until_ready(WORKER_START_SECONDS, self.should_exit) for item in self.processes)
        if self.started:
            self._announce()
        else:
            self.should_exit.set()
