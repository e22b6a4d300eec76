"""EF.CVCA: the names of the card's trust points for Terminal Authentication, newest first (TR-03110-1, EF.CVCA).

After BAC a terminal learns here which certificate chain the card will take; PACE tells the same by itself. The card
keeps the file up to date. It is 36 octets: one or two data objects 42, then zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eid.codec import cv_tags
from eid.codec.cv import decode_reference
from eid.codec.tlv import decode_tlvs, encode_tlv
from eid.errors import DecodeError

SIZE: Final = 36
MAX_REFERENCES: Final = 2
CLAUSE: Final = "TR-03110-1, EF.CVCA"


def encode_ef_cvca(references: Sequence[str]) -> bytes:
    """The file's bytes, of the names of at most two trust points, newest first, each of at most 16 characters."""
    names = b"".join(
        encode_tlv(cv_tags.AUTHORITY_REFERENCE, reference.encode("latin-1"))
        for reference in references[:MAX_REFERENCES]
    )
    return names.ljust(SIZE, b"\x00")


def decode_ef_cvca(raw: bytes) -> tuple[str, ...]:
    """The names of the trust points, newest first.

    Raises:
        DecodeError: not one or two references followed by zeros.
    """
    objects = decode_tlvs(raw.rstrip(b"\x00"))
    if not 1 <= len(objects) <= MAX_REFERENCES or any(item.tag != cv_tags.AUTHORITY_REFERENCE for item in objects):
        raise DecodeError("EF.CVCA does not hold one or two certification authority references", clause=CLAUSE)
    return tuple(decode_reference(item.value) for item in objects)
