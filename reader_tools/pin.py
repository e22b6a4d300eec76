"""`eid pin`: what state a card's PIN is in; change, resume and unblock it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from eid.inspection.pin import Authorization, change, unblock, use_pin
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.protocols.pin.core import PinState, PinStatus
from reader_tools.card_connection import connect
from reader_tools.command_group import CommandGroup
from reader_tools.pin_guard import USE_LAST_TRY, authorize_by_pin, guard, read_report
from reader_tools.secret_input import ask_digits
from reader_tools.values import FILE

FORMAT: Final = "eid-pin-status"
VERSION: Final = 1
EXAMPLES: Final = """\b
Examples:
  eid pin status --reader ACR
  eid pin change --card-file card.bin
  eid pin resume --card-file card.bin --can-file can.txt
  eid pin unblock --card-file card.bin --puk-file puk.txt

\b
PIN, PUK and CAN are prompted for and never shown, or read from files of one line.
Before a PIN is asked for the card is asked how many tries are left, which costs none.
The last try is spent only with --use-last-try, or when a person at a terminal says so.
"""
_CARD: Final = (
    click.option("--reader", help="Reader by name, part of its name, or index; default: the first that holds a card."),
    click.option("--card-file", type=FILE, help="A virtual card's file, used in this process, instead of a reader."),
    click.option("--wait", type=click.FloatRange(0, 3600), default=0.0, help="Seconds to wait for a card."),
)
_PIN_FILE: Final = click.option("--pin-file", type=FILE, help="File whose only line is the PIN; else a prompt.")
_CAN_FILE: Final = click.option("--can-file", type=FILE, help="File whose only line is the CAN; else a prompt.")
_WORDS: Final = {
    PinState.USABLE: "usable",
    PinState.SUSPENDED: "suspended: the CAN resumes it (eid pin resume)",
    PinState.BLOCKED: "blocked: the PUK unblocks it (eid pin unblock)",
    PinState.DEACTIVATED: "deactivated: an authority activates it",
}


def _of_a_card(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_CARD):
        function = option(function)
    return function


@click.group(name="pin", cls=CommandGroup, epilog=EXAMPLES)
def command() -> None:
    """The PIN of a card: status, change, resume, unblock.

    Exit codes: 69 no reader or card, 76 the card or the link broke the protocol, 77 wrong PIN, PUK or CAN,
    80 the PIN is suspended or only the last try is left, 81 blocked, 82 deactivated.
    """


@command.command(name="status")
@_of_a_card
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(reader: str | None, card_file: Path | None, wait: float, as_json: bool) -> None:
    """Say in what state PIN and PUK are, and how many tries are left. No try is spent.

    A card counts down only after a wrong try: where it says nothing all tries are left.
    """
    with connect(reader, card_file, wait) as (connection, _):
        report = read_report(connection)
    told = {"PIN": report.pin, "PUK": report.puk}
    if as_json:
        passwords = {name.lower(): _to_json(item) for name, item in told.items()}
        click.echo(json.dumps({"format": FORMAT, "version": VERSION, **passwords}, indent=2))
        return
    for name, item in told.items():
        click.echo(f"{name}: {_describe(item, name)}")


@command.command(name="change")
@_of_a_card
@_PIN_FILE
@click.option("--new-pin-file", type=FILE, help="File whose only line is the new PIN; else it is typed twice.")
@_CAN_FILE
@USE_LAST_TRY
def change_command(
    reader: str | None,
    card_file: Path | None,
    wait: float,
    pin_file: Path | None,
    new_pin_file: Path | None,
    can_file: Path | None,
    use_last_try: bool,
) -> None:
    """Set a new PIN, with the old one. The CAN is asked for only where the PIN is suspended."""
    with connect(reader, card_file, wait) as (connection, _):
        authorization = authorize_by_pin(connection, pin_file, can_file, use_last_try)
        new_pin = ask_digits(new_pin_file, "New PIN", confirm=True)
        drive(change(authorization, new_pin), connection)
    click.echo("the PIN is changed", err=True)


@command.command(name="resume")
@_of_a_card
@_PIN_FILE
@_CAN_FILE
@USE_LAST_TRY
def resume(
    reader: str | None,
    card_file: Path | None,
    wait: float,
    pin_file: Path | None,
    can_file: Path | None,
    use_last_try: bool,
) -> None:
    """Show a suspended PIN after the CAN: the right one gets all its tries back, a wrong one is blocked."""
    with connect(reader, card_file, wait) as (connection, _):
        drive(use_pin(authorize_by_pin(connection, pin_file, can_file, use_last_try)), connection)
    click.echo("the PIN is right, and has all its tries", err=True)


@command.command(name="unblock")
@_of_a_card
@click.option("--puk-file", type=FILE, help="File whose only line is the PUK; else a prompt.")
@USE_LAST_TRY
def unblock_command(
    reader: str | None, card_file: Path | None, wait: float, puk_file: Path | None, use_last_try: bool
) -> None:
    """Give the PIN all its tries back, with the PUK; its value stays."""
    with connect(reader, card_file, wait) as (connection, _):
        last = guard(read_report(connection).puk, PasswordId.PUK, use_last_try)
        puk = Password(PasswordId.PUK, ask_digits(puk_file, "PUK"))
        drive(unblock(Authorization(puk, use_last_try=last)), connection)
    click.echo("the PIN has all its tries again", err=True)


def _describe(status: PinStatus | None, name: str) -> str:
    if status is None:
        return "the card has none"
    state = _WORDS[status.state]
    if name == "PUK":  # the CAN resumes no PUK, and nothing unblocks it
        state = "blocked for ever" if status.state is PinState.BLOCKED else "usable"
    return state if status.tries_left is None else f"{state}; tries left: {status.tries_left}"


def _to_json(status: PinStatus | None) -> dict[str, object] | None:
    return None if status is None else {"state": status.state.value, "tries_left": status.tries_left}
