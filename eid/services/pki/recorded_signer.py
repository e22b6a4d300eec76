"""A signer that writes down each signature before it makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from eid.crypto.signatures import SignatureAlgorithm
from eid.keystore.ports import Signer
from eid.store.signature_record import SignatureRecord


@dataclass(frozen=True, slots=True)
class RecordedSigner:
    """A `Signer` whose every signature is counted and recorded, and which stops at its limit.

    Args:
        purpose: what is signed, for the record. operator: who ordered it. at: when, aware.
        limit: signatures that the key may make in all; None for no limit.
    """

    signer: Signer = field(repr=False)
    record: SignatureRecord
    purpose: str
    operator: str
    at: datetime
    limit: int | None = None

    @property
    def label(self) -> str:
        """Name of the key in its store."""
        return self.signer.label

    @property
    def public_key_info(self) -> bytes:
        """SubjectPublicKeyInfo, DER, EC parameters as a named curve."""
        return self.signer.public_key_info

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """The algorithm it signs with."""
        return self.signer.algorithm

    def sign(self, message: bytes) -> bytes:
        """Write the signature down, then make it.

        Raises:
            SignatureLimitError: the key has reached its limit. StoreError: the record cannot be written.
            KeyStoreError: the key cannot be used.
        """
        self.record.append(
            self.label, message, purpose=self.purpose, operator=self.operator, at=self.at, limit=self.limit
        )
        return self.signer.sign(message)
