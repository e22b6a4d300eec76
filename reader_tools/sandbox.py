"""`eid sandbox`: services of others, made up: for development, never for production."""

from __future__ import annotations

import signal
import threading

import click

from eid.gateways.sandbox_sms import serve_sms
from reader_tools.command_group import CommandGroup


@click.group(name="sandbox", cls=CommandGroup)
def command() -> None:
    """Services of others, made up: real servers that reach nobody. Not for production."""


@command.command(name="sms")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port; 0 takes a free one.")
@click.option("--token", default="sandbox", show_default=True, help="What callers must know.")
def sms(host: str, port: int, token: str) -> None:
    """An SMS gateway that takes messages and sends none; GET on its address lists them.

    The last digits of a telephone number choose what happens: 001 fails twice, 002 is refused, 003 is slow, 004 is
    taken without an answer, 005 is asked to wait once. Prints one line when it is ready: listening on URL
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with serve_sms(token, host, port) as (_, address):
        click.echo("NOT FOR PRODUCTION: messages reach nobody", err=True)
        click.echo(f"listening on {address}")
        stop.wait()
