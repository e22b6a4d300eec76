"""Every way in which an issuer may sign: algorithm, curve, named or explicit, hash, LDS version. SPECIMEN.

The matrix is what two generators of documents, which share no code, are asked for.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from cryptography.hazmat.primitives.asymmetric import padding, rsa

from eid.codec.algorithm import AlgorithmIdentifier, ecdsa_identifier, pss_identifier
from eid.crypto.curves import CURVES, Curve, curve_by_name
from eid.crypto.ecdsa import OwnEcPublicKey, encode_ecdsa_der
from eid.crypto.points import multiply
from eid.crypto.public_key import encode_public_key
from eid.lds.sod import LdsVersion
from tests.builders import issuer
from tests.builders.rsa_keys import rsa_private_key

HASH_NAMES = ("sha1", "sha224", "sha256", "sha384", "sha512")
CURVE_NAMES = (
    "P-192",
    "P-224",
    "P-256",
    "P-384",
    "P-521",
    "brainpoolP160r1",
    "brainpoolP192r1",
    "brainpoolP224r1",
    "brainpoolP256r1",
    "brainpoolP320r1",
    "brainpoolP384r1",
    "brainpoolP512r1",
)
SALTS = (0, 20, 32, 64)  # octets: none, the default of RFC 4055, a digest's, one of an issuing state


@dataclass(frozen=True)
class Combination:
    """One cell. key: "rsa", "pss:SALT" or a curve. group_hash: another one than what is signed with, in every cell."""

    key: str
    hash_name: str
    explicit: bool
    lds_version: int

    @property
    def group_hash(self) -> str:
        return HASH_NAMES[(HASH_NAMES.index(self.hash_name) + 1 + self.lds_version) % len(HASH_NAMES)]

    @property
    def name(self) -> str:
        form = "explicit" if self.explicit else "named"
        identifier = "ski" if self.lds_version else "issuer"
        return f"{self.key},{self.hash_name},{self.group_hash},{form},{self.lds_version},{identifier}"

    def __str__(self) -> str:
        return self.name


def combinations() -> Iterator[Combination]:
    """The whole matrix: 12 curves, named and explicit, and RSA in five paddings, by 5 hashes and 2 LDS versions."""
    for hash_name in HASH_NAMES:
        for lds_version in (0, 1):
            for curve in CURVE_NAMES:
                for explicit in (False, True):
                    yield Combination(curve, hash_name, explicit, lds_version)
            for key in ("rsa", *(f"pss:{salt}" for salt in SALTS)):
                yield Combination(key, hash_name, False, lds_version)


def thinned() -> Iterator[Combination]:
    """Each key in each form once, hashes and versions in turn."""
    forms = dict.fromkeys((item.key, item.explicit) for item in combinations())
    for number, (key, explicit) in enumerate(forms):
        yield Combination(key, HASH_NAMES[number % len(HASH_NAMES)], explicit, number // len(HASH_NAMES) % 2)


@dataclass(frozen=True)
class OwnEcKey:
    """A key on a curve that the library lacks, in plain integers: a specimen, nothing that anybody should copy."""

    curve: Curve
    scalar: int = field(repr=False)
    hash_name: str

    @property
    def algorithm(self) -> AlgorithmIdentifier:
        return ecdsa_identifier(self.hash_name)

    def sign(self, message: bytes) -> bytes:
        curve = self.curve
        digest = hashlib.new(self.hash_name, message).digest()
        number = int.from_bytes(digest, "big") >> max(0, 8 * len(digest) - curve.n.bit_length())
        while True:
            nonce = 1 + secrets.randbelow(curve.n - 1)
            r = multiply(curve, nonce, curve.generator)[0] % curve.n
            s = pow(nonce, -1, curve.n) * (number + r * self.scalar) % curve.n
            if r and s:
                return encode_ecdsa_der(r, s)

    def spki(self, explicit: bool = True) -> bytes:
        point = _public_point(self.curve, self.scalar)
        return encode_public_key(OwnEcPublicKey(self.curve, point), explicit=explicit)

    def key_identifier(self, explicit: bool = True) -> bytes:
        return hashlib.sha1(self.spki(explicit)).digest()


@dataclass(frozen=True)
class PssKey(issuer.Key):
    """RSA with a salt of so many octets."""

    salt: int = 32

    @property
    def algorithm(self) -> AlgorithmIdentifier:
        return pss_identifier(self.hash_name, salt_length=self.salt)

    def sign(self, message: bytes) -> bytes:
        assert isinstance(self.private, rsa.RSAPrivateKey)
        algorithm = issuer.HASHES[self.hash_name]()
        return self.private.sign(message, padding.PSS(padding.MGF1(algorithm), self.salt), algorithm)


@cache
def _public_point(curve: Curve, scalar: int) -> tuple[int, int]:
    return multiply(curve, scalar, curve.generator)


@cache
def _rsa(role: str) -> rsa.RSAPrivateKey:
    return rsa_private_key(2048)


@cache
def make_key(role: str, name: str, hash_name: str) -> issuer.Key:
    """A key of a role ("csca", "ds"); RSA keys are made once for each role, for they take long."""
    if name == "rsa":
        return issuer.Key(_rsa(role), hash_name)
    if name.startswith("pss:"):
        return PssKey(_rsa(role), hash_name, salt=int(name[4:]))
    curve = curve_by_name(name)
    assert curve is not None
    assert curve in CURVES
    if curve.library is None:
        return OwnEcKey(curve, 1 + secrets.randbelow(curve.n - 1), hash_name)  # type: ignore[return-value]  # by shape
    return issuer.Key(issuer.ec.generate_private_key(curve.library), hash_name)


@dataclass(frozen=True)
class IssuedCell:
    """What an issuer of one cell made."""

    csca: bytes
    signer: bytes
    crl: bytes
    sod: bytes


def issue_cell(cell: Combination, data_groups: dict[int, bytes]) -> IssuedCell:
    """CSCA, document signer, CRL and EF.SOD over the data groups."""
    csca, signer = (make_key(role, cell.key, cell.hash_name) for role in ("csca", "ds"))
    certificate = issuer.ds_certificate(csca, signer, explicit=cell.explicit)
    hashes = {number: hashlib.new(cell.group_hash, raw).digest() for number, raw in data_groups.items()}
    sod = issuer.ef_sod(
        signer,
        certificate,
        hashes,
        hash_name=cell.group_hash,
        lds_version=LdsVersion("0108", "040000") if cell.lds_version else None,
        by_key_identifier=bool(cell.lds_version),
    )
    return IssuedCell(
        issuer.csca_certificate(csca, explicit=cell.explicit),
        certificate,
        issuer.crl(csca, explicit=cell.explicit),
        sod,
    )
