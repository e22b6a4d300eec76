"""Forgeries around the digest: garbage behind or before it in a PKCS#1 block (Bleichenbacher 2006, which a small
exponent makes easy), a digest of another length, and a digest of which only a part is right.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from eid.codec import cms, oid
from eid.codec.algorithm import rsa_identifier
from eid.errors import Reason
from eid.lds.sod import build_lds_security_object
from eid.verification.policy import shipped_policies
from eid.verification.report import Verdict
from tests.builders import issuer
from tests.builders.document import Document, failed, judge
from tests.builders.forgery import by_signer, hashes_of, sod_with, with_sod

PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")  # DigestInfo of SHA-256, RFC 8017 9.2
WITHOUT_NULL = bytes.fromhex("302f300b0609608648016503040201 0420".replace(" ", ""))
OCTETS = 256


def cube_root(value: int) -> int:
    """The least number whose cube is not less."""
    low, high = 0, 1 << (value.bit_length() // 3 + 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < value else (low, middle)
    return low


def forged_with_suffix(message: bytes) -> bytes:
    """No private key: the cube of this begins as a padded digest should, with garbage behind it."""
    start = b"\x00\x01" + b"\xff" * 8 + b"\x00" + PREFIX + hashlib.sha256(message).digest()
    root = cube_root(int.from_bytes(start.ljust(OCTETS, b"\x00"), "big"))
    assert (root**3).to_bytes(OCTETS, "big").startswith(start)
    return root.to_bytes(OCTETS, "big")


def padded(info: bytes, *, filler: bytes = b"\xff", kind: bytes = b"\x01", behind: bytes = b"") -> bytes:
    return b"\x00" + kind + filler * (OCTETS - 3 - len(info) - len(behind)) + b"\x00" + info + behind


BLOCKS = {
    "garbage behind": lambda digest: padded(PREFIX + digest, behind=b"\x00" * 9),
    "garbage before": lambda digest: padded(b"\x05\x00" + PREFIX + digest),
    "filler that is none": lambda digest: padded(PREFIX + digest, filler=b"\xfe"),
    "block of encryption": lambda digest: padded(PREFIX + digest, kind=b"\x02"),
    "digest cut": lambda digest: padded(PREFIX[:1] + b"\x30" + PREFIX[2:-1] + b"\x1f" + digest[:-1]),
    "digest lengthened": lambda digest: padded(PREFIX[:1] + b"\x32" + PREFIX[2:-1] + b"\x21" + digest + b"\x00"),
    "no DigestInfo": padded,
    "lengths in BER": lambda digest: padded(b"\x30\x81" + PREFIX[1:] + digest),
    "another hash named": lambda digest: padded(PREFIX.replace(b"\x02\x01\x05", b"\x02\x04\x05") + digest),
}


@dataclass(frozen=True)
class Raw(issuer.Key):
    """An RSA key that signs whatever block it is given."""

    block: str = ""

    def sign(self, message: bytes) -> bytes:
        assert isinstance(self.private, rsa.RSAPrivateKey)
        numbers = self.private.private_numbers()
        block = BLOCKS[self.block](hashlib.sha256(message).digest())
        return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(OCTETS, "big")


def signer_of(document: Document, key: issuer.Key) -> bytes:
    return issuer.certificate(document.csca, key, issuer.ds_extensions(document.csca, key))


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("name", BLOCKS)
def test_block(document: Document, private: rsa.RSAPrivateKey, name: str) -> None:
    key = Raw(private, "sha256", block=name)
    forged = by_signer(document, key, signer_of(document, key))
    for policy in shipped_policies():
        assert failed(judge(forged, policy=policy)) == {"sod.signature": Reason.SIG_CRYPTO_FAILURE}, policy


def test_absent_null_needs_its_leniency(document: Document, private: rsa.RSAPrivateKey) -> None:
    """RFC 8017 B.1 has NULL, and allows verifiers to take its absence; both forms name the same hash and digest."""
    BLOCKS["no NULL"] = lambda digest: padded(WITHOUT_NULL + digest)
    try:
        key = Raw(private, "sha256", block="no NULL")
        odd = by_signer(document, key, signer_of(document, key))
    finally:
        del BLOCKS["no NULL"]
    assert failed(judge(odd)) == {"sod.signature": Reason.SIG_CRYPTO_FAILURE}
    border = judge(odd, policy="border")
    found = border.check("sod.signature")
    assert found is not None
    assert (border.verdict, found.detail) == (Verdict.TOTAL_PASSED, "tolerated: DIGEST_INFO_PARAMETERS")


def test_forgery_without_a_private_key(document: Document) -> None:
    """Under the exponent 3, for a verifier that stops reading behind the digest."""

    @dataclass(frozen=True)
    class Forger(issuer.Key):
        @property
        def algorithm(self) -> object:  # type: ignore[override]  # of another type on purpose
            return rsa_identifier("sha256")

        def sign(self, message: bytes) -> bytes:
            return forged_with_suffix(message)

    key = Forger(rsa.generate_private_key(3, 2048), "sha256")
    forged = by_signer(document, key, signer_of(document, key))
    for policy in shipped_policies():
        report = judge(forged, policy=policy)
        assert failed(report) == {"sod.signature": Reason.SIG_CRYPTO_FAILURE}
        assert report.verdict is Verdict.TOTAL_FAILED


@pytest.mark.parametrize(
    "change",
    [
        lambda digest: digest[:-1],
        lambda digest: digest[:8],
        lambda digest: digest + b"\x00",
        lambda digest: bytes(24) + digest[24:],
        lambda digest: digest[:24] + bytes(8),
        lambda digest: b"",
    ],
    ids=["cut", "eight octets", "lengthened", "suffix only", "prefix only", "empty"],
)
@pytest.mark.parametrize("policy", ["strict", "border"])
def test_message_digest(document: Document, change: object, policy: str) -> None:
    """The attribute that is signed holds not the whole hash: a verifier that compares a part would take it."""
    assert callable(change)
    content = build_lds_security_object("sha256", hashes_of(document))
    wrong = change(hashlib.sha256(content).digest())
    other = cms.encode_signed_attributes(oid.LDS_SECURITY_OBJECT, wrong, issuer.SIGNING_TIME)
    sod = sod_with(document, content=content, attributes=lambda _: other)
    assert failed(judge(with_sod(document, sod), policy=policy)) == {"sod.signature": Reason.SIG_CRYPTO_FAILURE}


def test_data_group_whose_hash_ends_alike(document: Document) -> None:
    """EF.SOD states a hash of which the last octets alone are those of the data group."""
    hashes = hashes_of(document)
    hashes[1] = bytes(28) + hashes[1][28:]
    forged = replace(document, files={**document.files})
    sod = issuer.ef_sod(document.signer, document.signer_certificate, hashes)
    assert failed(judge(with_sod(forged, sod))) == {"sod.dg_hashes.dg1": Reason.HASH_FAILURE}
