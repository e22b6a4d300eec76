"""Document signers' certificates that did not come with their document, and where they are found; none is trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, Protocol

from eid.errors import DecodeError
from eid.pki.reading import read_certificate


class SignerSource(Protocol):
    """Certificates by the two ways in which a SignerInfo names one (RFC 5652 5.3)."""

    @property
    def digest(self) -> bytes:
        """SHA-256 over what there is, 32 octets."""

    def find(self, issuer_raw: bytes, serial: int) -> tuple[bytes, ...]:
        """Certificates, DER, of this issuer (DER) and serial number."""

    def find_by_key(self, subject_key_identifier: bytes) -> tuple[bytes, ...]:
        """Certificates, DER, with this subject key identifier."""


class HeldSigners:
    """Certificates that are held in memory; those that cannot be read are left out."""

    def __init__(self, certificates: Iterable[bytes] = ()) -> None:
        self._by_name: dict[tuple[bytes, int], tuple[bytes, ...]] = {}
        self._by_key: dict[bytes, tuple[bytes, ...]] = {}
        fingerprints = []
        for raw in sorted(set(certificates)):
            try:
                certificate = read_certificate(raw, [])
            except DecodeError:
                continue
            fingerprints.append(hashlib.sha256(raw).digest())
            name, key = (certificate.issuer_raw, certificate.serial), certificate.extensions.subject_key_identifier
            self._by_name[name] = (*self._by_name.get(name, ()), raw)
            if key is not None:
                self._by_key[key] = (*self._by_key.get(key, ()), raw)
        self._digest: Final = digest_fingerprints(fingerprints)

    @property
    def digest(self) -> bytes:
        """See `SignerSource`."""
        return self._digest

    def find(self, issuer_raw: bytes, serial: int) -> tuple[bytes, ...]:
        """See `SignerSource`."""
        return self._by_name.get((issuer_raw, serial), ())

    def find_by_key(self, subject_key_identifier: bytes) -> tuple[bytes, ...]:
        """See `SignerSource`."""
        return self._by_key.get(subject_key_identifier, ())


def digest_fingerprints(fingerprints: Iterable[bytes]) -> bytes:
    """SHA-256 over fingerprints in ascending order; 32 octets of zero where there are none."""
    state, count = hashlib.sha256(), 0
    for fingerprint in sorted(fingerprints):
        state.update(fingerprint)
        count += 1
    return state.digest() if count else bytes(32)


NO_SIGNERS: Final = HeldSigners()
