"""Biometric data blocks of the extensible format, ISO/IEC 39794, in BER (Doc 9303-10 4.7.2, 4.7.3).

::

    7F2E biometric data block
      A1   in the standardised format
        65   FaceImageDataBlock, [APPLICATION 5]; 64 FingerImageDataBlock, [APPLICATION 4]
          A0   versionBlock: 80 generation, 81 year
          A1   representationBlocks
            30   RepresentationBlock, one for each image

Lengths are definite. Elements that nothing here reads are passed over: the format is made to be extended.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eid.codec import der
from eid.codec.tlv import Tlv, decode_tlv, encode_tlv, find_tlv, require_tlv
from eid.errors import DecodeError

CLAUSE: Final = "ISO/IEC 39794-1"
STANDARDISED: Final = 0xA1
VERSION_BLOCK: Final = 0xA0
REPRESENTATION_BLOCKS: Final = 0xA1
REPRESENTATION_BLOCK: Final = 0x30
MAX_REPRESENTATIONS: Final = 16
MAX_INTEGER_OCTETS: Final = 4
_VERSION: Final = der.encode_integer(3, 0x80) + der.encode_integer(2019, 0x81)  # generation 3, first editions


def is_extensible(data: bytes) -> bool:
    """Whether a biometric data block is of this format; records of ISO/IEC 19794 start with three letters."""
    return data[:1] == bytes((STANDARDISED,))


def decode_representations(data: bytes, tag: int) -> tuple[tuple[Tlv, ...], ...]:
    """The elements of each RepresentationBlock of a biometric data block.

    Args:
        data: value of 7F2E. tag: of the modality's data block, 64 or 65.

    Raises:
        DecodeError: another structure, no representation, or more than sixteen.
    """
    block = decode_tlv(decode_tlv(data, STANDARDISED).value, tag).children()
    require_tlv(block, VERSION_BLOCK)
    blocks = require_tlv(block, REPRESENTATION_BLOCKS).children()
    if not 1 <= len(blocks) <= MAX_REPRESENTATIONS or any(item.tag != REPRESENTATION_BLOCK for item in blocks):
        raise DecodeError("not one to sixteen representation blocks", clause=CLAUSE)
    return tuple(item.children() for item in blocks)


def encode_representations(tag: int, representations: Iterable[bytes]) -> bytes:
    """A biometric data block, the value of 7F2E, from the content of each RepresentationBlock."""
    blocks = b"".join(encode_tlv(REPRESENTATION_BLOCK, content) for content in representations)
    content = encode_tlv(VERSION_BLOCK, _VERSION) + encode_tlv(REPRESENTATION_BLOCKS, blocks)
    return encode_tlv(STANDARDISED, encode_tlv(tag, content))


def require_code(objects: tuple[Tlv, ...], tag: int) -> int:
    """A code that stands as CHOICE { code [0], extensionBlock [1] { fallback [0] } } under a tag.

    Raises:
        DecodeError: it is missing, malformed, or an extension without fallback.
    """
    choice = require_tlv(objects, tag).children()
    code = find_tlv(choice, 0x80)
    if code is None:
        code = require_tlv(require_tlv(choice, 0xA1).children(), 0x80)
    return decode_unsigned(code)


def encode_code(tag: int, code: int) -> bytes:
    """A code under a tag, as the first alternative of its CHOICE."""
    return encode_tlv(tag, der.encode_integer(code, 0x80))


def decode_unsigned(item: Tlv) -> int:
    """An INTEGER or ENUMERATED that is not negative, of one to four octets.

    Raises:
        DecodeError: it is something else.
    """
    if not 1 <= len(item.value) <= MAX_INTEGER_OCTETS or item.value[0] & 0x80:
        raise DecodeError(f"element {item.tag:X} is no unsigned integer of four octets", clause=CLAUSE)
    return int.from_bytes(item.value, "big")
