"""`eid production`: stock of blanks, production orders, writing cards, on the local database."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Final

import click

from eid.crypto.public_key import encode_public_key
from eid.enrolment.production import BlankState, OrderState
from eid.enrolment.roles import Role
from eid.errors import DecodeError
from eid.services.application import enrolment
from eid.services.card import production, stock
from eid.services.input_file import read_input
from eid.services.verifying.stations import load_station_key
from reader_tools.acting import acting_as, current_moment, local_actor
from reader_tools.command_group import CommandGroup
from reader_tools.production_output import (
    JSON,
    MAKER,
    ORDER,
    describe_order,
    local_database,
    print_rows,
    print_told,
)
from reader_tools.production_writing import write
from reader_tools.values import FILE

MAX_SERIALS: Final = 8 << 20  # octets of a list
STORE: Final = click.option("--store", type=click.UUID, required=True, help="The store of blanks.")
CAUSE: Final = click.Choice(sorted(stock.CAUSES))
EXAMPLES: Final = """\b
Examples:
  eid production open-store "Main store"
  eid production receive B-17 --store STORE --product ma-cnie --serials serials.txt
  eid production orders
  eid production reserve ORDER --store STORE
  eid production write ORDER --authority var/pki --reader ACR --can-out can.txt
  eid production write ORDER --authority var/pki --registry https://registry.example.org --token-file token
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
    with local_database() as (engine, _):
        made = stock.open_store(engine, name, local_actor(role), current_moment())
    print_told({"id": str(made.id), "name": made.name}, as_json)


@command.command(name="stores")
@JSON
def stores(as_json: bool) -> None:
    """List the stores of blanks."""
    with local_database() as (engine, _):
        rows = [{"id": str(item.id), "name": item.name} for item in stock.list_stores(engine)]
    print_rows(rows, ("id", "name"), as_json)


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
    with local_database() as (engine, _):
        made = stock.receive_batch(engine, store, batch, product, serials, local_actor(role), current_moment())
    print_told({"id": str(made), "name": batch, "size": len(serials)}, as_json)


@command.command(name="balance")
@STORE
@JSON
def balance(store: uuid.UUID, as_json: bool) -> int:
    """What was delivered, and where every blank is.

    Exit codes: 0 every blank is accounted for, 1 some are not.
    """
    with local_database() as (engine, _):
        stock.require_store(engine, store)
        found = stock.balance_stock(engine, store)
    names = [state.value for state in BlankState]
    rows = [
        {"product": item.product, "delivered": item.delivered, **{name: item.states.get(name, 0) for name in names}}
        for item in found
    ]
    print_rows(rows, ("product", "delivered", *names), as_json)
    return 0 if all(item.is_even for item in found) else 1


@command.command(name="blanks")
@STORE
@click.option("--state", type=click.Choice([item.value for item in BlankState]), help="Only those.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many at most.")
@JSON
def blanks(store: uuid.UUID, state: str | None, limit: int, as_json: bool) -> None:
    """List blanks of a store, oldest first."""
    with local_database() as (engine, _):
        found = stock.list_blanks(engine, store, state=state, limit=limit)
    rows = [
        {
            "serial": item.serial,
            "state": item.state,
            "product": item.product,
            "order": None if item.order_id is None else str(item.order_id),
        }
        for item in found
    ]
    print_rows(rows, ("serial", "state", "product", "order"), as_json)


@command.command(name="count")
@STORE
@click.option("--serials", "serials_file", type=FILE, required=True, help="What lies there, one on each line.")
@MAKER
@JSON
def count(store: uuid.UUID, serials_file: Path, role: str, as_json: bool) -> int:
    """Compare a count by hand with the register; what is missing is noted.

    Exit codes: 0 they agree, 1 they differ.
    """
    with local_database() as (engine, _):
        found = stock.take_stock(engine, store, _read_serials(serials_file), local_actor(role), current_moment())
    told = {name: list(getattr(found, name)) for name in ("missing", "found_again", "unknown")}
    print_told({name: value if as_json else ", ".join(value) or "none" for name, value in told.items()}, as_json)
    return 1 if any(told.values()) else 0


@command.command(name="damage")
@click.argument("serial")
@STORE
@click.option("--cause", type=CAUSE, default="damaged", show_default=True, help="What is wrong with it.")
@MAKER
def damage(serial: str, store: uuid.UUID, cause: str, role: str) -> None:
    """A blank in the store is no good."""
    with local_database() as (engine, _):
        stock.spoil_in_store(engine, store, serial, cause, local_actor(role), current_moment())
    click.echo(f"{serial.upper()}: spoiled")


@command.command(name="destroy")
@click.argument("serial")
@STORE
@click.option("--witness", required=True, help="The second person, by identifier.")
@MAKER
def destroy(serial: str, store: uuid.UUID, witness: str, role: str) -> None:
    """Note that a spoiled blank was destroyed before a second person."""
    with local_database() as (engine, _):
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
    with local_database() as (engine, _):
        found = production.queued_orders(engine, state, local_actor(role), limit)
    columns = ("id", "state", "priority", "attempt", "profile", "deliver_to", "created_at")
    print_rows([describe_order(item) for item in found], columns, as_json)


@command.command(name="show")
@ORDER
@MAKER
@JSON
def show(order: uuid.UUID, role: str, as_json: bool) -> None:
    """Show an order, and with --json what was done to its card."""
    with local_database() as (engine, _):
        actor = local_actor(role)
        told = describe_order(production.view_order(engine, order, actor))
        journal = production.order_journal(engine, order, actor)
    steps = [{"step": item.step, "phase": item.phase, "at": item.at.isoformat()} for item in journal]
    print_told({**told, "steps": steps if as_json else len(steps)}, as_json)


@command.command(name="reserve")
@ORDER
@STORE
@MAKER
@JSON
def reserve(order: uuid.UUID, store: uuid.UUID, role: str, as_json: bool) -> None:
    """Reserve a blank for an order; it must have its stamp consumed."""
    with local_database() as (engine, _):
        found = production.reserve(engine, order, store, local_actor(role), current_moment())
    print_told(describe_order(found), as_json)


@command.command(name="release")
@ORDER
@MAKER
@JSON
def release(order: uuid.UUID, role: str, as_json: bool) -> None:
    """Give the blank of an order back, to which nothing was written."""
    with local_database() as (engine, _):
        print_told(describe_order(production.release(engine, order, local_actor(role), current_moment())), as_json)


command.add_command(write)


@command.command(name="pass")
@ORDER
@MAKER
@JSON
def pass_card(order: uuid.UUID, role: str, as_json: bool) -> None:
    """The finished card was looked at and is good."""
    with local_database() as (engine, _):
        print_told(describe_order(production.inspect_card(engine, order, local_actor(role), current_moment())), as_json)


@command.command(name="spoil")
@ORDER
@click.option("--cause", type=CAUSE, required=True, help="What is wrong with it.")
@MAKER
@JSON
def spoil(order: uuid.UUID, cause: str, role: str, as_json: bool) -> None:
    """The card of an order is no good; the next order is queued."""
    with local_database() as (engine, _):
        print_told(describe_order(production.spoil(engine, order, cause, local_actor(role), current_moment())), as_json)


# --- officers


@command.command(name="officer-key")
@click.argument("officer")
@click.argument("key", type=FILE)
@acting_as(Role.ADMINISTRATOR)
@JSON
def officer_key(officer: str, key: Path, role: str, as_json: bool) -> None:
    """Let an officer's key count: OFFICER as in his token, KEY a P-256 public key in PEM."""
    raw = encode_public_key(load_station_key(key))
    with local_database() as (engine, _):
        known = enrolment.register_officer_key(engine, officer, raw, local_actor(role), current_moment())
    print_told({"key_id": known.key_id.hex(), "officer": known.officer}, as_json)


def _read_serials(path: Path) -> list[str]:
    try:
        text = read_input(path, MAX_SERIALS, "list of serials").decode("ascii")
    except UnicodeDecodeError as failure:
        raise DecodeError(f"{path}: no list of serials", offset=failure.start) from failure
    return [line.strip() for line in text.splitlines() if line.strip()]
