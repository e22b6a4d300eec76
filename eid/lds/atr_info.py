"""EF.ATR/INFO: what the chip can do, of which extended length is needed here (Doc 9303-10 3.11.1).

::

    47   card capabilities (ISO/IEC 7816-4 8.1.1.2.7), the third octet says whether extended length is supported
    7F66 extended length information (ISO/IEC 7816-4 12.7.1)
      02   largest command APDU, octets
      02   largest response APDU, octets
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import Tlv, decode_tlvs, encode_tlv, encode_tlvs, find_tlv
from eid.errors import DecodeError

CLAUSE: Final = "Doc 9303-10 3.11.1"
CARD_CAPABILITIES: Final = 0x47
EXTENDED_LENGTH_INFORMATION: Final = 0x7F66
INTEGER: Final = 0x02
EXTENDED_LENGTH_FLAG: Final = 0x40  # bit 7 of the third octet of the card capabilities
CHAINING_FLAG: Final = 0x80  # bit 8 of it
MAX_LENGTH_OCTETS: Final = 4


@dataclass(frozen=True, slots=True)
class ExtendedLengthLimits:
    """The longest APDUs that the chip can take and give, whole APDUs in octets (ISO/IEC 7816-4 12.7.1)."""

    max_command: int
    max_response: int


@dataclass(frozen=True, slots=True)
class AtrInfo:
    """EF.ATR/INFO: its data objects as they stand, and the limits of extended length where it states them."""

    objects: tuple[Tlv, ...]
    extended_length_limits: ExtendedLengthLimits | None = None
    raw: bytes = field(default=b"", repr=False, compare=False)

    @property
    def card_capabilities(self) -> bytes | None:
        """One to three octets, or None where the file does not state them."""
        return next((item.value for item in self.objects if item.tag == CARD_CAPABILITIES), None)

    @property
    def supports_extended_length(self) -> bool:
        """Whether the card capabilities say that Lc and Le may be extended."""
        return self._says(EXTENDED_LENGTH_FLAG)

    @property
    def supports_chaining(self) -> bool:
        """Whether they say that a long command may come as a chain of short ones (ISO/IEC 7816-4 5.3.3)."""
        return self._says(CHAINING_FLAG)

    def _says(self, flag: int) -> bool:
        capabilities = self.card_capabilities or b""
        return len(capabilities) > 2 and bool(capabilities[2] & flag)

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode_tlvs(self.objects)


def build_atr_info(capabilities: bytes, limits: ExtendedLengthLimits | None = None) -> AtrInfo:
    """EF.ATR/INFO with the card capabilities and, where the chip has them, the limits of extended length."""
    objects: tuple[Tlv, ...] = (Tlv(CARD_CAPABILITIES, capabilities),)
    if limits is not None:
        content = b"".join(encode_tlv(INTEGER, _encode_length(n)) for n in (limits.max_command, limits.max_response))
        objects += (Tlv(EXTENDED_LENGTH_INFORMATION, content),)
    return AtrInfo(objects, limits)


def decode_atr_info(raw: bytes) -> AtrInfo:
    """Decode EF.ATR/INFO.

    Raises:
        DecodeError: not data objects, the card capabilities are doubled or not one to three octets, or the extended
            length information is not two lengths.
    """
    objects = decode_tlvs(raw)
    capabilities = find_tlv(objects, CARD_CAPABILITIES)
    if capabilities is not None and not 1 <= len(capabilities.value) <= 3:
        raise DecodeError("card capabilities are not one to three octets", clause=CLAUSE)
    information = find_tlv(objects, EXTENDED_LENGTH_INFORMATION)
    return AtrInfo(objects, None if information is None else _decode_limits(information), raw)


def _decode_limits(information: Tlv) -> ExtendedLengthLimits:
    lengths = information.children()
    if [item.tag for item in lengths] != [INTEGER, INTEGER]:
        raise DecodeError("extended length information is not two integers", clause=CLAUSE)
    return ExtendedLengthLimits(*(_decode_length(item.value) for item in lengths))


def _decode_length(value: bytes) -> int:
    # Read as unsigned: chips state 65535 as FFFF, without the octet that would make it positive
    if not 1 <= len(value) <= MAX_LENGTH_OCTETS or not any(value):
        raise DecodeError("length limit is zero, empty or over four octets", clause=CLAUSE)
    return int.from_bytes(value, "big")


def _encode_length(value: int) -> bytes:
    """At least two octets, as Doc 9303-10 3.11.1 shows it."""
    return value.to_bytes(max(2, (value.bit_length() + 7) // 8), "big")
