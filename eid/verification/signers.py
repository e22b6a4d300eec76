"""Document signers' certificates, decoded once: one signer stands behind many documents.

A memory of pure functions, keyed by the octets themselves, so it changes no outcome; every signature is verified anew.
It is bounded: whoever sends certificates of his own only pushes others out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from functools import lru_cache
from typing import Final, TypeVar

from eid.codec.defect import Defect, DefectCode, Defects
from eid.codec.x509 import Certificate, decode_certificate
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import PublicKey
from eid.errors import DecodeError

T = TypeVar("T")
REMEMBERED: Final = 128  # certificates of at most 64 KiB


@lru_cache(maxsize=REMEMBERED)
def decode_signer(raw: bytes, tolerant: bool) -> tuple[Certificate, tuple[Defect, ...]]:
    """The certificate, and the departures that were met in it.

    Args:
        tolerant: record tolerable departures instead of refusing them.

    Raises:
        DecodeError: malformed; nothing is remembered then.
    """
    defects: list[Defect] | None = [] if tolerant else None
    return decode_certificate(raw, defects), tuple(defects or ())


@lru_cache(maxsize=REMEMBERED)
def load_signer_key(public_key_info: bytes) -> PublicKey:
    """The public key of a signer's SubjectPublicKeyInfo.

    Raises:
        DecodeError: malformed. VerificationError: ALGORITHM_UNSUPPORTED.
    """
    return load_public_key(public_key_info)


def read_extension(read: Callable[[Defects], T], tolerated: Set[DefectCode]) -> tuple[T | None, str]:
    """An extension that is read on request, and what was tolerated in it; None where it is malformed and that is.

    Raises:
        DecodeError: it is malformed, or departs from the specification in a way that is not tolerated.
    """
    defects: list[Defect] = []
    try:
        value = read(defects if tolerated else None)
    except DecodeError:
        if DefectCode.MALFORMED_EXTENSION not in tolerated:
            raise
        return None, f"tolerated: {DefectCode.MALFORMED_EXTENSION}"
    refused = next((item for item in defects if item.code not in tolerated), None)
    if refused is not None:
        raise DecodeError(refused.what, offset=refused.offset, clause=refused.clause)
    return value, describe_tolerated(item.code for item in defects)


def describe_tolerated(codes: Iterable[DefectCode]) -> str:
    """The sentence in which a report names the leniencies that were needed; empty where none was."""
    names = sorted(set(codes))
    return f"tolerated: {', '.join(names)}" if names else ""
