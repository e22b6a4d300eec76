"""Verification of digital signatures: ECDSA, RSA PKCS#1 v1.5 and RSA-PSS (TR-03111 4.2.1, RFC 8017).

One entrance, which raises and never returns a truth value that a caller could forget. Which algorithms, sizes and hash
functions are good enough is not decided here but by the verification policy.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from eid.codec.der import encode_octet_string, encode_oid, encode_sequence
from eid.crypto.curves import Curve, curve_of_library
from eid.crypto.ecdsa import (
    OwnEcPublicKey,
    build_ec_public_key,
    decode_ecdsa_der,
    decode_ecdsa_plain,
    encode_ecdsa_der,
    encode_ecdsa_plain,
    verify_integers,
)
from eid.crypto.hashes import HASH_ALGORITHMS, digest, hash_algorithm
from eid.errors import DecodeError, Reason, VerificationError

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = [
    "EcPublicKey",
    "OwnEcPublicKey",
    "PublicKey",
    "SignatureAlgorithm",
    "build_ec_public_key",
    "build_rsa_public_key",
    "curve_of_key",
    "decode_ecdsa_der",
    "decode_ecdsa_plain",
    "encode_ecdsa_der",
    "encode_ecdsa_plain",
    "is_rsa",
    "require_sound_rsa",
    "rsa_modulus_bits",
    "verify_signature",
]

EcPublicKey = ec.EllipticCurvePublicKey | OwnEcPublicKey
PublicKey = EcPublicKey | rsa.RSAPublicKey

SignatureKind = Literal["ecdsa", "ecdsa-plain", "rsa-pkcs1", "rsa-pss"]

_MAX_RSA_BITS = 16_384


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """How a signature was made.

    Args:
        kind: "ecdsa" has its value in DER (X.509, CMS), "ecdsa-plain" is r | s (cards, CV certificates).
        hash_name: hash function of the message, "sha1" to "sha512".
        salt_length: octets of salt; rsa-pss only, where it must be given.
        mgf_hash_name: hash function of MGF1; rsa-pss only, None for the message's own.
    """

    kind: SignatureKind
    hash_name: str
    salt_length: int | None = None
    mgf_hash_name: str | None = None


def verify_signature(
    public_key: PublicKey,
    algorithm: SignatureAlgorithm,
    message: bytes,
    signature: bytes,
    *,
    accept_digest_info_without_null: bool = False,
) -> None:
    """Accept the signature over the message, or raise.

    Args:
        public_key: RSA or elliptic-curve key; an RSA key is one that `build_rsa_public_key` or `require_sound_rsa`
            judged when it was loaded.
        algorithm: how the signature was made, as the document states it.
        message: what was signed, not hashed.
        signature: its value.
        accept_digest_info_without_null: also accept a PKCS#1 v1.5 DigestInfo whose hash parameters are absent instead
            of NULL (RFC 8017 A.2.4 allows it; one published master list has it).

    Raises:
        VerificationError: SIG_CRYPTO_FAILURE if the signature is wrong or malformed; ALGORITHM_UNSUPPORTED if the
            algorithm is unknown or does not go with the key.
    """
    try:
        if is_rsa(public_key):
            _verify_rsa(public_key, algorithm, message, signature, accept_digest_info_without_null)
        elif isinstance(public_key, OwnEcPublicKey):
            _verify_own_ecdsa(public_key, algorithm, message, signature)
        elif _is_library_ec(type(public_key)):
            _verify_ecdsa(public_key, algorithm, message, signature)
        else:
            raise _unsupported(f"a public key of type {type(public_key).__name__}")
    except (InvalidSignature, DecodeError) as error:
        raise VerificationError(Reason.SIG_CRYPTO_FAILURE, "the signature does not verify") from error
    except UnsupportedAlgorithm as error:
        raise _unsupported("the cryptographic library lacks it") from error


def is_rsa(public_key: PublicKey) -> TypeIs[rsa.RSAPublicKey]:
    """Whether the key is an RSA key.

    The library's classes of keys are abstract, and to ask one of them about a key takes a dozen times as long as to ask
    once what may be said of all keys of its class.
    """
    kind: type = type(public_key)
    return _is_library_rsa(kind)


@cache
def _is_library_rsa(kind: type) -> bool:
    return issubclass(kind, rsa.RSAPublicKey)


@cache
def _is_library_ec(kind: type) -> bool:
    return issubclass(kind, ec.EllipticCurvePublicKey)


def curve_of_key(public_key: EcPublicKey) -> Curve:
    """The domain parameters of an elliptic-curve public key.

    Raises:
        VerificationError: ALGORITHM_UNSUPPORTED for a curve that no identity document uses.
    """
    if isinstance(public_key, OwnEcPublicKey):
        return public_key.curve
    curve = curve_of_library(public_key.curve)
    if curve is None:
        raise _unsupported(f"curve {public_key.curve.name}")
    return curve


def rsa_modulus_bits(public_key: rsa.RSAPublicKey) -> int:
    """Bits of the modulus, for the policy to judge."""
    return public_key.key_size


def require_sound_rsa(public_key: rsa.RSAPublicKey) -> rsa.RSAPublicKey:
    """Refuse an RSA key that cannot be one: exponent even, 1 or not below the modulus; modulus even or huge.

    Raises:
        VerificationError: ALGORITHM_UNSUPPORTED.
    """
    numbers = public_key.public_numbers()
    _require_sound_numbers(numbers.n, numbers.e)
    return public_key


def build_rsa_public_key(modulus: int, exponent: int) -> rsa.RSAPublicKey:
    """The key of these numbers, judged as `require_sound_rsa` does.

    Raises:
        VerificationError: ALGORITHM_UNSUPPORTED.
    """
    _require_sound_numbers(modulus, exponent)
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        raise _unsupported("the RSA key cannot be used") from None


def _require_sound_numbers(modulus: int, exponent: int) -> None:
    if exponent < 3 or exponent % 2 == 0 or exponent >= modulus:
        raise _unsupported("the RSA exponent is not an odd number from 3 to n")  # RFC 8017 3.1
    if modulus % 2 == 0 or modulus.bit_length() > _MAX_RSA_BITS:
        raise _unsupported("the RSA modulus is even or too long")


def _verify_ecdsa(
    key: ec.EllipticCurvePublicKey, algorithm: SignatureAlgorithm, message: bytes, signature: bytes
) -> None:
    curve = curve_of_key(key)
    if algorithm.kind == "ecdsa-plain":
        signature = encode_ecdsa_der(*decode_ecdsa_plain(signature, curve.n))
    elif algorithm.kind != "ecdsa":
        raise _unsupported(f"{algorithm.kind} with an elliptic-curve key")
    # The library takes nothing but DER (it encodes r and s anew and compares) with r and s in 1..n-1.
    message_digest = digest(algorithm.hash_name, message)
    key.verify(signature, message_digest, _PREHASHED_ECDSA[algorithm.hash_name])


def _verify_own_ecdsa(key: OwnEcPublicKey, algorithm: SignatureAlgorithm, message: bytes, signature: bytes) -> None:
    if algorithm.kind == "ecdsa":
        r, s = decode_ecdsa_der(signature, key.curve.n)
    elif algorithm.kind == "ecdsa-plain":
        r, s = decode_ecdsa_plain(signature, key.curve.n)
    else:
        raise _unsupported(f"{algorithm.kind} with an elliptic-curve key")
    if not verify_integers(key, digest(algorithm.hash_name, message), r, s):
        raise InvalidSignature


def _verify_rsa(
    key: rsa.RSAPublicKey, algorithm: SignatureAlgorithm, message: bytes, signature: bytes, without_null: bool
) -> None:
    message_digest, prehashed = digest(algorithm.hash_name, message), _PREHASHED[algorithm.hash_name]
    if len(signature) != (key.key_size + 7) // 8:  # RFC 8017 8.1.2 and 8.2.2, step 1
        raise InvalidSignature
    if algorithm.kind == "rsa-pss":
        key.verify(signature, message_digest, _pss(key, algorithm), prehashed)
    elif algorithm.kind != "rsa-pkcs1":
        raise _unsupported(f"{algorithm.kind} with an RSA key")
    elif not (without_null and _has_digest_info_without_null(key, algorithm, message, signature)):
        key.verify(signature, message_digest, _PKCS1_V15, prehashed)


def _pss(key: rsa.RSAPublicKey, algorithm: SignatureAlgorithm) -> padding.PSS:
    """The parameters exactly as stated: no guessing of the salt's length."""
    if algorithm.salt_length is None or algorithm.salt_length < 0:
        raise _unsupported("RSA-PSS without a length of salt")
    encoded_length = (key.key_size + 6) // 8
    if encoded_length < hash_algorithm(algorithm.hash_name).digest_length + algorithm.salt_length + 2:
        raise InvalidSignature  # RFC 8017 9.1.2 step 3, here because the library answers it with other errors
    mgf_hash = hash_algorithm(algorithm.mgf_hash_name or algorithm.hash_name)
    return padding.PSS(padding.MGF1(mgf_hash.library), algorithm.salt_length)


def _has_digest_info_without_null(
    key: rsa.RSAPublicKey, algorithm: SignatureAlgorithm, message: bytes, signature: bytes
) -> bool:
    """Whether the signature holds DigestInfo { { oid }, digest }, in exactly this encoding."""
    identifier = encode_sequence(encode_oid(hash_algorithm(algorithm.hash_name).oid))
    expected = encode_sequence(identifier, encode_octet_string(digest(algorithm.hash_name, message)))
    return hmac.compare_digest(expected, key.recover_data_from_signature(signature, padding.PKCS1v15(), None))


def _unsupported(detail: str) -> VerificationError:
    return VerificationError(Reason.ALGORITHM_UNSUPPORTED, detail)


_PREHASHED = {algorithm.name: Prehashed(algorithm.library) for algorithm in HASH_ALGORITHMS}
_PREHASHED_ECDSA = {name: ec.ECDSA(prehashed) for name, prehashed in _PREHASHED.items()}
_PKCS1_V15 = padding.PKCS1v15()
