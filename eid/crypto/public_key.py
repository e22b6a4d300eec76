"""Public keys out of SubjectPublicKeyInfo, and signature algorithms out of AlgorithmIdentifier.

Explicit EC parameters are never computed with. They are compared by value, all of p, a, b, G, n, h, with the curves
that this system knows (CVE-2020-0601); the key is then made on the known curve from the point alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from eid.codec import oid
from eid.codec.algorithm import SIGNATURE_HASHES, AlgorithmIdentifier, PssParameters, decode_pss_parameters
from eid.codec.defect import Defect
from eid.codec.spki import (
    EcParameters,
    decode_ec_parameters,
    decode_rsa_public_key,
    decode_spki,
    encode_ec_spki,
    encode_rsa_spki,
)
from eid.crypto.curves import CURVES, Curve, curve_by_oid, curve_by_parameters
from eid.crypto.points import decode_point, encode_point
from eid.crypto.signatures import (
    EcPublicKey,
    OwnEcPublicKey,
    PublicKey,
    SignatureAlgorithm,
    build_ec_public_key,
    build_rsa_public_key,
    curve_of_key,
)
from eid.errors import DecodeError, Reason, VerificationError

_RSA_ALGORITHMS: Final = (oid.RSA_ENCRYPTION, oid.RSASSA_PSS)
_ECDSA_ARC: Final = "1.2.840.10045.4."
_ALGORITHMS: Final = {
    identifier: SignatureAlgorithm("ecdsa" if identifier.startswith(_ECDSA_ARC) else "rsa-pkcs1", hash_name)
    for identifier, hash_name in SIGNATURE_HASHES.items()
}


def load_public_key(spki_raw: bytes) -> PublicKey:
    """The public key of a SubjectPublicKeyInfo.

    Args:
        spki_raw: DER; RSA (rsaEncryption or id-RSASSA-PSS) or EC with a named curve or explicit parameters.

    Raises:
        DecodeError: malformed, or the point is not on the curve.
        VerificationError: ALGORITHM_UNSUPPORTED for an algorithm or a curve that this system does not know, or an RSA
            key that cannot be one.
    """
    for prefix, curve in _CANONICAL.get(len(spki_raw), ()):
        if spki_raw.startswith(prefix):
            return _load_point(curve, spki_raw[len(prefix) :])
    info = decode_spki(spki_raw)
    if info.algorithm.oid == oid.EC_PUBLIC_KEY:
        return _load_point(match_curve(decode_ec_parameters(info.algorithm.parameters)), info.public_key)
    if info.algorithm.oid in _RSA_ALGORITHMS:
        return _load_rsa(info.public_key)
    raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, f"public key algorithm {info.algorithm.oid}")


def _load_point(curve: Curve, point: bytes) -> EcPublicKey:
    if curve.library is None:
        return build_ec_public_key(curve, decode_point(curve, point))
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve.library, point)
    except ValueError:
        raise DecodeError(f"the public point is not on {curve.name}", clause="SEC 1 2.3.4") from None
    except UnsupportedAlgorithm:  # a build of the library that leaves the curve out
        return build_ec_public_key(curve, decode_point(curve, point))


def match_curve(parameters: str | EcParameters) -> Curve:
    """The known curve that an identifier names, or that explicit parameters equal.

    Raises:
        VerificationError: ALGORITHM_UNSUPPORTED if there is none (SEC 1 C.2; never taken as given).
    """
    if isinstance(parameters, str):
        curve = curve_by_oid(parameters)
    else:
        curve = curve_by_parameters(
            parameters.p, parameters.a, parameters.b, parameters.generator, parameters.n, parameters.h
        )
    if curve is None:
        raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, "the EC domain parameters are those of no known curve")
    return curve


def _load_rsa(raw: bytes) -> rsa.RSAPublicKey:
    numbers = decode_rsa_public_key(raw)
    return build_rsa_public_key(numbers.modulus, numbers.public_exponent)


def encode_public_key(key: PublicKey, *, explicit: bool = False) -> bytes:
    """SubjectPublicKeyInfo of a public key.

    Args:
        explicit: write EC domain parameters out, as Doc 9303-12 4.1.6.3 demands of CSCA and document signers.
    """
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return encode_rsa_spki(numbers.n, numbers.e)
    curve = curve_of_key(key)
    point = key.point if isinstance(key, OwnEcPublicKey) else _coordinates(key)
    return encode_ec_spki(explicit_parameters(curve) if explicit else curve.oid, encode_point(curve, point))


def _coordinates(key: ec.EllipticCurvePublicKey) -> tuple[int, int]:
    numbers = key.public_numbers()
    return numbers.x, numbers.y


def explicit_parameters(curve: Curve) -> EcParameters:
    """The domain parameters of a curve, base point uncompressed, cofactor written (TR-03111 5.1.2)."""
    return EcParameters(curve.p, curve.a, curve.b, encode_point(curve, curve.generator), curve.n, curve.h)


def _canonical_prefixes() -> dict[int, list[tuple[bytes, Curve]]]:
    """What stands before the point in keys as most issuers write them, named and explicit, by the length of the whole.

    Equal octets state equal parameters, so that most keys need no look into theirs.
    """
    prefixes: dict[int, list[tuple[bytes, Curve]]] = {}
    for curve in CURVES:
        point = bytes(1 + 2 * curve.coordinate_length)
        for parameters in (curve.oid, explicit_parameters(curve)):
            whole = encode_ec_spki(parameters, point)
            prefixes.setdefault(len(whole), []).append((whole[: -len(point)], curve))
    return prefixes


_CANONICAL: Final = _canonical_prefixes()


def decode_signature_algorithm(identifier: AlgorithmIdentifier, digest_name: str | None = None) -> SignatureAlgorithm:
    """The signature algorithm that an AlgorithmIdentifier states.

    Args:
        identifier: from a certificate, CRL or SignerInfo.
        digest_name: name of the SignerInfo's digest algorithm, where the identifier may be a bare rsaEncryption
            (RFC 3370 3.2).

    Raises:
        DecodeError: RSASSA-PSS without its parameters, or with malformed ones (RFC 4055 3.1).
        VerificationError: ALGORITHM_UNSUPPORTED for an algorithm that this system does not know.
    """
    known = _ALGORITHMS.get(identifier.oid)
    if known is not None:
        return known
    if identifier.oid == oid.RSASSA_PSS:
        return _pss_algorithm(identifier.parameters)
    if identifier.oid == oid.RSA_ENCRYPTION and digest_name is not None:
        return SignatureAlgorithm("rsa-pkcs1", digest_name)
    raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, f"signature algorithm {identifier.oid}")


@lru_cache(maxsize=64)  # the issuers of the world sign in a few ways
def _pss_algorithm(raw: bytes | None) -> SignatureAlgorithm:
    if raw is None:
        raise DecodeError("RSASSA-PSS without parameters", clause="RFC 4055 3.1")
    defects: list[Defect] = []  # what could be tolerated was judged when the structure was decoded
    parameters: PssParameters = decode_pss_parameters(raw, defects)
    return SignatureAlgorithm(
        "rsa-pss", parameters.hash_name, parameters.salt_length, mgf_hash_name=parameters.mgf_hash_name
    )
