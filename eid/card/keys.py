"""Private keys on the card: generated, imported, used; kept as PKCS#8 (RFC 5208), DER."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from eid.card.memory import StoredKey
from eid.codec.oid import decode_oid_content, encode_oid_content
from eid.codec.status_word import SW
from eid.codec.tlv import Tlv, encode_tlv, find_tlv, require_tlv
from eid.crypto.curves import Curve, curve_by_name, curve_by_oid, curve_of_library
from eid.crypto.group import EcGroup
from eid.crypto.key_agreement import EcKeyPair
from eid.errors import CommandRefused, DecodeError
from eid.profile.card_image import KeyAlgorithm, KeyPurpose
from eid.protocols.chip_authentication.core import StaticKey

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
RSA_BITS: Final = (1024, 1536, 2048, 3072, 4096)
RSA_EXPONENT: Final = 65537

ALGORITHMS: Final = {
    0x11: (KeyPurpose.ACTIVE_AUTHENTICATION, "ec"),
    0x12: (KeyPurpose.ACTIVE_AUTHENTICATION, "rsa"),
    0x21: (KeyPurpose.CHIP_AUTHENTICATION, "ec"),
    0x31: (KeyPurpose.RESTRICTED_IDENTIFICATION, "ec"),
    0x32: (KeyPurpose.RESTRICTED_IDENTIFICATION_AUTHORIZED, "ec"),
}
"""Algorithm octets of GENERATE ASYMMETRIC KEY PAIR and of key import."""
HASH_OCTETS: Final = {0x01: "sha1", 0x02: "sha224", 0x03: "sha256", 0x04: "sha384", 0x05: "sha512"}


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """What kind of key is wanted, for what, under which reference."""

    purpose: KeyPurpose
    reference: int
    algorithm: KeyAlgorithm

    def encode(self) -> bytes:
        """The data objects inside AC or 7F48."""
        octet = next(key for key, value in ALGORITHMS.items() if value == (self.purpose, self.algorithm.kind))
        hash_octet = next(key for key, value in HASH_OCTETS.items() if value == self.algorithm.hash_name)
        return (
            encode_tlv(0x80, bytes((octet,)))
            + encode_tlv(0x84, bytes((self.reference,)))
            + self._parameter()
            + encode_tlv(0x82, bytes((hash_octet,)))
        )

    def _parameter(self) -> bytes:
        if self.algorithm.kind == "rsa":
            return encode_tlv(0x81, int(self.algorithm.parameter).to_bytes(2, "big"))
        curve = curve_by_name(self.algorithm.parameter)
        if curve is None:
            raise DecodeError(f"no curve {self.algorithm.parameter!r}")
        return encode_tlv(0x06, encode_oid_content(curve.oid))


def decode_key_order(objects: tuple[Tlv, ...]) -> KeyOrder:
    """Read the data objects inside AC or 7F48.

    Raises:
        DecodeError: malformed or missing. CommandRefused: 6A81 unknown algorithm, curve, length or hash.
    """
    octet = require_tlv(objects, 0x80).value
    if len(octet) != 1 or octet[0] not in ALGORITHMS:
        raise CommandRefused(SW.FUNCTION_NOT_SUPPORTED, "unknown algorithm")
    purpose, kind = ALGORITHMS[octet[0]]
    hash_octet = find_tlv(objects, 0x82)
    hash_name = "sha256" if hash_octet is None else HASH_OCTETS.get(int.from_bytes(hash_octet.value, "big"))
    if hash_name is None:
        raise CommandRefused(SW.FUNCTION_NOT_SUPPORTED, "unknown hash function")
    parameter = _decode_curve(objects) if kind == "ec" else _decode_bits(objects)
    return KeyOrder(purpose, decode_reference(objects), KeyAlgorithm(kind, parameter, hash_name))


def decode_reference(objects: tuple[Tlv, ...]) -> int:
    """The key reference, data object 84, 1..31.

    Raises:
        DecodeError: missing or out of range.
    """
    value = require_tlv(objects, 0x84).value
    if len(value) != 1 or not 1 <= value[0] <= 31:
        raise DecodeError("key reference is one octet, 01 to 1F")
    return value[0]


def _decode_curve(objects: tuple[Tlv, ...]) -> str:
    curve = curve_by_oid(decode_oid_content(require_tlv(objects, 0x06).value))
    if curve is None or curve.library is None:
        raise CommandRefused(SW.FUNCTION_NOT_SUPPORTED, "the chip does not know the curve")
    return curve.name


def _decode_bits(objects: tuple[Tlv, ...]) -> str:
    bits = int.from_bytes(require_tlv(objects, 0x81).value, "big")
    if bits not in RSA_BITS:
        raise CommandRefused(SW.FUNCTION_NOT_SUPPORTED, "the chip does not make RSA keys of this length")
    return str(bits)


def generate_key(order: KeyOrder, random: Callable[[int], bytes]) -> StoredKey:
    """Make a private key; an EC scalar comes from `random`, an RSA key from OpenSSL alone.

    Raises:
        CommandRefused: 6A81 the chip cannot.
    """
    if order.algorithm.kind == "rsa":
        key: PrivateKey = rsa.generate_private_key(RSA_EXPONENT, int(order.algorithm.parameter))
    else:
        curve = curve_by_name(order.algorithm.parameter)
        if curve is None or curve.library is None:
            raise CommandRefused(SW.FUNCTION_NOT_SUPPORTED, "the chip does not know the curve")
        key = ec.derive_private_key(_random_scalar(curve, random), curve.library)
    return StoredKey(order.purpose, order.reference, order.algorithm, encode_private_key(key))


def _random_scalar(curve: Curve, random: Callable[[int], bytes]) -> int:
    """Uniform in 1..n-1 from 64 bits more than n has (FIPS 186-5 A.2.1)."""
    return 1 + int.from_bytes(random(curve.order_length + 8), "big") % (curve.n - 1)


def import_key(order: KeyOrder, pkcs8: bytes) -> StoredKey:
    """Take a private key made elsewhere; kept in the encoding of our own, so that equal keys are equal bytes.

    Raises:
        DecodeError: not PKCS#8, or a key of another kind than the order says.
    """
    key = decode_private_key(pkcs8)
    if describe_key(key) != (order.algorithm.kind, order.algorithm.parameter):
        raise DecodeError("the private key is not of the kind that was announced")
    return StoredKey(order.purpose, order.reference, order.algorithm, encode_private_key(key))


def describe_key(key: PrivateKey) -> tuple[str, str]:
    """Kind and parameter, as `KeyAlgorithm` has them; the parameter is empty for a curve that is not in the table."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "rsa", str(key.key_size)
    curve = curve_of_library(key.curve)
    return "ec", "" if curve is None else curve.name


def decode_private_key(pkcs8: bytes) -> PrivateKey:
    """Read PKCS#8.

    Raises:
        DecodeError: not an unencrypted PKCS#8 key, RSA or on a known curve.
    """
    try:
        key = load_der_private_key(pkcs8, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise DecodeError("not a private key in PKCS#8", clause="RFC 5208 5") from None
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise DecodeError("the private key is neither RSA nor on a curve", clause="RFC 5208 5")
    return key


def encode_private_key(key: PrivateKey) -> bytes:
    """PKCS#8, DER."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def encode_public_key(stored: StoredKey) -> bytes:
    """The public key template, 7F49 { 06, 86 } or { 81, 82 } (ISO/IEC 7816-8 5.5.3.2)."""
    key = decode_private_key(stored.private_key)
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
        return encode_tlv(0x7F49, encode_tlv(0x81, modulus) + encode_tlv(0x82, exponent))
    pair = key_pair(stored)
    oid = encode_oid_content(pair.curve.oid)
    return encode_tlv(0x7F49, encode_tlv(0x06, oid) + encode_tlv(0x86, pair.encoded_public))


def key_pair(stored: StoredKey) -> EcKeyPair:
    """An EC key, ready for key agreement.

    Raises:
        DecodeError: it is no EC key on a known curve.
    """
    key = decode_private_key(stored.private_key)
    curve = None if isinstance(key, rsa.RSAPrivateKey) else curve_of_library(key.curve)
    if curve is None or isinstance(key, rsa.RSAPrivateKey):
        raise DecodeError("the key is not on a known curve")
    return EcKeyPair.from_library_key(key, curve)


def static_key(stored: StoredKey) -> StaticKey:
    """A key of Chip Authentication or Restricted Identification, ready for use.

    Raises:
        DecodeError: it is no EC key on a known curve.
    """
    curve = key_pair(stored).curve
    group = EcGroup(curve)
    return StaticKey(group, group.key(private_scalar(stored)))


def private_scalar(stored: StoredKey) -> int:
    """The scalar of an EC key; chip-authentication mapping computes with it (Doc 9303-11 4.4.3.5.1).

    Raises:
        DecodeError: it is no EC key.
    """
    key = decode_private_key(stored.private_key)
    if isinstance(key, rsa.RSAPrivateKey):
        raise DecodeError("the key is not on a curve")
    return key.private_numbers().private_value
