"""Padding method 2 of ISO/IEC 9797-1: one octet 80, then as few octets 00 as fill the block."""

from __future__ import annotations

from eid.errors import DecodeError

_CLAUSE = "ISO/IEC 9797-1 6.3.3"


def pad(data: bytes, block_size: int) -> bytes:
    """`data` padded to a multiple of `block_size` octets; always adds at least one octet."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block_size)


def unpad(data: bytes, block_size: int) -> bytes:
    """`data` without its padding, which must be the shortest that fills the block.

    Only call it on data whose MAC has been verified: what it raises tells a stranger about the plaintext.

    Raises:
        DecodeError: not whole blocks, or no padding of this method within the last block.
    """
    if not data or len(data) % block_size:
        raise DecodeError("padded data is not a whole number of blocks", clause=_CLAUSE)
    stripped = data.rstrip(b"\x00")
    if stripped[-1:] != b"\x80" or len(data) - len(stripped) >= block_size:
        raise DecodeError("padding octets are not 80 00..00", clause=_CLAUSE)
    return stripped[:-1]
