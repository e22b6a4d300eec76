"""EF.CardSecurity: the signed announcement of a chip's protocols and keys (Doc 9303-11 9.2.11, TR-03110-3 A.1.2.5).

It is SecurityInfos in a CMS SignedData. Only the syntax is read here; nothing is verified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec import der
from eid.codec.cms import SignedData, decode_signed_data
from eid.codec.defect import DefectCode, Defects, tolerate
from eid.errors import DecodeError
from eid.lds.security_infos import (
    ChipAuthenticationPublicKeyInfo,
    PACEInfo,
    SecurityInfo,
    decode_security_infos,
    find_pace_infos,
)

ID_SECURITY_OBJECT: Final = "0.4.0.127.0.7.3.2.1"
MAX_CARD_SECURITY: Final = 1 << 16  # octets
CLAUSE: Final = "TR-03110-3 A.1.2.5"


@dataclass(frozen=True, slots=True)
class CardSecurity:
    """EF.CardSecurity: the file as it stands, the CMS structure, and the SecurityInfos in it, in their order."""

    raw: bytes = field(repr=False)
    signed_data: SignedData
    security_infos: tuple[SecurityInfo, ...]

    @property
    def pace_infos(self) -> tuple[PACEInfo, ...]:
        """The PACE protocols that the chip announces; EF.CardAccess must have said the same."""
        return find_pace_infos(self.security_infos)

    @property
    def public_keys(self) -> tuple[ChipAuthenticationPublicKeyInfo, ...]:
        """The chip's static keys, of Chip Authentication 2 and of PACE with Chip Authentication Mapping."""
        return tuple(info for info in self.security_infos if isinstance(info, ChipAuthenticationPublicKeyInfo))

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """Certificates that the file carries, DER; in strict reading none or one, the signer's."""
        return self.signed_data.certificates


def decode_card_security(raw: bytes, defects: Defects = None) -> CardSecurity:
    """Decode EF.CardSecurity; the input must hold nothing else.

    Args:
        raw: DER, at most 65,536 octets.
        defects: where tolerable departures are recorded; without it they are refused.

    Raises:
        DecodeError: malformed, another content type than id-SecurityObject, more than one certificate, or another
            departure that is not tolerated (TR-03110-3 A.1.2.5).
    """
    der.check_input(raw, "EF.CardSecurity", MAX_CARD_SECURITY)
    signed_data = decode_signed_data(raw, defects)
    if signed_data.content_type != ID_SECURITY_OBJECT:
        raise DecodeError("eContentType is not id-SecurityObject", clause=CLAUSE)
    if len(signed_data.certificates) > 1:  # no signature covers the others
        tolerate(defects, DefectCode.CERTIFICATE_COUNT, "more than the signer's certificate", 0, CLAUSE)
    return CardSecurity(raw, signed_data, decode_security_infos(signed_data.content))
