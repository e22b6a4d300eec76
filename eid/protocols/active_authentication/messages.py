"""INTERNAL AUTHENTICATE (Doc 9303-11 6.1.3)."""

from __future__ import annotations

from typing import Final

from eid.codec.apdu import MAX_SHORT_LE, CommandAPDU
from eid.codec.status_word import SW
from eid.errors import CommandRefused, LocalProtocolError
from eid.protocols.active_authentication.core import CHALLENGE_LENGTH

INTERNAL_AUTHENTICATE: Final = 0x88


def encode_internal_authenticate(challenge: bytes, le: int = MAX_SHORT_LE, *, extended: bool = False) -> CommandAPDU:
    """INTERNAL AUTHENTICATE with RND.IFD.

    Raises:
        LocalProtocolError: the challenge is not 8 octets.
    """
    if len(challenge) != CHALLENGE_LENGTH:
        raise LocalProtocolError("the challenge of Active Authentication has 8 octets")
    return CommandAPDU(0x00, INTERNAL_AUTHENTICATE, 0x00, 0x00, challenge, le=le, extended=extended)


def decode_internal_authenticate(command: CommandAPDU) -> bytes:
    """The challenge, 8 octets.

    Raises:
        CommandRefused: 6A86 wrong P1 or P2, 6700 another length.
    """
    if command.p1 or command.p2:
        raise CommandRefused(SW.WRONG_P1P2)
    if len(command.data) != CHALLENGE_LENGTH:
        raise CommandRefused(SW.WRONG_LENGTH, "a challenge has 8 octets")
    return command.data
