"""`eid dev-issuer`: access tokens for a developer's registry. Not for production."""

from __future__ import annotations

import os
import signal
import threading
from datetime import timedelta
from pathlib import Path
from types import FrameType

import click

from eid.services.caller.development_issuer import IssuerServer, open_development_issuer, parse_actor
from eid.services.caller.tokens import TOKEN_ROLES
from eid.services.registry import utc_now
from eid.services.settings import load_settings
from reader_tools import exit_codes

WARNING = "NOT FOR PRODUCTION: this issuer gives every role to everybody"
HOME = click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Where state lives.")
AUDIENCE = click.option("--audience", help="The `aud` of the tokens.  [default: eid-registry]")


@click.group(name="dev-issuer")
def command() -> None:
    """Access tokens for a developer's registry. NOT FOR PRODUCTION.

    A registry takes them only with `eid registry serve --development`.
    """


@command.command(name="token")
@click.option("--id", "subject", default="developer", show_default=True, help="Who the token is for (`sub`).")
@click.option("--role", "roles", multiple=True, type=click.Choice(list(TOKEN_ROLES)), help="A role; more than once.")
@click.option("--site", help="Where he works.")
@click.option("--number", default="", help="His own personal number, so that he is kept off his own file.")
@click.option("--scope", default="", help="Scopes, with blanks between them.")
@click.option("--minutes", type=click.IntRange(1, 1440), default=60, show_default=True, help="How long it is good.")
@AUDIENCE
@HOME
def token(
    subject: str,
    roles: tuple[str, ...],
    site: str | None,
    number: str,
    scope: str,
    minutes: int,
    audience: str | None,
    home: Path | None,
) -> None:
    """Print one access token on standard output."""
    settings = load_settings(os.environ, home=home, audience=audience)
    issuer = open_development_issuer(settings.home)
    click.echo(WARNING, err=True)
    actor = parse_actor(subject, list(roles), site)
    lifetime = timedelta(minutes=minutes)
    click.echo(issuer.issue(actor, settings.audience, utc_now(), scope=scope, lifetime=lifetime, number=number))


@command.command(name="serve")
@click.option("--port", type=click.IntRange(0, 65535), default=8082, show_default=True, help="0 takes a free one.")
@AUDIENCE
@HOME
def serve(port: int, audience: str | None, home: Path | None) -> int:
    """Serve metadata, keys and tokens on this machine.

    When it is ready it prints one line on standard output: listening on http://127.0.0.1:PORT
    """
    settings = load_settings(os.environ, home=home, audience=audience)
    server = IssuerServer(open_development_issuer(settings.home), settings.audience, port)
    click.echo(WARNING, err=True)

    def stop(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    click.echo(f"listening on {server.url}")
    with server:
        server.serve_forever(0.1)
    return exit_codes.PASSED
