"""DG8, DG9 and DG10: data, structure and substance features (Doc 9303-10 4.7.8 to 4.7.10).

Doc 9303 leaves their content to the issuing State: what stands in the template is kept as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import Tlv, decode_tlv, encode_tlv, encode_tlvs

DATA_FEATURES: Final = 0x68
STRUCTURE_FEATURES: Final = 0x69
SUBSTANCE_FEATURES: Final = 0x6A


@dataclass(frozen=True, slots=True)
class DG8:
    """DG8: data features, each a data object of the issuer's."""

    objects: tuple[Tlv, ...]
    raw: bytes = field(default=b"", repr=False, compare=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode_tlv(DATA_FEATURES, encode_tlvs(self.objects))


@dataclass(frozen=True, slots=True)
class DG9:
    """DG9: structure features, each a data object of the issuer's."""

    objects: tuple[Tlv, ...]
    raw: bytes = field(default=b"", repr=False, compare=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode_tlv(STRUCTURE_FEATURES, encode_tlvs(self.objects))


@dataclass(frozen=True, slots=True)
class DG10:
    """DG10: substance features, each a data object of the issuer's."""

    objects: tuple[Tlv, ...]
    raw: bytes = field(default=b"", repr=False, compare=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode_tlv(SUBSTANCE_FEATURES, encode_tlvs(self.objects))


def decode_dg8(raw: bytes) -> DG8:
    """Decode DG8.

    Raises:
        DecodeError: not this template, or its content is no data objects.
    """
    return DG8(decode_tlv(raw, DATA_FEATURES).children(), raw)


def decode_dg9(raw: bytes) -> DG9:
    """Decode DG9.

    Raises:
        DecodeError: not this template, or its content is no data objects.
    """
    return DG9(decode_tlv(raw, STRUCTURE_FEATURES).children(), raw)


def decode_dg10(raw: bytes) -> DG10:
    """Decode DG10.

    Raises:
        DecodeError: not this template, or its content is no data objects.
    """
    return DG10(decode_tlv(raw, SUBSTANCE_FEATURES).children(), raw)
