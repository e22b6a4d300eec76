"""Commands of Basic Access Control (Doc 9303-11 4.3.4)."""

from __future__ import annotations

from typing import Final

from eid.codec.apdu import MAX_SHORT_LE, CommandAPDU
from eid.codec.status_word import SW
from eid.errors import CommandRefused
from eid.protocols.bac.core import NONCE_LENGTH, TOKEN_LENGTH

GET_CHALLENGE: Final = 0x84
EXTERNAL_AUTHENTICATE: Final = 0x82


def encode_get_challenge() -> CommandAPDU:
    """GET CHALLENGE for 8 octets (Doc 9303-11 4.3.4.1)."""
    return CommandAPDU(0x00, GET_CHALLENGE, 0x00, 0x00, le=NONCE_LENGTH)


def encode_external_authenticate(token: bytes) -> CommandAPDU:
    """EXTERNAL AUTHENTICATE with E.IFD || M.IFD (Doc 9303-11 4.3.4.2)."""
    return CommandAPDU(0x00, EXTERNAL_AUTHENTICATE, 0x00, 0x00, token, le=TOKEN_LENGTH)


def check_get_challenge(command: CommandAPDU) -> None:
    """Refuse what is not GET CHALLENGE for 8 octets.

    Raises:
        CommandRefused: 6A86 wrong P1 or P2, 6700 wrong length.
    """
    if command.p1 or command.p2:
        raise CommandRefused(SW.WRONG_P1P2)
    if command.data or command.le not in (NONCE_LENGTH, MAX_SHORT_LE):
        raise CommandRefused(SW.WRONG_LENGTH, "a challenge has 8 octets")


def decode_external_authenticate(command: CommandAPDU) -> bytes:
    """The token of EXTERNAL AUTHENTICATE, 40 octets.

    Raises:
        CommandRefused: 6A86 wrong P1 or P2, 6700 wrong length.
    """
    if command.p1 or command.p2:
        raise CommandRefused(SW.WRONG_P1P2)
    if len(command.data) != TOKEN_LENGTH:
        raise CommandRefused(SW.WRONG_LENGTH, "E.IFD || M.IFD has 40 octets")
    return command.data
