"""`eid registry serve`: the registry of applications, stamps, appointments and cards as a server process."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from eid.services.caller.development_issuer import NAME, jwks_path, open_development_issuer
from eid.services.registry import open_registry
from eid.services.settings import Settings, load_settings
from reader_tools import exit_codes
from reader_tools.server import AnnouncingServer, announcement, configure, listen, stop_with_stdin

APPLICATION: Final = "api.registry:create_registry_from_environment"
DEFAULT_PORT: Final = 8081  # 8080 is the verification API's


@click.group(name="registry")
def command() -> None:
    """The registry: applications, stamps, appointments, enrolment, cards, over HTTP."""


@command.command(name="serve")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.  [default: 8081]")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Where state lives.")
@click.option("--issuer", metavar="URL", help="The `iss` of the access tokens that count.")
@click.option("--jwks", metavar="FILE|URL", help="The issuer's public keys (JWK Set).")
@click.option("--audience", help="The `aud` that means this service.  [default: eid-registry]")
@click.option("--development", is_flag=True, help="Let tokens of `eid dev-issuer` count. Not for production.")
@click.option("--attached", is_flag=True, hidden=True, help="Stop when standard input ends.")
def serve(
    host: str | None,
    port: int | None,
    home: Path | None,
    issuer: str | None,
    jwks: str | None,
    audience: str | None,
    development: bool,
    attached: bool,
) -> int:
    """Start the registry and serve until SIGTERM or SIGINT.

    When it is ready it prints one line on standard output: listening on http://HOST:PORT
    """
    if attached:
        threading.Thread(target=stop_with_stdin, daemon=True).start()
    given = {"host": host, "home": home, "issuer": issuer, "jwks": jwks, "audience": audience}
    settings = load_settings(
        {"EID_PORT": str(DEFAULT_PORT), **os.environ}, port=port, development=1 if development else None, **given
    )
    if settings.development and not settings.issuer:
        open_development_issuer(settings.home)
        settings = replace(settings, issuer=NAME, jwks=str(jwks_path(settings.home)))
    open_registry(settings)  # an unusable state ends it here, with one line and an exit code
    if settings.development:
        click.echo("NOT FOR PRODUCTION: tokens of a development issuer count", err=True)
    _export(settings)
    listener = listen(settings.host, settings.port)
    AnnouncingServer(configure(APPLICATION, 1), announcement(settings.host, listener)).run(sockets=[listener])
    return exit_codes.PASSED


def _export(settings: Settings) -> None:
    """Settle the settings for the application, which reads its environment."""
    os.environ["EID_HOME"] = str(settings.home)
    claims = ("roles_claim", "number_claim")
    for name in ("database", "country", "issuer", "audience", "jwks", *claims, "proxy", "development"):
        os.environ[f"EID_{name.upper()}"] = str(getattr(settings, name))
