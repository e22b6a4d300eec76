"""Data object 02, the number of instances that follow it (Doc 9303-10 4.7.2, 4.7.7, 4.7.11)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eid.codec.tlv import Tlv, encode_tlv, find_tlv
from eid.errors import DecodeError

COUNT: Final = 0x02
MAX_INSTANCES: Final = 99


def encode_count(count: int) -> bytes:
    """The data object for `count` instances."""
    return encode_tlv(COUNT, bytes((count,)))


def check_count(objects: Iterable[Tlv], actual: int, clause: str) -> None:
    """Insist that the data object is there and states the number of instances, 1 to 99.

    Raises:
        DecodeError: it is missing, or states something else.
    """
    stated = find_tlv(objects, COUNT)
    if stated is None or stated.value != bytes((actual,)) or not 1 <= actual <= MAX_INSTANCES:
        raise DecodeError(f"number of instances is not stated as {actual}", clause=clause)
