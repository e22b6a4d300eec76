"""INITIALIZE UPDATE and EXTERNAL AUTHENTICATE, encoded and decoded (GPC Card Specification Amendment D v1.1.1, 7.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.apdu import CommandAPDU
from eid.errors import DecodeError
from eid.protocols.scp03.core import (
    CHALLENGE_LENGTH,
    CRYPTOGRAM_LENGTH,
    KDD_LENGTH,
    SCP03,
    SEQUENCE_LENGTH,
    IParameter,
    SecurityLevel,
)

CLA_GP: Final = 0x80
INS_INITIALIZE_UPDATE: Final = 0x50
INS_EXTERNAL_AUTHENTICATE: Final = 0x82
_FIXED_LENGTH: Final = KDD_LENGTH + 3 + CHALLENGE_LENGTH + CRYPTOGRAM_LENGTH
_CLAUSE: Final = "GPC Amendment D 7.1.1"


@dataclass(frozen=True, slots=True)
class InitializeUpdate:
    """The terminal's opening: key version wanted (0: the card's first), host challenge of 8 octets."""

    key_version: int
    host_challenge: bytes = field(repr=False)

    def encode(self) -> CommandAPDU:
        """The command; key identifier 0."""
        return CommandAPDU(CLA_GP, INS_INITIALIZE_UPDATE, self.key_version, 0x00, self.host_challenge, 256)


def decode_initialize_update(command: CommandAPDU) -> InitializeUpdate:
    """Read the command.

    Raises:
        DecodeError: P2 or the challenge's length is wrong.
    """
    if command.p2 or len(command.data) != CHALLENGE_LENGTH:
        raise DecodeError("INITIALIZE UPDATE wants P2 00 and a host challenge of 8 octets", clause=_CLAUSE)
    return InitializeUpdate(command.p1, command.data)


@dataclass(frozen=True, slots=True)
class InitializeUpdateResponse:
    """The card's answer.

    Args:
        kdd: key diversification data, 10 octets. key_version, i: one octet each.
        card_challenge, card_cryptogram: 8 octets each.
        sequence: sequence counter where the challenge is pseudo-random, else None.
    """

    kdd: bytes
    key_version: int
    i: int
    card_challenge: bytes = field(repr=False)
    card_cryptogram: bytes = field(repr=False)
    sequence: int | None = None

    def encode(self) -> bytes:
        """The response data field, 29 or 32 octets."""
        tail = b"" if self.sequence is None else self.sequence.to_bytes(SEQUENCE_LENGTH, "big")
        key_information = bytes((self.key_version, SCP03, self.i))
        return self.kdd + key_information + self.card_challenge + self.card_cryptogram + tail


def decode_initialize_update_response(data: bytes) -> InitializeUpdateResponse:
    """Read the response data field.

    Raises:
        DecodeError: the length is wrong for "i", or the protocol is not SCP03.
    """
    if len(data) < _FIXED_LENGTH:
        raise DecodeError(f"response to INITIALIZE UPDATE has {len(data)} octets", clause=_CLAUSE)
    key_version, protocol, i = data[KDD_LENGTH : KDD_LENGTH + 3]
    if protocol != SCP03:
        raise DecodeError(f"the card speaks SCP {protocol:02X}, not 03", offset=KDD_LENGTH + 1, clause=_CLAUSE)
    pseudo_random = bool(i & IParameter.PSEUDO_RANDOM)
    if len(data) != _FIXED_LENGTH + (SEQUENCE_LENGTH if pseudo_random else 0):
        raise DecodeError(f"response to INITIALIZE UPDATE has {len(data)} octets", clause=_CLAUSE)
    start = KDD_LENGTH + 3
    return InitializeUpdateResponse(
        kdd=data[:KDD_LENGTH],
        key_version=key_version,
        i=i,
        card_challenge=data[start : start + CHALLENGE_LENGTH],
        card_cryptogram=data[start + CHALLENGE_LENGTH : _FIXED_LENGTH],
        sequence=int.from_bytes(data[_FIXED_LENGTH:], "big") if pseudo_random else None,
    )


@dataclass(frozen=True, slots=True)
class ExternalAuthenticate:
    """The terminal's proof: security level and host cryptogram of 8 octets; the C-MAC is the channel's."""

    level: SecurityLevel
    host_cryptogram: bytes = field(repr=False)

    def encode(self) -> CommandAPDU:
        """The command before its C-MAC."""
        return CommandAPDU(CLA_GP, INS_EXTERNAL_AUTHENTICATE, self.level, 0x00, self.host_cryptogram)


def decode_external_authenticate(command: CommandAPDU) -> ExternalAuthenticate:
    """Read the command, its C-MAC cut off.

    Raises:
        DecodeError: unknown level, wrong P2, wrong length of the cryptogram.
    """
    try:
        level = SecurityLevel(command.p1)
    except ValueError:
        raise DecodeError(f"no security level {command.p1:02X}", clause="GPC Amendment D 7.1.2") from None
    if command.p2 or len(command.data) != CRYPTOGRAM_LENGTH:
        raise DecodeError("EXTERNAL AUTHENTICATE wants P2 00 and 8 octets", clause="GPC Amendment D 7.1.2")
    return ExternalAuthenticate(level, command.data)
