"""DG15: the chip's Active Authentication public key (Doc 9303-10 4.7.15)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec import der
from eid.codec.tlv import decode_tlv, encode_tlv

TAG: Final = 0x6F


@dataclass(frozen=True, slots=True)
class DG15:
    """DG15: a SubjectPublicKeyInfo, DER, as it stands; `eid.crypto` makes a key of it."""

    public_key_info: bytes = field(repr=False)
    raw: bytes = field(default=b"", repr=False, compare=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode_tlv(TAG, self.public_key_info)


def decode_dg15(raw: bytes) -> DG15:
    """Decode DG15.

    Raises:
        DecodeError: the content is not one SEQUENCE.
    """
    value = decode_tlv(raw, TAG).value
    der.read_sequence(value, "ActiveAuthenticationPublicKeyInfo")
    return DG15(value, raw)
