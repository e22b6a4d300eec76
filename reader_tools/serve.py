"""`eid serve`: the verification API as a server process."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

import click

from eid.services.settings import Settings, load_settings
from eid.services.verifying.verification import open_verification_service
from reader_tools import exit_codes
from reader_tools.server import (
    AnnouncingServer,
    AnnouncingSupervisor,
    announcement,
    configure,
    listen,
    stop_with_stdin,
)

APPLICATION: Final = "api.app:create_app_from_environment"  # by name: every worker process makes its own


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
        threading.Thread(target=stop_with_stdin, daemon=True).start()
    settings = load_settings(os.environ, host=host, port=port, trust=trust, stations=stations, home=home)
    open_verification_service(settings)  # an unusable state ends it here, with one line and an exit code
    _export(settings)
    listener = listen(settings.host, settings.port)
    announce = announcement(settings.host, listener)
    config = configure(APPLICATION, workers)
    if workers == 1:
        AnnouncingServer(config, announce).run(sockets=[listener])
        return exit_codes.PASSED
    supervisor = AnnouncingSupervisor(config, listener, announce)
    supervisor.run()
    return exit_codes.PASSED if supervisor.started else exit_codes.INTERNAL


def _export(settings: Settings) -> None:
    """Settle the settings for the application, which reads its environment in every worker process."""
    os.environ["EID_HOME"] = str(settings.home)
    os.environ["EID_DATABASE"] = settings.database
    os.environ["EID_TRUST"] = settings.trust
    os.environ["EID_STATIONS"] = settings.stations
    os.environ["EID_CHALLENGE_SECONDS"] = str(settings.challenge_seconds)
