"""The keys of an authority, of either kind: where they are, how one is made, and how one signs, which is recorded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime

from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import KeyStoreError
from eid.keystore.ports import KeyStore, Signer
from eid.services.pki.recorded_signer import RecordedSigner
from eid.store.signature_record import SignatureRecord


class RecordedKeys(ABC):
    """What an authority that signs adds to what it holds.

    Args:
        store: where the keys are; None to look only. operator: who gives the orders, for the record of signatures.
    """

    __slots__ = ()
    store: KeyStore | None
    operator: str

    @property
    @abstractmethod
    def record(self) -> SignatureRecord:
        """What each key has signed."""

    @property
    def keys(self) -> KeyStore:
        """Where the authority's keys are.

        Raises:
            KeyStoreError: it was opened without them.
        """
        if self.store is None:
            raise KeyStoreError("the authority was opened without its keys")
        return self.store

    def _require_new(self, label: str) -> None:
        if label in self.keys.labels():  # in a token that serves somebody else, too
            raise KeyStoreError(f"there is a key {label!r} already, and this authority did not make it")

    def _load_or_generate(self, label: str, kind: str, algorithm: SignatureAlgorithm) -> Signer:
        """The key that the register names as the one being made; an attempt that broke off may have made it.

        Args:
            kind: name of a curve, or "RSA-" and a number of bits.
        """
        if label in self.keys.labels():
            return self.keys.load(label, algorithm)
        if kind.startswith("RSA-"):
            return self.keys.generate_rsa(label, int(kind.removeprefix("RSA-")), algorithm)
        return self.keys.generate_ec(label, kind, algorithm)

    def _recorded(self, signer: Signer, purpose: str, now: datetime, limit: int | None = None) -> RecordedSigner:
        return RecordedSigner(signer, self.record, purpose, self.operator, now, limit)
