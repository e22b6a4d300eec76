"""Document signers' certificates, decoded and traced once: one signer stands behind many documents.

A memory of pure functions, keyed by the octets themselves and the trust store, so it changes no outcome. What depends
on time (validity, revocation, distrust) is asked each time, and so is every document's own signature. It is bounded:
whoever sends certificates of his own only pushes others out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from functools import lru_cache
from threading import Lock
from typing import Final, TypeVar

from eid.codec import oid
from eid.codec.defect import Defect, DefectCode, Defects
from eid.codec.extensions import Extensions, PrivateKeyUsagePeriod
from eid.codec.x509 import Certificate, decode_certificate
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import PublicKey
from eid.errors import DecodeError
from eid.pki.path import CertificatePath, find_path
from eid.pki.trust_store import TrustStore

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


class _Paths:
    """Paths that were found, by certificate, trust store and leniency; refusals are not kept."""

    def __init__(self) -> None:
        self._found: dict[tuple[bytes, bytes, bool], tuple[CertificatePath, tuple[Defect, ...]]] = {}
        self._lock = Lock()

    def find(
        self, signer: Certificate, trust: TrustStore, tolerant: bool
    ) -> tuple[CertificatePath, tuple[Defect, ...]]:
        """The path, and the departures that were met on it."""
        key = (signer.raw, trust.digest, tolerant)
        known = self._found.get(key)
        if known is None:
            defects: list[Defect] | None = [] if tolerant else None
            known = find_path(signer, trust, defects), tuple(defects or ())
            with self._lock:
                if len(self._found) >= REMEMBERED:
                    self._found.pop(next(iter(self._found)))
                self._found[key] = known
        return known

    def forget(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._found.clear()


_PATHS: Final = _Paths()


def find_signer_path(
    signer: Certificate, trust: TrustStore, tolerant: bool
) -> tuple[CertificatePath, tuple[Defect, ...]]:
    """The path from a document signer to an anchor, every signature on it verified, and the departures met on it.

    The trust store's digest covers every certificate that a path can lead through.

    Args:
        tolerant: record tolerable departures instead of refusing them.

    Raises:
        VerificationError: see `find_path`; nothing is remembered then.
    """
    return _PATHS.find(signer, trust, tolerant)


def forget_signers() -> None:
    """Empty the memory, as a measurement of signers never seen wants it."""
    decode_signer.cache_clear()
    load_signer_key.cache_clear()
    _PATHS.forget()


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


@lru_cache(maxsize=REMEMBERED)
def read_usage_period(raw: bytes, tolerated: frozenset[DefectCode]) -> tuple[PrivateKeyUsagePeriod | None, str]:
    """A private key usage period out of an extension's octets, as `read_extension`: many signers share them."""
    alone = Extensions(raw, {oid.PRIVATE_KEY_USAGE_PERIOD: (False, 0, len(raw))})
    return read_extension(alone.private_key_usage_period, tolerated)


@lru_cache(maxsize=REMEMBERED)
def read_document_types(raw: bytes, tolerated: frozenset[DefectCode]) -> tuple[tuple[str, ...] | None, str]:
    """A document type list out of the extension's octets, as `read_extension`."""
    alone = Extensions(raw, {oid.DOCUMENT_TYPE_LIST: (False, 0, len(raw))})
    return read_extension(alone.document_types, tolerated)


def describe_tolerated(codes: Iterable[DefectCode]) -> str:
    """The sentence in which a report names the leniencies that were needed; empty where none was."""
    names = sorted(set(codes))
    return f"tolerated: {', '.join(names)}" if names else ""
