"""What all certificates of an issuing state have in common (Doc 9303-12 7.1, tables 4 to 6)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eid.codec import extension_builders as build
from eid.codec import oid
from eid.codec.algorithm import AlgorithmIdentifier, ecdsa_identifier, pss_identifier, rsa_identifier
from eid.codec.extensions import Extension, GeneralName
from eid.codec.name import encode_name
from eid.codec.spki import decode_ec_parameters, decode_spki
from eid.codec.x509 import encode_certificate, encode_tbs_certificate
from eid.crypto.public_key import encode_public_key, load_public_key, match_curve
from eid.crypto.signatures import SignatureAlgorithm, verify_signature
from eid.errors import KeyStoreError, VerificationError
from eid.keystore.ports import Signer
from eid.pki.country import state_code_of

SERIAL_OCTETS: Final = 20


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when, both ends within; aware times, whole seconds.

    Raises:
        ValueError: a time without its zone, or the end is not after the start.
    """

    not_before: datetime
    not_after: datetime

    def __post_init__(self) -> None:
        if self.not_before.tzinfo is None or self.not_after.tzinfo is None:
            raise ValueError("a validity without its time zone")
        if self.not_before >= self.not_after:
            raise ValueError("a validity ends after its start")

    def contains(self, other: Validity) -> bool:
        """Whether another period lies inside this one."""
        return self.not_before <= other.not_before and other.not_after <= self.not_after


@dataclass(frozen=True, slots=True)
class IssuingState:
    """An issuing state or organization as its certificates name it.

    Args:
        country: two letters, written in upper case (Doc 9303-12 7.1.1).
        organization: O of every name.
        email: how to reach the authority; it stands in the alternative names.
        crl_uris: where its CRL is published.
        explicit_parameters: whether EC domain parameters are written out, as Doc 9303-12 4.1.6.3 demands; named curves
            are for consumers that cannot read them.
        state_code: the issuing-state code of its MRZs; None for the usual one of the country.

    Raises:
        ValueError: the country is not two letters, or its state code is unknown; no CRL location.
    """

    country: str
    organization: str
    email: str
    crl_uris: tuple[str, ...]
    explicit_parameters: bool = True
    state_code: str | None = None

    def __post_init__(self) -> None:
        if len(self.country) != 2 or not self.country.isascii() or not self.country.isupper():
            raise ValueError("a country is two upper-case letters (Doc 9303-12 7.1.1)")
        if self.state_code is None and state_code_of(self.country) is None:
            raise ValueError(f"the issuing-state code of {self.country} must be given")
        if not self.crl_uris:
            raise ValueError("a CRL distribution point is mandatory (Doc 9303-12 table 6)")

    def build_name(self, common_name: str, *units: str, serial_number: str | None = None) -> bytes:
        """A distinguished name of this state, DER: C, O, OU, CN and, where given, serialNumber."""
        attributes = [("C", self.country), ("O", self.organization), *(("OU", unit) for unit in units)]
        attributes.append(("CN", common_name))
        if serial_number is not None:
            attributes.append(("serialNumber", serial_number))
        return encode_name(attributes)

    @property
    def alternative_names(self) -> tuple[GeneralName, ...]:
        """E-mail address, and a directory name with L, the state's code in the MRZ (Doc 9303-12 7.1.1)."""
        code = self.state_code or state_code_of(self.country) or ""
        return (build.email_name(self.email), build.directory_name(encode_name([("L", code)])))

    def encode_key(self, public_key_info: bytes) -> bytes:
        """A SubjectPublicKeyInfo with the domain parameters in the state's form."""
        return encode_public_key(load_public_key(public_key_info), explicit=self.explicit_parameters)


def derive_key_identifier(public_key_info: bytes) -> bytes:
    """SHA-1 of the octets of subjectPublicKey (RFC 5280 4.2.1.2, method 1): a name for a key, no protection."""
    return hashlib.sha1(decode_spki(public_key_info).public_key, usedforsecurity=False).digest()


def draw_serial(random: Callable[[int], bytes] = os.urandom) -> int:
    """A serial number that cannot be foreseen: positive, at most 20 octets (Doc 9303-12 7.1.1, RFC 5280 4.1.2.2)."""
    return int.from_bytes(random(SERIAL_OCTETS), "big") >> 1 | 1


def build_signature_identifier(algorithm: SignatureAlgorithm) -> AlgorithmIdentifier:
    """AlgorithmIdentifier of a signer's algorithm.

    Raises:
        KeyStoreError: plain ECDSA, which X.509 and CMS do not know.
    """
    if algorithm.kind == "ecdsa":
        return ecdsa_identifier(algorithm.hash_name)
    if algorithm.kind == "rsa-pkcs1":
        return rsa_identifier(algorithm.hash_name)
    if algorithm.kind == "rsa-pss" and algorithm.mgf_hash_name in (None, algorithm.hash_name):
        return pss_identifier(algorithm.hash_name, algorithm.salt_length)
    raise KeyStoreError(f"{algorithm.kind} has no place in a certificate")


def sign_checked(signer: Signer, message: bytes) -> bytes:
    """Sign, and verify before the signature leaves: a fault in a token must not end in a certificate.

    Raises:
        KeyStoreError: the key cannot be used, or what it made does not verify.
    """
    signature = signer.sign(message)
    try:
        verify_signature(load_public_key(signer.public_key_info), signer.algorithm, message, signature)
    except VerificationError:
        raise KeyStoreError(f"key {signer.label!r} made a signature that does not verify") from None
    return signature


def is_key_of(signer: Signer, public_key_info: bytes) -> bool:
    """Whether a SubjectPublicKeyInfo, in any form of parameters, holds the signer's public key."""
    return is_same_key(signer.public_key_info, public_key_info)


def is_same_key(one: bytes, other: bytes) -> bool:
    """Whether two SubjectPublicKeyInfos, in any form of parameters, hold the same public key."""
    return _identify_key(one) == _identify_key(other)


def _identify_key(public_key_info: bytes) -> tuple[str, bytes]:
    """The curve's name, or the algorithm's identifier, and the octets of the key."""
    info = decode_spki(public_key_info)
    if info.algorithm.oid == oid.EC_PUBLIC_KEY:
        return match_curve(decode_ec_parameters(info.algorithm.parameters)).name, info.public_key
    return info.algorithm.oid, info.public_key


def sign_certificate(
    signer: Signer,
    *,
    issuer: bytes,
    subject: bytes,
    public_key_info: bytes,
    validity: Validity,
    extensions: Sequence[Extension],
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """An X.509 certificate, DER, with a serial number drawn at random; names and key are DER already."""
    identifier = build_signature_identifier(signer.algorithm)
    tbs = encode_tbs_certificate(
        serial=draw_serial(random),
        signature_algorithm=identifier,
        issuer=issuer,
        not_before=validity.not_before,
        not_after=validity.not_after,
        subject=subject,
        spki=public_key_info,
        extensions=extensions,
    )
    return encode_certificate(tbs, identifier, sign_checked(signer, tbs))
