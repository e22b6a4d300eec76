"""Certificates that an operator distrusts from a date on (a CSCA whose key leaked, a withdrawn link)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from eid.codec.x509 import Certificate
from eid.crypto.public_key import encode_public_key, load_public_key
from eid.errors import DecodeError, Reason, VerificationError


@dataclass(frozen=True, slots=True)
class Distrust:
    """One entry.

    Args:
        fingerprint: SHA-256 of the certificate, 32 octets. key_id: `identify_key` of its key: every certificate of the
            same key is meant, for a state may have several of one key, and link certificates besides.
        since: UTC. reason: a sentence of the operator.
    """

    fingerprint: bytes
    key_id: bytes
    since: datetime
    reason: str


def identify_key(public_key_info: bytes) -> bytes:
    """What names a public key whichever way its parameters are written, 32 octets.

    Args:
        public_key_info: SubjectPublicKeyInfo, DER; one that cannot be loaded is named by its octets.
    """
    try:
        public_key_info = encode_public_key(load_public_key(public_key_info))
    except (DecodeError, VerificationError):
        pass
    return hashlib.sha256(public_key_info).digest()


class DistrustList:
    """The entries by key; a value."""

    __slots__ = ("_by_key", "entries")

    def __init__(self, entries: Iterable[Distrust] = ()) -> None:
        self.entries: Final = tuple(sorted(entries, key=lambda item: (item.since, item.fingerprint)))
        # The first date of several counts.
        self._by_key: Final = MappingProxyType({item.key_id: item for item in reversed(self.entries)})

    def find(self, certificate: Certificate) -> Distrust | None:
        """The entry that means this certificate's key."""
        return self._by_key.get(identify_key(certificate.spki_raw)) if self._by_key else None

    def verify(self, certificates: Iterable[Certificate], time: datetime) -> None:
        """Accept the certificates of a path.

        Args:
            time: of judging, UTC. A time that a document states of itself is no protection from a key that leaked.

        Raises:
            VerificationError: CSCA_DISTRUSTED.
        """
        if not self._by_key:
            return
        for certificate in certificates:
            found = self.find(certificate)
            if found is not None and found.since <= time:
                raise VerificationError(
                    Reason.CSCA_DISTRUSTED, f"distrusted since {found.since:%Y-%m-%d}: {found.reason}"
                )
