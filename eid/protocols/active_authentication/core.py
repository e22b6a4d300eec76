"""Judging the chip's signature: RSA after ISO/IEC 9796-2 scheme 1, ECDSA plain (Doc 9303-11 6.1.2, 6.1.3)."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from eid.codec import oid
from eid.crypto import iso9796
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import EcPublicKey, SignatureAlgorithm, SignatureKind, curve_of_key, verify_signature
from eid.errors import DecodeError, Reason, VerificationError
from eid.lds.security_infos import ActiveAuthenticationInfo

CHALLENGE_LENGTH: Final = 8  # RND.IFD

# ecdsa-plain-signatures, BSI TR-03111 5.2.1.1; Doc 9303-11 9.2.4 wants one of these in ActiveAuthenticationInfo.
ECDSA_PLAIN: Final = {
    "sha1": "0.4.0.127.0.7.1.1.4.1.1",
    "sha224": "0.4.0.127.0.7.1.1.4.1.2",
    "sha256": "0.4.0.127.0.7.1.1.4.1.3",
    "sha384": "0.4.0.127.0.7.1.1.4.1.4",
    "sha512": "0.4.0.127.0.7.1.1.4.1.5",
}
# Some chips announce the X9.62 identifiers, whose hash function is meant all the same.
ECDSA_HASHES: Final = {identifier: name for name, identifier in ECDSA_PLAIN.items()} | {
    oid.ECDSA_WITH_SHA1: "sha1",
    oid.ECDSA_WITH_SHA224: "sha224",
    oid.ECDSA_WITH_SHA256: "sha256",
    oid.ECDSA_WITH_SHA384: "sha384",
    oid.ECDSA_WITH_SHA512: "sha512",
}
# Tried in turn where the chip announces nothing: the hash function need not go with the size of the curve.
_UNANNOUNCED: Final = ("sha256", "sha384", "sha512", "sha224", "sha1")


def verify_active_authentication(
    public_key_info: bytes, info: ActiveAuthenticationInfo | None, challenge: bytes, signature: bytes
) -> str:
    """Accept the chip's signature over the challenge, or raise.

    Args:
        public_key_info: SubjectPublicKeyInfo of DG15, DER; proven only once passive authentication has bound DG15.
        info: the chip's ActiveAuthenticationInfo of DG14, if it has one. challenge: RND.IFD, 8 octets.
        signature: what INTERNAL AUTHENTICATE answered, raw.

    Returns:
        the name of the hash function that the chip used, for the policy to judge.

    Raises:
        VerificationError: CLONE_SUSPECTED where the signature is wrong; CHALLENGE_MISMATCH where the challenge is not
            8 octets; ALGORITHM_UNSUPPORTED, FORMAT_FAILURE where the key is unknown or malformed.
    """
    if len(challenge) != CHALLENGE_LENGTH:
        raise VerificationError(Reason.CHALLENGE_MISMATCH, "the challenge has 8 octets", clause="Doc 9303-11 6.1.1")
    try:
        key = load_public_key(public_key_info)
    except DecodeError as fault:
        raise VerificationError(Reason.FORMAT_FAILURE, f"the key of DG15: {fault}") from fault
    try:
        if isinstance(key, RSAPublicKey):
            return iso9796.verify(key, challenge, signature).hash_name
        return _verify_ecdsa(key, info, challenge, signature)
    except VerificationError as error:
        if error.reason is not Reason.SIG_CRYPTO_FAILURE:
            raise
        raise VerificationError(
            Reason.CLONE_SUSPECTED, "the chip's signature over the challenge is wrong", clause="Doc 9303-11 6.1"
        ) from error


def _verify_ecdsa(key: EcPublicKey, info: ActiveAuthenticationInfo | None, challenge: bytes, signature: bytes) -> str:
    kind: SignatureKind = "ecdsa-plain" if len(signature) == 2 * curve_of_key(key).order_length else "ecdsa"
    names = _UNANNOUNCED if info is None else (_find_hash(info),)
    for name in names:
        try:
            verify_signature(key, SignatureAlgorithm(kind, name), challenge, signature)
        except VerificationError as error:
            if error.reason is not Reason.SIG_CRYPTO_FAILURE:
                raise
        else:
            return name
    raise VerificationError(Reason.SIG_CRYPTO_FAILURE)


def _find_hash(info: ActiveAuthenticationInfo) -> str:
    name = ECDSA_HASHES.get(info.signature_algorithm)
    if name is None:
        raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, f"signature algorithm {info.signature_algorithm}")
    return name
