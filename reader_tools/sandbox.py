"""`eid sandbox`: services of others, made up: for development, never for production."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import click

from eid.enrolment.payment import Outcome
from eid.enrolment.rules import load_rules
from eid.gateways.abis.sandbox import SandboxAbis
from eid.gateways.abis.server import serve_sandbox as serve_abis
from eid.gateways.payment.sandbox import MAX_DELAY, MAX_DUPLICATES, Ending, Plan
from eid.gateways.payment.sandbox_server import SandboxSettings, serve_sandbox
from eid.gateways.sandbox_sms import serve_sms
from eid.services.payment.channels import configure_sandbox, prepare_secret
from eid.services.settings import load_settings
from reader_tools.command_group import CommandGroup
from reader_tools.secret_input import read_secret_line
from reader_tools.values import FILE


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


@command.command(name="payments")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port; 0 takes a free one.")
@click.option(
    "--callback",
    default="http://127.0.0.1:8081/v1/payment-callbacks",
    show_default=True,
    metavar="URL",
    help="Where it tells what became of payments; the way to pay is added.",
)
@click.option(
    "--ending",
    type=click.Choice([item.value for item in Ending]),
    default="manual",
    show_default=True,
    help="How payments end.",
)
@click.option("--delay", type=click.FloatRange(0, MAX_DELAY), default=0.0, help="Seconds before a payment ends.")
@click.option(
    "--duplicates", type=click.IntRange(0, MAX_DUPLICATES), default=0, help="How often the same is told again."
)
@click.option("--out-of-order", is_flag=True, help="Tell that a payment is pending after its end.")
@click.option(
    "--refund",
    type=click.Choice([item.value for item in (Outcome.REFUNDED, Outcome.PENDING, Outcome.DECLINED)]),
    default="refunded",
    show_default=True,
    help="What is answered when money is to go back; pending: a callback tells of it later.",
)
def payments(
    port: int, callback: str, ending: str, delay: float, duplicates: int, out_of_order: bool, refund: str
) -> None:
    """A payment provider that moves no money: five ways to pay, signed callbacks, statements.

    Writes EID_HOME/payments.toml, unless you have written one, so that `eid registry serve`, started afterwards, pays
    here. How the next payments end can be changed while it runs: PUT /sandbox/plan (docs/payments.md). Prints one line
    when it is ready: listening on URL
    """
    office = load_settings(os.environ)
    home, zone = office.home, load_rules(office.country).rules.time_zone
    secret = prepare_secret(home)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = SandboxSettings(callback, secret, zone)
    with serve_sandbox(settings, port, lambda way, how: click.echo(f"{way}: told, {how}", err=True)) as (url, provider):
        provider.plan = Plan(Ending(ending), delay, duplicates, out_of_order, Outcome(refund))
        click.echo("NOT FOR PRODUCTION: no money moves", err=True)
        if configure_sandbox(home, url):
            click.echo(f"wrote {home / 'payments.toml'}", err=True)
        click.echo(f"listening on {url}")
        stop.wait()


@command.command(name="abis")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port; 0 takes a free one.")
@click.option("--copies", type=click.IntRange(1, 9), default=1, show_default=True, help="How often an answer is sent.")
@click.option("--token-file", type=FILE, help="A file with the access token that late answers carry.")
def abis(port: int, copies: int, token_file: Path | None) -> None:
    """A biometric identification system that compares pictures, not persons (OSIA ABIS 1.6.0).

    Its gallery is in memory. Searches that name a callback are answered later, by a call (docs/production.md). Prints
    one line when it is ready: listening on URL
    """
    token = "" if token_file is None else read_secret_line(token_file, "access token")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with serve_abis(SandboxAbis(), port=port, copies=copies, token=token) as server:
        click.echo("NOT FOR PRODUCTION: it recognises nobody", err=True)
        click.echo(f"listening on http://127.0.0.1:{server.port}")
        stop.wait()
