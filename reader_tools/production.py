"""`eid production`: stock of blanks, production orders, writing cards, on the local database."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from eid.crypto.public_key import encode_public_key
from eid.enrolment.production import BlankState, OrderState
from eid.enrolment.roles import Role
from eid.errors import DecodeError
from eid.gateways.blobs import BlobStore
from eid.profile.loader import load_profile
from eid.rendering.terminal import render_table
from eid.services.application import enrolment
from eid.services.card import card_writing, production, stock
from eid.services.card.card_writing import Line
from eid.services.database import ready_database
from eid.services.input_file import read_input
from eid.services.pki.authority import open_authority
from eid.services.registry import load_keys
from eid.services.settings import Settings, load_settings
from eid.services.verifying.stations import load_station_key
from eid.store.production_orders import ProductionOrder
from reader_tools.acting import acting_as, current_moment, local_actor
from reader_tools.authority_options import key_options, open_keys, operator_option
from reader_tools.card_connection import connect
from reader_tools.command_group import CommandGroup
from reader_tools.output_file import write_private
from reader_tools.values import DIRECTORY, FILE

FORMAT: Final = "eid-production"
VERSION: Final = 1
MAX_SERIALS: Final = 8 << 20  # octets of a list
MAX_READER_NAME: Final = 128  # characters that a job keeps
JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
STORE: Final = click.option("--store", type=click.UUID, required=True, help="The store of blanks.")
ORDER: Final = click.argument("order", type=click.UUID)
MAKER: Final = acting_as(Role.PRODUCTION_OPERATOR)
CAUSE: Final = click.Choice(sorted(stock.CAUSES))
EXAMPLES: Final = """\b
Examples:
  eid production open-store "Main store"
  eid production receive B-17 --store STORE --product ma-cnie --serials serials.txt
  eid production orders
  eid production reserve ORDER --store STORE
  eid production write ORDER --authority var/pki --reader ACR --can-out can.txt
  eid production pass ORDER
  eid production balance --store STORE
"""


@click.group(name="production", cls=CommandGroup, epilog=EXAMPLES)
def command() -> None:
    """Production of cards: stock of blanks, orders, writing, inspection.

    What is approved is ordered. An order takes a blank of the stock and becomes a card, or spoils it; then the next
    order is queued. A card that was lost in mid-writing is put back, and the same command goes on.
    """


# --- stock


@command.command(name="open-store")
@click.argument("name")
@MAKER
@JSON
def open_store(name: str, role: str, as_json: bool) -> None:
    """Open a store of blanks."""
    with _database() as (engine, _):
        made = stock.open_store(engine, name, local_actor(role), current_moment())
    _print({"id": str(made.id), "name": made.name}, as_json)


@command.command(name="stores")
@JSON
def stores(as_json: bool) -> None:
    """List the stores of blanks."""
    with _database() as (engine, _):
        rows = [{"id": str(item.id), "name": item.name} for item in stock.list_stores(engine)]
    _print_rows(rows, ("id", "name"), as_json)


@command.command(name="receive")
@click.argument("batch")
@STORE
@click.option("--product", required=True, help="Card profile of the blanks.")
@click.option("--serials", "serials_file", type=FILE, required=True, help="One serial on each line, hexadecimal.")
@MAKER
@JSON
def receive(batch: str, store: uuid.UUID, product: str, serials_file: Path, role: str, as_json: bool) -> None:
    """Take in a delivery of blanks, whole or not at all."""
    serials = _read_serials(serials_file)
    with _database() as (engine, _):
        made = stock.receive_batch(engine, store, batch, product, serials, local_actor(role), current_moment())
    _print({"id": str(made), "name": batch, "size": len(serials)}, as_json)


@command.command(name="balance")
@STORE
@JSON
def balance(store: uuid.UUID, as_json: bool) -> int:
    """What was delivered, and where every blank is.

    Exit codes: 0 every blank is accounted for, 1 some are not.
    """
    with _database() as (engine, _):
        stock.require_store(engine, store)
        found = stock.balance_stock(engine, store)
    names = [state.value for state in BlankState]
    rows = [
        {"product": item.product, "delivered": item.delivered, **{name: item.states.get(name, 0) for name in names}}
        for item in found
    ]
    _print_rows(rows, ("product", "delivered", *names), as_json)
    return 0 if all(item.is_even for item in found) else 1


@command.command(name="blanks")
@STORE
@click.option("--state", type=click.Choice([item.value for item in BlankState]), help="Only those.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many at most.")
@JSON
def blanks(store: uuid.UUID, state: str | None, limit: int, as_json: bool) -> None:
    """List blanks of a store, oldest first."""
    with _database() as (engine, _):
        found = stock.list_blanks(engine, store, state=state, limit=limit)
    rows = [
        {"serial": item.serial, "state": item.state, "product": item.product, "order": _text(item.order_id)}
        for item in found
    ]
    _print_rows(rows, ("serial", "state", "product", "order"), as_json)


@command.command(name="count")
@STORE
@click.option("--serials", "serials_file", type=FILE, required=True, help="What lies there, one on each line.")
@MAKER
@JSON
def count(store: uuid.UUID, serials_file: Path, role: str, as_json: bool) -> int:
    """Compare a count by hand with the register; what is missing is noted.

    Exit codes: 0 they agree, 1 they differ.
    """
    with _database() as (engine, _):
        found = stock.take_stock(engine, store, _read_serials(serials_file), local_actor(role), current_moment())
    told = {name: list(getattr(found, name)) for name in ("missing", "found_again", "unknown")}
    _print({name: value if as_json else ", ".join(value) or "none" for name, value in told.items()}, as_json)
    return 1 if any(told.values()) else 0


@command.command(name="damage")
@click.argument("serial")
@STORE
@click.option("--cause", type=CAUSE, default="damaged", show_default=True, help="What is wrong with it.")
@MAKER
def damage(serial: str, store: uuid.UUID, cause: str, role: str) -> None:
    """A blank in the store is no good."""
    with _database() as (engine, _):
        stock.spoil_in_store(engine, store, serial, cause, local_actor(role), current_moment())
    click.echo(f"{serial.upper()}: spoiled")


@command.command(name="destroy")
@click.argument("serial")
@STORE
@click.option("--witness", required=True, help="The second person, by identifier.")
@MAKER
def destroy(serial: str, store: uuid.UUID, witness: str, role: str) -> None:
    """Note that a spoiled blank was destroyed before a second person."""
    with _database() as (engine, _):
        stock.destroy_blank(engine, store, serial, witness, local_actor(role), current_moment())
    click.echo(f"{serial.upper()}: destroyed")


# --- orders


@command.command(name="orders")
@click.option(
    "--state",
    type=click.Choice([item.value for item in OrderState]),
    default="QUEUED",
    show_default=True,
    help="Where they stand.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many at most.")
@MAKER
@JSON
def orders(state: str, limit: int, role: str, as_json: bool) -> None:
    """List production orders, the most urgent first."""
    with _database() as (engine, _):
        found = production.queued_orders(engine, state, local_actor(role), limit)
    columns = ("id", "state", "priority", "attempt", "profile", "deliver_to", "created_at")
    _print_rows([_describe(item) for item in found], columns, as_json)


@command.command(name="show")
@ORDER
@MAKER
@JSON
def show(order: uuid.UUID, role: str, as_json: bool) -> None:
    """Show an order, and with --json what was done to its card."""
    with _database() as (engine, _):
        actor = local_actor(role)
        told = _describe(production.view_order(engine, order, actor))
        journal = production.order_journal(engine, order, actor)
    steps = [{"step": item.step, "phase": item.phase, "at": item.at.isoformat()} for item in journal]
    _print({**told, "steps": steps if as_json else len(steps)}, as_json)


@command.command(name="reserve")
@ORDER
@STORE
@MAKER
@JSON
def reserve(order: uuid.UUID, store: uuid.UUID, role: str, as_json: bool) -> None:
    """Reserve a blank for an order; it must have its stamp consumed."""
    with _database() as (engine, _):
        found = production.reserve(engine, order, store, local_actor(role), current_moment())
    _print(_describe(found), as_json)


@command.command(name="release")
@ORDER
@MAKER
@JSON
def release(order: uuid.UUID, role: str, as_json: bool) -> None:
    """Give the blank of an order back, to which nothing was written."""
    with _database() as (engine, _):
        _print(_describe(production.release(engine, order, local_actor(role), current_moment())), as_json)


@command.command(name="write")
@ORDER
@click.option("--authority", "directory", required=True, type=DIRECTORY, help="Directory of the issuing authority.")
@click.option("--reader", help="Reader by name, part of its name, or index; default: the first that holds a card.")
@click.option("--card-file", type=FILE, help="A virtual card's file, written in this process, instead of a reader.")
@click.option("--wait", type=click.FloatRange(0, 3600), default=0.0, help="Seconds to wait for a card.")
@click.option("--can-out", type=FILE, help="Write the card access number, which is printed on the card, to this file.")
@click.option("--pin-out", type=FILE, help="Write PIN and PUK, which go to the holder by another way, to this file.")
@operator_option
@key_options
@MAKER
@JSON
def write(
    order: uuid.UUID,
    directory: Path,
    reader: str | None,
    card_file: Path | None,
    wait: float,
    can_out: Path | None,
    pin_out: Path | None,
    operator: str,
    role: str,
    as_json: bool,
    **keys: Any,
) -> None:
    """Write the card of an order to the reserved blank, lock it, read it back, verify it; or go on where it broke off.

    Exit codes: 65 the record does not fit, 69 no card or the card was lost, 73 another blank, the wrong state, or the
    card failed its check, 76 the card refused, 77 the keys cannot be used.
    """
    with _database() as (engine, settings):
        known = production.require_order(engine, order)
        if known.store_id is None:
            raise click.UsageError("the order has no blank yet: eid production reserve")
        loaded = load_profile(known.profile)
        if "PIN" in loaded.profile.access.passwords and pin_out is None:
            raise click.UsageError("the card gets a PIN, which nobody would ever know: say --pin-out")
        authority = open_authority(directory, open_keys(directory, **keys), operator)
        blobs = BlobStore(settings.documents_address, load_keys(settings))
        line = Line(engine, blobs, authority, loaded, known.store_id, current_moment)
        with connect(reader, card_file, wait) as (connection, name):
            written, _ = card_writing.write(line, order, connection, name[:MAX_READER_NAME], local_actor(role))
        secrets = card_writing.card_secrets(line, written)
    if can_out is not None:
        write_private(can_out, secrets.can.encode("ascii") + b"\n")
    if pin_out is not None:
        write_private(pin_out, f"{secrets.pin}\n{secrets.puk}\n".encode("ascii"))
    _print(_describe(written), as_json)


@command.command(name="pass")
@ORDER
@MAKER
@JSON
def pass_card(order: uuid.UUID, role: str, as_json: bool) -> None:
    """The finished card was looked at and is good."""
    with _database() as (engine, _):
        _print(_describe(production.inspect_card(engine, order, local_actor(role), current_moment())), as_json)


@command.command(name="spoil")
@ORDER
@click.option("--cause", type=CAUSE, required=True, help="What is wrong with it.")
@MAKER
@JSON
def spoil(order: uuid.UUID, cause: str, role: str, as_json: bool) -> None:
    """The card of an order is no good; the next order is queued."""
    with _database() as (engine, _):
        _print(_describe(production.spoil(engine, order, cause, local_actor(role), current_moment())), as_json)


# --- officers


@command.command(name="officer-key")
@click.argument("officer")
@click.argument("key", type=FILE)
@acting_as(Role.ADMINISTRATOR)
@JSON
def officer_key(officer: str, key: Path, role: str, as_json: bool) -> None:
    """Let an officer's key count: OFFICER as in his token, KEY a P-256 public key in PEM."""
    raw = encode_public_key(load_station_key(key))
    with _database() as (engine, _):
        known = enrolment.register_officer_key(engine, officer, raw, local_actor(role), current_moment())
    _print({"key_id": known.key_id.hex(), "officer": known.officer}, as_json)


@contextmanager
def _database() -> Iterator[tuple[Any, Settings]]:
    settings = load_settings(os.environ)
    with ready_database(settings) as engine:
        yield engine, settings


def _read_serials(path: Path) -> list[str]:
    try:
        text = read_input(path, MAX_SERIALS, "list of serials").decode("ascii")
    except UnicodeDecodeError as failure:
        raise DecodeError(f"{path}: no list of serials", offset=failure.start) from failure
    return [line.strip() for line in text.splitlines() if line.strip()]


def _describe(order: ProductionOrder) -> dict[str, Any]:
    """Of the person and the document number nothing."""
    names = ("id", "state", "application_id", "attempt", "priority", "profile", "deliver_to", "created_at")
    more = ("store_id", "serial", "issued_on", "expires_on", "job_id", "card_id", "sod_hash", "cause")
    return {name: _text(getattr(order, name)) for name in (*names, *more)}


def _text(value: object) -> object:
    match value:
        case None | int() | str():
            return value
        case bytes():
            return value.hex()
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case _:
            return str(value)


def _print(told: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"format": FORMAT, "version": VERSION, **told}, indent=2))
        return
    for name, value in told.items():
        if value is not None:
            click.echo(f"{name}: {value}")


def _print_rows(rows: Sequence[Mapping[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"format": FORMAT, "version": VERSION, "rows": rows}, indent=2))
    elif not rows:
        click.echo("none")
    else:
        shown = [tuple("" if row[name] is None else str(row[name]) for name in columns) for row in rows]
        click.echo(render_table(shown, columns))
