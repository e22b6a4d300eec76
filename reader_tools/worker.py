"""`eid worker`: does the work that applications, stamps and appointments cause."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from eid.services.audit.log import Sealer, load_sealer, open_audit_keys
from eid.services.card.status_lists import REST, StatusPublisher
from eid.services.database import ready_database
from eid.services.durable.handlers import DUE, NEEDS
from eid.services.durable.oversight import (
    WorkerState,
    ask_for_another_try,
    ask_for_another_try_of_all,
    look_at_work,
)
from eid.services.durable.work import Capability
from eid.services.durable.workshop import open_workshop
from eid.services.pki.authority import open_authority
from eid.services.settings import Settings, load_settings
from reader_tools import exit_codes
from reader_tools.authority_options import named_key_options, open_keys, operator_option
from reader_tools.command_group import CommandGroup
from reader_tools.passphrase import passphrase_source
from reader_tools.publication_options import open_publisher, publication_options
from reader_tools.values import DIRECTORY, FILE


@click.group(name="worker", cls=CommandGroup)
def command() -> None:
    """Work between the states of an affair: messages, searches, refunds, heads of the audit log, status lists."""


@command.command(name="run")
@click.option(
    "--name", default=socket.gethostname, help="This worker's name, the same after a restart.  [default: host]"
)
@click.option("--concurrency", type=click.IntRange(1, 256), default=24, show_default=True, help="Jobs at once.")
@click.option("--passphrase-file", "passphrase", type=FILE, help="File whose only line opens the audit log's key.")
@click.option("--without-sealing", is_flag=True, help="Sign no heads of the audit log: another worker does.")
@click.option("--until-idle", is_flag=True, help="End when there is nothing left that this worker can do.")
@click.option(
    "--keys-only", is_flag=True, help="Do only what needs this worker's keys; leave messages and all else to others."
)
@click.option(
    "--authority",
    type=DIRECTORY,
    help="Directory of the authority: publish status lists, signed by its signer of them.  [default: others do]",
)
@publication_options("status-")
@operator_option
@named_key_options("authority-")
def run(
    name: str,
    concurrency: int,
    passphrase: Path | None,
    without_sealing: bool,
    until_idle: bool,
    keys_only: bool,
    authority: Path | None,
    **publishing: Any,
) -> int:
    """Work until SIGTERM or SIGINT; what is cut short is done by the next one, or by another worker.

    Heads of the audit log and status lists wait for a worker that has their key.

    When it is ready it prints one line on standard output: working as NAME
    """
    from eid.services.durable.worker import working  # the engine is large, and no other command needs it

    _log_to_stderr()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings = load_settings(os.environ)
    stop = threading.Event()
    with ready_database(settings) as engine, _stopped_by_signals(stop):
        sealer = None if without_sealing else _open_sealer(engine, settings, passphrase)
        publisher = None if authority is None else _open_publisher(engine, authority, **publishing)
        if keys_only and sealer is None and publisher is None:
            raise click.UsageError("--keys-only without a key leaves nothing to do")
        workshop = open_workshop(settings, engine, sealer=sealer, publisher=publisher, keys_only=keys_only)
        with working(workshop, name, concurrency=concurrency, keys_only=keys_only) as worker:
            click.echo(f"working as {name}")
            worker.run(stop, until_idle=until_idle)
    return exit_codes.PASSED


@command.command(name="status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for a monitor.")
def status(as_json: bool) -> None:
    """Tell who works, how much waits, and how much has failed."""
    with ready_database(load_settings(os.environ)) as engine:
        found = look_at_work(engine, datetime.now(UTC), DUE)
    if as_json:
        told = {
            "workers": [
                {"name": item.name, "alive": item.is_alive, "does": sorted(item.capabilities)} for item in found.workers
            ],
            "waiting": found.waiting,
            "failed": len(found.failures),
            "more": found.has_more,
            "unserved": [
                {"kind": item.kind, "since": item.since.isoformat(timespec="seconds")} for item in found.unserved(NEEDS)
            ],
        }
        click.echo(json.dumps({"format": "eid-worker-status", "version": 1, **told}))
        return
    for worker in found.workers:
        click.echo(f"worker {worker.name}: {'alive' if worker.is_alive else 'silent'}{_does(worker)}")
    click.echo(f"waiting to be taken over: {found.waiting}")
    click.echo(f"failed: {len(found.failures)}{' or more' if found.has_more else ''}")
    for item in found.unserved(NEEDS):
        click.echo(f"{item.kind} waits since {item.since:%Y-%m-%d %H:%M} UTC: no worker that is alive has its key")


@command.command(name="failed")
def failed() -> int:
    """List work that has failed for good, the oldest first, each with its reason.

    Exit codes: 0 there is none, 1 there is some.
    """
    with ready_database(load_settings(os.environ)) as engine:
        found = look_at_work(engine, datetime.now(UTC))
    for failure in found.failures:
        when = failure.failed_at.isoformat(timespec="seconds")
        click.echo(f"{failure.work.id}  {when}  {failure.work.kind}  after {failure.attempts}: {failure.why}")
    return exit_codes.FAILED if found.failures else exit_codes.PASSED


@command.command(name="retry")
@click.option("--all", "everything", is_flag=True, help="All that has failed, as after a gateway's outage.")
@click.option("--kind", help="With --all: only this kind, such as sms.stamp.")
@click.argument("work_id", type=click.UUID, required=False)
def retry(everything: bool, kind: str | None, work_id: uuid.UUID | None) -> None:
    """Have failed work tried once more."""
    if everything == (work_id is not None) or (kind is not None and not everything):
        raise click.UsageError("name a piece of work, or say --all, perhaps with --kind")
    with ready_database(load_settings(os.environ)) as engine:
        if work_id is None:
            click.echo(f"will be tried again: {ask_for_another_try_of_all(engine, kind)}")
            return
        ask_for_another_try(engine, work_id)
    click.echo("will be tried again")


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT ask for an end in order while the context lasts."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, lambda *_: stop.set())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _log_to_stderr() -> None:
    """Lines with their time in UTC, as the server's (`api.logs`)."""
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _does(worker: WorkerState) -> str:
    """What it does besides, or instead of, the work that any worker can do."""
    keys = sorted(worker.capabilities - {Capability.WORK})
    only = "" if Capability.WORK in worker.capabilities else " only"
    return f", to {' and '.join(keys)}{only}" if keys else ""


def _open_publisher(engine: Any, directory: Path, operator: str, **given: Any) -> StatusPublisher:
    """It opens the key once, so that a wrong passphrase is told now; the signer is made where there is none."""
    terms = {name: given.pop(name) for name in ("out", "ttl", "valid", "aggregation")}
    authority = open_authority(directory, open_keys(directory, **given), operator)
    publisher = open_publisher(engine, authority, **terms, rest=REST)
    publisher.open_signer(datetime.now(UTC).replace(microsecond=0))
    return publisher


def _open_sealer(engine: Any, settings: Settings, passphrase: Path | None) -> Sealer:
    keys = open_audit_keys(settings, passphrase_source(passphrase))
    return load_sealer(engine, settings, keys)
