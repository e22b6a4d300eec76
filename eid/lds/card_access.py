"""EF.CardAccess: the unsigned announcement of PACE, readable before any access control (Doc 9303-11 9.2.11)."""

from __future__ import annotations

from dataclasses import dataclass, field

from eid.lds.security_infos import (
    PACEInfo,
    SecurityInfo,
    decode_security_infos,
    encode_security_infos,
    find_pace_infos,
)


@dataclass(frozen=True, slots=True)
class CardAccess:
    """EF.CardAccess: SecurityInfos in the order in which they stand."""

    security_infos: tuple[SecurityInfo, ...]
    raw: bytes = field(default=b"", repr=False, compare=False)

    @property
    def pace_infos(self) -> tuple[PACEInfo, ...]:
        """The PACE protocols that the chip announces."""
        return find_pace_infos(self.security_infos)

    def encode(self) -> bytes:
        """The file's bytes; the SET is sorted (X.690 11.6)."""
        return encode_security_infos(self.security_infos)


def decode_card_access(raw: bytes) -> CardAccess:
    """Decode EF.CardAccess.

    Raises:
        DecodeError: see `decode_security_infos`.
    """
    return CardAccess(decode_security_infos(raw), raw)
