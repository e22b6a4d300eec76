"""Biometric information templates in the CBEFF structure of ISO/IEC 7816-11 (Doc 9303-10 4.7.2.1, tables 40 to 42).

::

    7F61 biometric information group template
      02   number of instances
      7F60 biometric information template, one for each instance
        A1   biometric header template (80 81 82 83 85 86 87 88)
        5F2E biometric data block, or 7F2E where it is itself data objects
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import Tlv, decode_tlv, encode_tlv, find_tlv, require_tlv
from eid.errors import DecodeError
from eid.lds.instances import COUNT, check_count, encode_count

CLAUSE: Final = "Doc 9303-10 4.7.2.1"
GROUP_TEMPLATE: Final = 0x7F61
TEMPLATE: Final = 0x7F60
HEADER: Final = 0xA1
DATA_BLOCK: Final = 0x5F2E
DATA_BLOCK_CONSTRUCTED: Final = 0x7F2E

FACIAL_FEATURES: Final = b"\x02"
OWNER_ISO_SC37: Final = bytes.fromhex("0101")
TYPE_ISO_19794_5: Final = bytes.fromhex("0008")
TYPE_ISO_39794_4: Final = bytes.fromhex("0028")
TYPE_ISO_39794_5: Final = bytes.fromhex("002A")


@dataclass(frozen=True, slots=True)
class BiometricHeader:
    """Biometric header template, each element as octets; None where it is absent (Doc 9303-10 table 41).

    Args:
        biometric_type: 02 facial features. subtype: 00 no information. created: YYYYMMDDhhmmss, packed BCD, 7 octets.
        validity: two dates, packed BCD, 8 octets. format_owner and format_type: of the biometric data block.
    """

    header_version: bytes | None = bytes.fromhex("0101")
    biometric_type: bytes | None = FACIAL_FEATURES
    subtype: bytes | None = b"\x00"
    created: bytes | None = None
    validity: bytes | None = None
    creator: bytes | None = None
    format_owner: bytes | None = OWNER_ISO_SC37
    format_type: bytes | None = TYPE_ISO_19794_5


_ELEMENTS: Final = (
    (0x80, "header_version"),
    (0x81, "biometric_type"),
    (0x82, "subtype"),
    (0x83, "created"),
    (0x85, "validity"),
    (0x86, "creator"),
    (0x87, "format_owner"),
    (0x88, "format_type"),
)


@dataclass(frozen=True, slots=True)
class BiometricTemplate:
    """One biometric information template: header, and the biometric data block as it stands, with its tag."""

    header: BiometricHeader
    data: bytes = field(repr=False)
    data_tag: int = DATA_BLOCK


def decode_biometric_group(raw: bytes) -> tuple[BiometricTemplate, ...]:
    """Decode a biometric information group template, 7F61.

    Raises:
        DecodeError: the structure is broken, or the number of instances is wrong (Doc 9303-10 4.7.2.1).
    """
    objects = decode_tlv(raw, GROUP_TEMPLATE).children()
    templates = tuple(_decode_template(item) for item in objects if item.tag == TEMPLATE)
    if len(templates) + 1 != len(objects):
        raise DecodeError("something else than templates in a biometric group", clause=CLAUSE)
    check_count((item for item in objects if item.tag == COUNT), len(templates), CLAUSE)
    return templates


def encode_biometric_group(templates: tuple[BiometricTemplate, ...]) -> bytes:
    """Encode a biometric information group template, 7F61."""
    return encode_tlv(GROUP_TEMPLATE, encode_count(len(templates)) + b"".join(map(_encode_template, templates)))


def _decode_template(template: Tlv) -> BiometricTemplate:
    objects = template.children()
    header = require_tlv(objects, HEADER).children()
    block = find_tlv(objects, DATA_BLOCK) or require_tlv(objects, DATA_BLOCK_CONSTRUCTED)
    values = {name: None if (item := find_tlv(header, tag)) is None else item.value for tag, name in _ELEMENTS}
    return BiometricTemplate(BiometricHeader(**values), block.value, block.tag)


def _encode_template(template: BiometricTemplate) -> bytes:
    values = ((tag, getattr(template.header, name)) for tag, name in _ELEMENTS)
    header = b"".join(encode_tlv(tag, value) for tag, value in values if value is not None)
    return encode_tlv(TEMPLATE, encode_tlv(HEADER, header) + encode_tlv(template.data_tag, template.data))
