"""Commands of PIN management (TR-03110-3 B.7)."""

from __future__ import annotations

from typing import Final

from eid.codec.apdu import CommandAPDU
from eid.profile.card_image import PasswordId

RESET_RETRY_COUNTER: Final = 0x2C
ACTIVATE: Final = 0x44
DEACTIVATE: Final = 0x04
NEW_VALUE: Final = 0x02  # P1: data are the new value
COUNTER_ONLY: Final = 0x03  # P1: no data
PASSWORD: Final = 0x10  # P1 of ACTIVATE and DEACTIVATE


def encode_change(password: PasswordId, value: bytes) -> CommandAPDU:
    """RESET RETRY COUNTER with a new value."""
    return CommandAPDU(0x00, RESET_RETRY_COUNTER, NEW_VALUE, password, value)


def encode_unblock(password: PasswordId) -> CommandAPDU:
    """RESET RETRY COUNTER without data."""
    return CommandAPDU(0x00, RESET_RETRY_COUNTER, COUNTER_ONLY, password)


def encode_activate(password: PasswordId) -> CommandAPDU:
    """ACTIVATE of a password."""
    return CommandAPDU(0x00, ACTIVATE, PASSWORD, password)


def encode_deactivate(password: PasswordId) -> CommandAPDU:
    """DEACTIVATE of a password."""
    return CommandAPDU(0x00, DEACTIVATE, PASSWORD, password)
