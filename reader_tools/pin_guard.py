"""Before a PIN or PUK is asked for: what state it is in, and whether the last try may be spent."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from eid.errors import LastTryError, PasswordBlockedError, PasswordDeactivatedError, PasswordSuspendedError
from eid.inspection.pin import Authorization, PasswordReport, report_passwords
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import Connection, drive
from eid.protocols.pace.core import Password
from eid.protocols.pin.core import PinState, PinStatus
from reader_tools.secret_input import ask_can, ask_digits

USE_LAST_TRY = click.option(
    "--use-last-try", is_flag=True, help="Spend the last try, too; else it is asked for on a terminal, and refused."
)


def read_report(connection: Connection) -> PasswordReport:
    """What the card in a fresh session tells of its passwords; it is in a fresh session again after it."""
    report = drive(report_passwords(), connection)
    connection.reset()
    return report


def guard(status: PinStatus | None, password: PasswordId, use_last_try: bool, *, has_can: bool = True) -> bool:
    """Whether the last try is to be spent; what cannot succeed, or was not meant, is refused before anybody types.

    Args:
        status: what the card tells; None where it has no such password, or does not say.
        has_can: whether the CAN, which a suspended PIN needs, can be had.

    Raises:
        PasswordBlockedError, PasswordDeactivatedError, PasswordSuspendedError, LastTryError; click.Abort.
    """
    if status is None:
        raise click.UsageError(f"the card has no {password.name}")
    if status.state is PinState.BLOCKED:
        raise PasswordBlockedError(password.name)
    if status.state is PinState.DEACTIVATED:
        raise PasswordDeactivatedError(password.name)
    if status.tries_left is not None and status.tries_left > 1:
        click.echo(f"{status.tries_left} tries of the {password.name} are left", err=True)
    if status.tries_left != 1:
        return use_last_try
    if password is PasswordId.PIN and not has_can:
        raise PasswordSuspendedError(password.name)
    if not use_last_try and not sys.stdin.isatty():
        raise LastTryError(password.name)
    return use_last_try or click.confirm(f"{LastTryError(password.name)}. Spend it?", err=True, abort=True)


def authorize_by_pin(
    connection: Connection, pin_file: Path | None, can_file: Path | None, use_last_try: bool
) -> Authorization:
    """The PIN, and where it is suspended the CAN.

    Raises:
        what `guard` raises; DecodeError: what was given is not digits.
    """
    found = read_report(connection).pin
    last = guard(found, PasswordId.PIN, use_last_try)
    is_suspended = found is not None and found.state is PinState.SUSPENDED
    can = ask_can(can_file) if is_suspended else None
    return Authorization(Password(PasswordId.PIN, ask_digits(pin_file, "PIN")), can, last)
