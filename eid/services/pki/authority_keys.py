"""The keys of an issuing authority, and who may use them when: every signature recorded, one writer at a time.

Before a key is made the register names it as unfinished, so that an attempt that broke off is taken up again with that
key and with no other. Before a key signs the record of signatures says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from eid.codec import oid
from eid.codec.spki import decode_spki
from eid.codec.x509 import decode_certificate
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import LifecycleError
from eid.keystore.algorithm import rsa_algorithm
from eid.keystore.ports import KeySetSource, KeyStore, Signer
from eid.pki.certificate_profile import IssuingState
from eid.pki.content_signer import usage_of
from eid.profile.schema import Authority, CardProfile
from eid.services.pki.authority_holdings import AuthorityHoldings
from eid.services.pki.authority_register import MASTER_KEY, REGISTER, Register, decode_register
from eid.services.pki.recorded_keys import RecordedKeys
from eid.services.pki.recorded_signer import RecordedSigner
from eid.store.files import load_file, lock_directory, store_file


@dataclass(slots=True)
class AuthorityKeys(AuthorityHoldings, RecordedKeys):
    """An authority's directory and its keys.

    Args:
        store: where the keys are; None to look only. operator: who gives the orders, for the record of signatures.
    """

    store: KeyStore | None = field(repr=False)
    operator: str = ""
    _opened: dict[str, Signer] = field(default_factory=dict, init=False, repr=False)

    @property
    def master_key(self) -> KeySetSource:
        """The master key from which each card's SCP03 keys are derived."""
        return self.keys.load_master_key(MASTER_KEY)

    def _csca_signer(self, now: datetime, purpose: str) -> RecordedSigner:
        """The newest CSCA's key, within its time only (Doc 9303-12 4.1.4). CRLs it signs after that, too."""
        until = usage_of(decode_certificate(self.csca_certificate)).not_after
        if now > until:
            raise LifecycleError(f"the CSCA's key signed until {until:%Y-%m-%d}: make the next one with: eid pki csca")
        return self._recorded(self._open_key(self.csca_label, self.profile.authority.csca_hash), purpose, now)

    def _require_csca_key(self) -> None:
        self._open_key(self.csca_label, self.profile.authority.csca_hash)

    def _open_key(self, label: str, hash_name: str) -> Signer:
        """A key whose certificate is there; that says whether it is RSA or EC, whatever the profile says meanwhile."""
        is_rsa = decode_spki(decode_certificate(self.load(label)).spki_raw).algorithm.oid == oid.RSA_ENCRYPTION
        return self.keys.load(label, algorithm_of(self.profile.authority, "RSA-" if is_rsa else "", hash_name))

    def _make_key(self, label: str, kind: str, algorithm: SignatureAlgorithm) -> Signer:
        """A new key, or the one that an earlier attempt at this very label left behind.

        Args:
            kind: name of a curve, or "RSA-" and a number of bits.
        """
        if self.register.unfinished != label:
            self._require_new(label)
            self._keep(replace(self.register, unfinished=label))
        return self._load_or_generate(label, kind, algorithm)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, who sees what the one before has written: a revocation must not be lost."""
        with lock_directory(self.directory):
            self.register = decode_register(load_file(self.directory / REGISTER))
            yield

    def _keep(self, register: Register) -> None:
        store_file(self.directory / REGISTER, register.encode())
        self.register = register


def algorithm_of(stated: Authority, kind: str, hash_name: str) -> SignatureAlgorithm:
    """How a key signs. kind: name of a curve, or "RSA-" and perhaps a number of bits."""
    if kind.startswith("RSA-"):
        return rsa_algorithm(f"rsa-{stated.rsa_scheme}", hash_name)
    return SignatureAlgorithm("ecdsa", hash_name)


def issuing_state(profile: CardProfile) -> IssuingState:
    """The names that the authority's certificates carry."""
    stated = profile.authority
    return IssuingState(
        stated.country,
        stated.organization,
        stated.email,
        (stated.crl_uri,),
        stated.ec_parameters == "explicit",
        profile.document.issuing_state,
    )
