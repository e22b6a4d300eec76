"""The registry, or a worker, as a process whose clock a test moves; in all else as `eid` starts it.

python -m tests.builders.office_process registry|worker|publisher CLOCK_FILE [OPTIONS]

The publisher is `eid status publish OPTIONS`, by the machine's own clock.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api.registry import create_registry
from eid.services.caller.development_issuer import NAME, jwks_path, open_development_issuer
from eid.services.database import ready_database
from eid.services.durable.workshop import open_workshop
from eid.services.registry import open_registry
from eid.services.settings import load_settings
from reader_tools.main import run
from reader_tools.server import AnnouncingServer, announcement, configure, listen, stop_with_stdin


@dataclass(frozen=True)
class MovedClock:
    """The machine's clock, moved by as many seconds as a file says."""

    file: Path

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self.file.read_text("ascii")))

    def move(self, offset: timedelta) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(str(offset.total_seconds()), "ascii")
        fresh.replace(self.file)

    def set(self, moment: datetime) -> None:
        self.move(moment - datetime.now(UTC))


def serve_registry(clock: MovedClock) -> None:
    """As `eid registry serve --development`."""
    settings = load_settings(os.environ)
    open_development_issuer(settings.home)
    settings = replace(settings, issuer=NAME, jwks=str(jwks_path(settings.home)))
    app = create_registry(open_registry(settings, clock))
    config = configure("")
    config.app = lambda: app
    listener = listen(settings.host, settings.port)
    AnnouncingServer(config, announcement(settings.host, listener)).run(sockets=[listener])


def run_worker(clock: MovedClock) -> None:
    """As `eid worker run --without-sealing`."""
    from eid.services.durable.worker import working

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings, stop = load_settings(os.environ), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ready_database(settings) as engine:
        workshop = open_workshop(settings, engine, now=clock)
        with working(workshop, "worker-1", concurrency=4) as worker:
            print("working as worker-1", flush=True)
            worker.run(stop)


if __name__ == "__main__":
    threading.Thread(target=stop_with_stdin, daemon=True).start()
    part, clock_file, *options = sys.argv[1:]
    if part == "publisher":
        sys.exit(run(["status", "publish", *options]))
    {"registry": serve_registry, "worker": run_worker}[part](MovedClock(Path(clock_file)))
