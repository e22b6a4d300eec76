"""The maths of SCP03, the same for both ends (GPC Card Specification Amendment D v1.1.1, clauses 4 and 6.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag, unique
from typing import TYPE_CHECKING, Final

from eid.crypto.kdf import sp800_108
from eid.crypto.mac import cmac
from eid.keystore.ports import StaticKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from eid.keystore.ports import CardKeys

CHALLENGE_LENGTH: Final = 8
CRYPTOGRAM_LENGTH: Final = 8
MAC_LENGTH: Final = 8
KDD_LENGTH: Final = 10
SEQUENCE_LENGTH: Final = 3
MAX_SEQUENCE: Final = (1 << 8 * SEQUENCE_LENGTH) - 1
SCP03: Final = 0x03
INITIAL_CHAINING_VALUE: Final = bytes(16)
KEY_CHECK_VALUE_LENGTH: Final = 3


@unique
class DerivationConstant(IntEnum):
    """What is derived (Amendment D, table 4-1)."""

    CARD_CRYPTOGRAM = 0x00
    HOST_CRYPTOGRAM = 0x01
    CARD_CHALLENGE = 0x02
    S_ENC = 0x04
    S_MAC = 0x06
    S_RMAC = 0x07


class IParameter(IntFlag):
    """The "i" parameter: what the card can do (Amendment D, table 5-1)."""

    PSEUDO_RANDOM = 0x10
    R_MAC = 0x20
    R_ENCRYPTION = 0x40


@unique
class SecurityLevel(IntEnum):
    """P1 of EXTERNAL AUTHENTICATE (Amendment D, table 7-4). Level 00 protects nothing and is not offered."""

    C_MAC = 0x01
    C_DECRYPTION_C_MAC = 0x03
    C_MAC_R_MAC = 0x11
    C_DECRYPTION_C_MAC_R_MAC = 0x13
    C_DECRYPTION_R_ENCRYPTION_C_MAC_R_MAC = 0x33

    @property
    def c_decryption(self) -> bool:
        """Whether command data is encrypted."""
        return bool(self & 0x02)

    @property
    def r_mac(self) -> bool:
        """Whether responses carry a MAC."""
        return bool(self & 0x10)

    @property
    def r_encryption(self) -> bool:
        """Whether response data is encrypted."""
        return bool(self & 0x20)

    def is_within(self, i: int) -> bool:
        """Whether a card with this "i" parameter offers the level."""
        return (not self.r_mac or bool(i & IParameter.R_MAC)) and (
            not self.r_encryption or bool(i & IParameter.R_ENCRYPTION)
        )


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """S-ENC, S-MAC and S-RMAC, each as long as the static keys (Amendment D 4.1.4)."""

    s_enc: bytes = field(repr=False)
    s_mac: bytes = field(repr=False)
    s_rmac: bytes = field(repr=False)


def derive_session_keys(keys: CardKeys, host_challenge: bytes, card_challenge: bytes) -> SessionKeys:
    """The session keys of one channel; the context is host challenge, card challenge (Amendment D 6.2.1)."""
    context = host_challenge + card_challenge
    bits = 8 * keys.key_length
    return SessionKeys(
        s_enc=sp800_108(_prf(keys, StaticKey.ENC), DerivationConstant.S_ENC, context, bits),
        s_mac=sp800_108(_prf(keys, StaticKey.MAC), DerivationConstant.S_MAC, context, bits),
        s_rmac=sp800_108(_prf(keys, StaticKey.MAC), DerivationConstant.S_RMAC, context, bits),
    )


def derive_card_challenge(keys: CardKeys, sequence: int, aid: bytes) -> bytes:
    """The pseudo-random card challenge, 8 octets, from the sequence counter and the AID (Amendment D 6.2.2.1)."""
    context = sequence.to_bytes(SEQUENCE_LENGTH, "big") + aid
    return sp800_108(_prf(keys, StaticKey.ENC), DerivationConstant.CARD_CHALLENGE, context, 8 * CHALLENGE_LENGTH)


def derive_card_cryptogram(session: SessionKeys, host_challenge: bytes, card_challenge: bytes) -> bytes:
    """What proves the card's keys, 8 octets (Amendment D 6.2.2.2)."""
    return _cryptogram(session, DerivationConstant.CARD_CRYPTOGRAM, host_challenge + card_challenge)


def derive_host_cryptogram(session: SessionKeys, host_challenge: bytes, card_challenge: bytes) -> bytes:
    """What proves the terminal's keys, 8 octets (Amendment D 6.2.2.3)."""
    return _cryptogram(session, DerivationConstant.HOST_CRYPTOGRAM, host_challenge + card_challenge)


def _cryptogram(session: SessionKeys, constant: DerivationConstant, context: bytes) -> bytes:
    return sp800_108(lambda message: cmac(session.s_mac, message), constant, context, 8 * CRYPTOGRAM_LENGTH)


def _prf(keys: CardKeys, key: StaticKey) -> Callable[[bytes], bytes]:
    return lambda message: keys.cmac(key, message)
