"""Document signers' certificates, decoded once: one signer stands behind many documents.

A memory of pure functions, keyed by the octets themselves, so it changes no outcome; every signature is verified anew.
It is bounded: whoever sends certificates of his own only pushes others out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from eid.codec.defect import Defect
from eid.codec.x509 import Certificate, decode_certificate
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import PublicKey

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
