"""SubjectPublicKeyInfo (RFC 5280 4.1.2.7): RSA and EC keys, EC domain parameters named or explicit, read and written.

Explicit parameters (SEC 1 C.2, TR-03111 5.1.2, demanded by Doc 9303-12 4.1.6.3) are read as numbers only. Whether they
are those of a known curve is decided in `eid.crypto.public_key`; nothing may compute with parameters from a document.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec import der, oid
from eid.codec.algorithm import AlgorithmIdentifier, read_algorithm
from eid.errors import DecodeError

MAX_SPKI: Final = 1 << 14  # octets
_CLAUSE: Final = "SEC 1 C.2"


@dataclass(frozen=True, slots=True)
class SubjectPublicKeyInfo:
    """Algorithm and the octets of subjectPublicKey."""

    algorithm: AlgorithmIdentifier
    public_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EcParameters:
    """Explicit domain parameters over a prime field.

    Args:
        p, a, b, n: numbers; h the cofactor, None where it is absent.
        generator: base point as octets, uncompressed or compressed.
    """

    p: int
    a: int
    b: int
    generator: bytes
    n: int
    h: int | None


@dataclass(frozen=True, slots=True)
class RsaPublicKey:
    """Modulus and public exponent."""

    modulus: int
    public_exponent: int


def decode_spki(raw: bytes) -> SubjectPublicKeyInfo:
    """Decode a SubjectPublicKeyInfo that fills the input.

    Raises:
        DecodeError: malformed, or parameters other than the algorithm demands.
    """
    what = "SubjectPublicKeyInfo"
    offset, stop = der.read_sequence(raw, what, MAX_SPKI)
    algorithm, offset = read_algorithm(raw, offset, stop, f"{what} algorithm")
    public_key, offset = der.read_bit_string(raw, offset, stop, "subjectPublicKey")
    der.check_end(offset, stop, what)
    return SubjectPublicKeyInfo(algorithm, public_key)


def decode_rsa_public_key(raw: bytes) -> RsaPublicKey:
    """Decode the content of subjectPublicKey for rsaEncryption and id-RSASSA-PSS (RFC 8017 A.1.1).

    Raises:
        DecodeError: malformed, or a number that is not positive.
    """
    what = "RSAPublicKey"
    offset, stop = der.read_sequence(raw, what, MAX_SPKI)
    modulus, offset = der.read_integer(raw, offset, stop, "modulus")
    exponent, offset = der.read_integer(raw, offset, stop, "publicExponent")
    der.check_end(offset, stop, what)
    if modulus <= 0 or exponent <= 0:
        raise DecodeError(f"{what}: a number is not positive", offset=0, clause="RFC 8017 A.1.1")
    return RsaPublicKey(modulus, exponent)


def decode_ec_parameters(raw: bytes | None) -> str | EcParameters:
    """Decode the parameters of id-ecPublicKey: the dotted identifier of a named curve, or explicit parameters.

    Raises:
        DecodeError: absent, implicit, over another field than a prime one, or malformed.
    """
    if raw is None:
        raise DecodeError("ECParameters are missing", clause=_CLAUSE)
    der.check_input(raw, "ECParameters", MAX_SPKI)
    if raw[:1] == b"\x06":
        name, stop = der.read_oid(raw, 0, len(raw), "namedCurve")
        der.check_end(stop, len(raw), "namedCurve")
        return name
    offset, stop = der.read_sequence(raw, "ECParameters", MAX_SPKI)
    version, offset = der.read_unsigned(raw, offset, stop, "ECParameters version")
    if not 1 <= version <= 3:
        raise DecodeError("ECParameters: unknown version", offset=offset, clause=_CLAUSE)
    p, offset = _read_prime_field(raw, offset, stop)
    a, b, offset = _read_curve(raw, offset, stop)
    generator, offset = der.read_octet_string(raw, offset, stop, "base")
    n, offset = der.read_unsigned(raw, offset, stop, "order")
    h = None
    if offset < stop:
        h, offset = der.read_unsigned(raw, offset, stop, "cofactor")
    der.check_end(offset, stop, "ECParameters")
    return EcParameters(p, a, b, generator, n, h)


def _read_prime_field(data: bytes, offset: int, end: int) -> tuple[int, int]:
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, "fieldID")
    name, inner = der.read_oid(data, offset, stop, "fieldType")
    if name != oid.PRIME_FIELD:
        raise DecodeError("fieldType is no prime field", offset=offset, clause=_CLAUSE)
    p, inner = der.read_unsigned(data, inner, stop, "prime")
    der.check_end(inner, stop, "fieldID")
    return p, stop


def _read_curve(data: bytes, offset: int, end: int) -> tuple[int, int, int]:
    """Coefficients a and b; the seed says nothing about the curve and is passed over."""
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, "curve")
    a, offset = der.read_octet_string(data, offset, stop, "a")
    b, offset = der.read_octet_string(data, offset, stop, "b")
    if offset < stop:
        _, offset = der.read_bit_string(data, offset, stop, "seed")
    der.check_end(offset, stop, "curve")
    return int.from_bytes(a, "big"), int.from_bytes(b, "big"), stop


# --- writing --------------------------------------------------------------------------------------------------------


def encode_spki(algorithm: AlgorithmIdentifier, public_key: bytes) -> bytes:
    """SubjectPublicKeyInfo."""
    return der.encode_sequence(algorithm.encode(), der.encode_bit_string(public_key))


def encode_rsa_spki(modulus: int, public_exponent: int) -> bytes:
    """SubjectPublicKeyInfo of an RSA key, rsaEncryption with NULL (RFC 3279 2.3.1)."""
    key = der.encode_sequence(der.encode_integer(modulus), der.encode_integer(public_exponent))
    return encode_spki(AlgorithmIdentifier(oid.RSA_ENCRYPTION, der.encode_null()), key)


def encode_ec_spki(parameters: str | EcParameters, point: bytes) -> bytes:
    """SubjectPublicKeyInfo of an EC key.

    Args:
        parameters: dotted identifier of a named curve, or explicit parameters.
        point: the public point, 04 || x || y.
    """
    encoded = der.encode_oid(parameters) if isinstance(parameters, str) else encode_ec_parameters(parameters)
    return encode_spki(AlgorithmIdentifier(oid.EC_PUBLIC_KEY, encoded), point)


def encode_ec_parameters(parameters: EcParameters) -> bytes:
    """ECParameters, version 1, coefficients as long as the prime (SEC 1 2.3.5), without seed."""
    size = (parameters.p.bit_length() + 7) // 8
    coefficients = (der.encode_octet_string(value.to_bytes(size, "big")) for value in (parameters.a, parameters.b))
    return der.encode_sequence(
        der.encode_integer(1),
        der.encode_sequence(der.encode_oid(oid.PRIME_FIELD), der.encode_integer(parameters.p)),
        der.encode_sequence(*coefficients),
        der.encode_octet_string(parameters.generator),
        der.encode_integer(parameters.n),
        der.encode_integer(parameters.h) if parameters.h is not None else b"",
    )
