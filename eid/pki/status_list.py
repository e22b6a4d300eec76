"""Status lists: a few bits for each card of many, compressed (IETF Token Status List, draft 21, section 4).

The list alone proves nothing; `eid.pki.status_token` holds the signed form in which it is published.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum, unique
from functools import lru_cache
from typing import Final

from eid.errors import DecodeError, LifecycleError

SPECIFICATION: Final = "draft-ietf-oauth-status-list-21"
BITS: Final = (1, 2, 4, 8)
MAX_OCTETS: Final = 1 << 24  # of a list that is not compressed: 67 million cards at two bits
LEVEL: Final = 9  # 4.1 step 4: the highest level available


@unique
class StatusType(IntEnum):
    """What a list says of a card (7.1). Other values have no meaning here, and none of them is valid."""

    VALID = 0
    INVALID = 1
    SUSPENDED = 2


@dataclass(frozen=True, slots=True)
class StatusList:
    """Statuses by index.

    Args:
        bits: of each status: 1, 2, 4 or 8. octets: the byte array of 4.1, not compressed.

    Raises:
        DecodeError: another number of bits, or more octets than any list has.
    """

    bits: int
    octets: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise DecodeError("a status has 1, 2, 4 or 8 bits", clause=f"{SPECIFICATION} 4.1")
        if len(self.octets) > MAX_OCTETS:
            raise DecodeError(f"a status list of over {MAX_OCTETS} octets")

    @property
    def size(self) -> int:
        """How many statuses it has."""
        return len(self.octets) * 8 // self.bits

    def status(self, index: int) -> int:
        """The status at an index from 0; the lowest bits of an octet come first (4.1 step 3, 11.1).

        Raises:
            DecodeError: the list has no such index.
        """
        if not 0 <= index < self.size:
            raise DecodeError("the index is out of the status list's bounds", clause=f"{SPECIFICATION} 8.3")
        octet, place = divmod(index * self.bits, 8)
        return self.octets[octet] >> place & (1 << self.bits) - 1

    def compress(self) -> bytes:
        """The compressed byte array: DEFLATE in the ZLIB format."""
        return _compress(self.octets)


@lru_cache(maxsize=1)
def _compress(octets: bytes) -> bytes:
    """A list is published in two forms, one after the other; to compress it takes most of the time."""
    return zlib.compress(octets, LEVEL)


def build_status_list(size: int, bits: int, statuses: Iterable[tuple[int, int]]) -> StatusList:
    """A list of `size` statuses, all VALID but those that are named, as (index, status).

    Raises:
        LifecycleError: an index or a status does not fit the list, or the list is too large.
    """
    if bits not in BITS or not 1 <= size * bits <= 8 * MAX_OCTETS:
        raise LifecycleError(f"no status list has {size} statuses of {bits} bits")
    octets, highest, each = bytearray(-(-size * bits // 8)), (1 << bits) - 1, 8 // bits
    for index, status in statuses:
        if not 0 <= index < size or not 0 <= status <= highest:
            raise LifecycleError("a status or its index does not fit the status list")
        place = index % each * bits
        octets[index // each] = octets[index // each] & ~(highest << place) & 0xFF | status << place
    return StatusList(bits, bytes(octets))


def decompress_status_list(bits: int, compressed: bytes) -> StatusList:
    """A list from its compressed byte array; how much it may become is bounded.

    Raises:
        DecodeError: not one whole ZLIB stream, or of more octets than any list has.
    """
    stream = zlib.decompressobj()
    try:
        octets = stream.decompress(compressed, MAX_OCTETS + 1)
    except zlib.error:
        raise DecodeError("the status list is no ZLIB stream", clause="RFC 1950 2.2") from None
    if len(octets) <= MAX_OCTETS and (not stream.eof or stream.unused_data):
        raise DecodeError("the ZLIB stream of the status list is cut, or something trails", clause="RFC 1950 2.2")
    return StatusList(bits, octets)
