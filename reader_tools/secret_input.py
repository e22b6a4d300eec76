"""Secrets come from a hidden prompt or from a file, never from the command line, where everybody can read them.

A file holds the secret on its only line. For the MRZ it holds the whole zone, its lines as printed, or on one line what
opens the chip: document number, date of birth and date of expiry (YYMMDD), parted by blanks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from eid.errors import DecodeError
from eid.mrz import build_mrz_information, decode_mrz
from eid.profile.card_image import MAX_PIN_LENGTH, MIN_PIN_LENGTH
from eid.services.input_file import read_input

MAX_SECRET: Final = 4096  # octets of a file
PIN_LENGTHS: Final = range(MIN_PIN_LENGTH, MAX_PIN_LENGTH + 1)
CAN_LENGTHS: Final = range(4, 17)  # six digits in Doc 9303-11 4.4.1; national cards have others


def read_secret_line(path: Path, what: str) -> str:
    """The only line of a file.

    Raises:
        DecodeError: it cannot be read, or is not one line of UTF-8 text.
    """
    lines = _read_text(path, what).splitlines()
    if len(lines) != 1 or not lines[0]:
        raise DecodeError(f"{path}: not one line with the {what}")
    return lines[0]


def ask_can(path: Path | None) -> bytes:
    """The card access number, digits in ASCII.

    Raises:
        DecodeError: it is not digits. click.Abort: nothing was typed.
    """
    if path is None:
        typed: str = click.prompt("Card access number (CAN)", hide_input=True, err=True)
        can = typed.strip()
    else:
        can = read_secret_line(path, "CAN").strip()
    if not (can.isascii() and can.isdecimal() and len(can) in CAN_LENGTHS):
        raise DecodeError("the card access number is not digits, six as a rule", clause="Doc 9303-11 4.4.1")
    return can.encode("ascii")


def ask_digits(path: Path | None, what: str, *, confirm: bool = False) -> bytes:
    """A PIN or PUK, 4 to 16 digits in ASCII; a wrong number of them is told before the card counts a try.

    Args:
        confirm: it is a new one: typed twice.

    Raises:
        DecodeError: it is not digits. click.Abort: nothing was typed.
    """
    if path is None:
        typed: str = click.prompt(what, hide_input=True, confirmation_prompt=confirm, err=True)
        digits = typed.strip()
    else:
        digits = read_secret_line(path, what).strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) in PIN_LENGTHS):
        raise DecodeError(f"the {what} is not {PIN_LENGTHS[0]} to {PIN_LENGTHS[-1]} digits", clause="TR-03110-2 2.2.1")
    return digits.encode("ascii")


def ask_mrz_information(path: Path | None) -> bytes:
    """What opens a chip by its MRZ: document number, birth and expiry with their check digits (Doc 9303-11 4.3.2).

    Raises:
        DecodeError: the zone is malformed. RecordError: a typed value is. click.Abort: nothing was typed.
    """
    if path is not None:
        return _information(_read_text(path, "MRZ")).encode("ascii")
    names = ("Document number", "Date of birth (YYMMDD)", "Date of expiry (YYMMDD)")
    number, birth, expiry = (str(click.prompt(name, hide_input=True, err=True)).strip() for name in names)
    return build_mrz_information(number.upper(), birth, expiry).encode("ascii")


def _information(text: str) -> str:
    parts = text.split()
    if len(parts) == 3 and len(parts[1]) == len(parts[2]) == 6:
        return build_mrz_information(parts[0].upper(), parts[1], parts[2])
    return decode_mrz(parts).information if len(parts) > 1 else decode_mrz(text).information


def _read_text(path: Path, what: str) -> str:
    try:
        return read_input(path, MAX_SECRET, f"file with the {what}").decode("utf-8")
    except UnicodeDecodeError as failure:
        raise DecodeError(f"{path}: not text") from failure
