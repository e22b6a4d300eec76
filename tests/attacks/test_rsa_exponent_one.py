"""RSA with the exponent 1, under which every padded message is its own signature; even and huge ones likewise."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import pytest

from eid.codec.algorithm import AlgorithmIdentifier, rsa_identifier
from eid.codec.spki import encode_rsa_spki
from eid.errors import Reason
from eid.pki.trust_store import build_trust_store
from eid.verification.policy import shipped_policies
from eid.verification.report import Outcome, Verdict
from tests.builders import issuer
from tests.builders.document import Document, judge, outcome
from tests.builders.forgery import hashes_of, with_sod

MODULUS = (1 << 2047) | (1 << 1029) | 0x5A5A_5A5B
PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")  # DigestInfo of SHA-256, RFC 8017 9.2


@dataclass(frozen=True)
class KeyWithExponent:
    """A public key of which nobody has the private one, nor needs it."""

    exponent: int
    hash_name: str = "sha256"

    @property
    def algorithm(self) -> AlgorithmIdentifier:
        return rsa_identifier("sha256")

    def spki(self, explicit: bool = True) -> bytes:
        return encode_rsa_spki(MODULUS, self.exponent)

    def key_identifier(self, explicit: bool = True) -> bytes:
        return hashlib.sha1(self.spki()).digest()

    def sign(self, message: bytes) -> bytes:
        """The padded digest itself (RFC 8017 9.2): to the power of 1, it verifies."""
        info = PREFIX + hashlib.sha256(message).digest()
        return b"\x00\x01" + b"\xff" * (256 - 3 - len(info)) + b"\x00" + info


EXPONENTS = (1, 2, 65536, MODULUS - 1, MODULUS + 2)


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_signer(document: Document, exponent: int) -> None:
    key = KeyWithExponent(exponent)
    certificate = issuer.certificate(document.csca, key, issuer.ds_extensions(document.csca, key))  # type: ignore[arg-type]  # a key that behaves as one of RSA
    sod = issuer.ef_sod(key, certificate, hashes_of(document))  # type: ignore[arg-type]  # a key that behaves as one of RSA
    forged = with_sod(replace(document, signer_certificate=certificate), sod)
    for policy in shipped_policies():
        report = judge(forged, policy=policy)
        assert outcome(report, "sod.signature") == (Outcome.INDETERMINATE, Reason.ALGORITHM_UNSUPPORTED)
        assert report.verdict is Verdict.INDETERMINATE


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_csca(exponent: int) -> None:
    key = KeyWithExponent(exponent)
    store = build_trust_store((issuer.csca_certificate(key),))  # type: ignore[arg-type]  # a key that behaves as one of RSA
    assert (store.anchors, len(store.unusable)) == ((), 1)
