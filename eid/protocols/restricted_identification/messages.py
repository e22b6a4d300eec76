"""Data objects of Restricted Identification (TR-03110-3 B.4). MSE:Set AT is that of Chip Authentication."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.apdu import MAX_SHORT_LE, CommandAPDU
from eid.codec.tlv import Tlv, decode_tlv, encode_tlv, find_tlv
from eid.errors import DecodeError

GENERAL_AUTHENTICATE: Final = 0x86
DO_DYNAMIC_AUTHENTICATION: Final = 0x7C
DO_FIRST_KEY: Final = 0xA0
DO_SECOND_KEY: Final = 0xA2
DO_FIRST_IDENTIFIER: Final = 0x81
DO_SECOND_IDENTIFIER: Final = 0x83
_CLAUSE: Final = "TR-03110-3 B.4"


@dataclass(frozen=True, slots=True)
class Pair:
    """Something for the first sector, for the second, or for both.

    In the command the public keys' data objects without tag 7F49, in the answer the sector-specific identifiers.
    """

    first: bytes | None = field(default=None, repr=False)
    second: bytes | None = field(default=None, repr=False)


def encode_general_authenticate(keys: Pair) -> CommandAPDU:
    """GENERAL AUTHENTICATE with one sector's public key, or two; never chained."""
    data = encode_tlv(DO_DYNAMIC_AUTHENTICATION, _encode(keys, DO_FIRST_KEY, DO_SECOND_KEY))
    return CommandAPDU(0x00, GENERAL_AUTHENTICATE, 0x00, 0x00, data, le=MAX_SHORT_LE)


def decode_general_authenticate(data: bytes) -> Pair:
    """The sectors' public keys.

    Raises:
        DecodeError: not 7C with one key or both.
    """
    return _decode(data, DO_FIRST_KEY, DO_SECOND_KEY)


def encode_answer(identifiers: Pair) -> bytes:
    """The response data."""
    return encode_tlv(DO_DYNAMIC_AUTHENTICATION, _encode(identifiers, DO_FIRST_IDENTIFIER, DO_SECOND_IDENTIFIER))


def decode_answer(data: bytes) -> Pair:
    """The sector-specific identifiers.

    Raises:
        DecodeError: not 7C with one identifier or both.
    """
    return _decode(data, DO_FIRST_IDENTIFIER, DO_SECOND_IDENTIFIER)


def _encode(pair: Pair, first: int, second: int) -> bytes:
    items = ((first, pair.first), (second, pair.second))
    return b"".join(encode_tlv(tag, value) for tag, value in items if value is not None)


def _decode(data: bytes, first: int, second: int) -> Pair:
    objects = decode_tlv(data, DO_DYNAMIC_AUTHENTICATION).children()
    tags = [item.tag for item in objects]
    if not tags or tags not in ([first], [second], [first, second]):
        raise DecodeError("one sector or two are meant", clause=_CLAUSE)
    return Pair(_value(find_tlv(objects, first)), _value(find_tlv(objects, second)))


def _value(item: Tlv | None) -> bytes | None:
    return None if item is None else item.value
