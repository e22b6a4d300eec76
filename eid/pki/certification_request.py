"""Requests of document signers whose keys live elsewhere: made, and accepted with proof of possession (RFC 2986 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from eid.codec import oid
from eid.codec.name import decode_name, encode_name
from eid.codec.pkcs10 import decode_certification_request, encode_certification_request, encode_request_info
from eid.crypto.public_key import decode_signature_algorithm, load_public_key
from eid.crypto.signatures import curve_of_key, verify_signature
from eid.errors import LifecycleError, Reason, VerificationError
from eid.keystore.ports import Signer
from eid.pki.certificate_profile import build_signature_identifier, sign_checked

# Doc 9303-12 4.1.6: what a key of a document signer has at least, and no weaker hash proves that somebody has it.
MIN_RSA_BITS: Final = 2048
MIN_EC_BITS: Final = 224
_WEAK: Final = ("sha1",)


@dataclass(frozen=True, slots=True)
class AcceptedRequest:
    """A request whose sender has the private key. country: upper case, None where it states none."""

    common_name: str
    country: str | None
    public_key_info: bytes = field(repr=False)


def build_certification_request(signer: Signer, country: str, organization: str, common_name: str) -> bytes:
    """A request for a certificate of the signer's key, signed by that key; DER.

    Args:
        country: two letters of the issuing state, which its authority insists on.

    Raises:
        KeyStoreError: the key cannot be used. ValueError: a name that no certificate can carry; the caller's mistake.
    """
    subject = encode_name((("C", country.upper()), ("O", organization), ("CN", common_name)))
    info = encode_request_info(subject, signer.public_key_info)
    return encode_certification_request(info, build_signature_identifier(signer.algorithm), sign_checked(signer, info))


def verify_certification_request(raw: bytes) -> AcceptedRequest:
    """Decode a request, DER or PEM, and verify that its sender has the private key.

    Raises:
        DecodeError: malformed. VerificationError: SIG_CRYPTO_FAILURE; ALGORITHM_UNSUPPORTED;
            CRYPTO_CONSTRAINTS_FAILURE, a key or hash too weak for a document signer.
        LifecycleError: it names nobody.
    """
    request = decode_certification_request(raw)
    key = load_public_key(request.spki_raw)
    algorithm = decode_signature_algorithm(request.signature_algorithm)
    is_rsa = isinstance(key, rsa.RSAPublicKey)
    if is_rsa != algorithm.kind.startswith("rsa"):
        raise VerificationError(Reason.SIG_CRYPTO_FAILURE, "a key of another kind signed the request")
    bits = key.key_size if isinstance(key, rsa.RSAPublicKey) else curve_of_key(key).n.bit_length()
    if bits < (MIN_RSA_BITS if is_rsa else MIN_EC_BITS) or algorithm.hash_name in _WEAK:
        what = f"a key of {bits} bits with {algorithm.hash_name} is too weak for a document signer"
        raise VerificationError(Reason.CRYPTO_CONSTRAINTS_FAILURE, what, clause="Doc 9303-12 4.1.6")
    verify_signature(key, algorithm, request.info_raw, request.signature)
    name = decode_name(request.subject_raw)
    common_name, country = name.find(oid.COMMON_NAME), name.find(oid.COUNTRY_NAME)
    if common_name is None:
        raise LifecycleError("the request's subject has no common name")
    return AcceptedRequest(common_name, None if country is None else country.upper(), request.spki_raw)
