"""Integrated mapping of PACE: two nonces to a pseudo-random field element, and that to a group element.

Doc 9303-11 4.4.3.3.2 and appendix B. The mapping to a curve is that of Brier et al. for primes that are 3 modulo 4.
"""

from __future__ import annotations

from typing import Final

from eid.crypto.block_cipher import encrypt_cbc
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.curves import Curve
from eid.crypto.points import Point
from eid.errors import LocalProtocolError, PeerProtocolError

SECURITY_MARGIN: Final = 64  # bits beyond the prime's, so that the remainder is close to uniform

# Constants c0 and c1 by the length of the cipher's key (Doc 9303-11 4.4.3.3.2).
_CONSTANTS_128: Final = (
    bytes.fromhex("a668892a7c41e3ca739f40b057d85904"),
    bytes.fromhex("a4e136ac725f738b01c1f60217c188ad"),
)
_CONSTANTS_256: Final = (
    bytes.fromhex("d463d65234124ef7897054986dca0a174e28df758cbaa03f240616414d5a1676"),
    bytes.fromhex("54bd7255f0aaf831bec3423fcf39d69b6cbf066677d0faae5aadd99df8e53517"),
)


def nonce_lengths(suite: CipherSuite) -> tuple[int, int]:
    """Octets of the card's nonce s and of the terminal's nonce t: the cipher's block length l and key length k.

    l is 128 bits for 3DES and AES-128, 256 for AES-192 and AES-256 (Doc 9303-11 4.4.3.3.2).
    """
    return (16 if suite.key_length <= 16 else 32), suite.key_length


def derive_pseudo_random(suite: CipherSuite, s: bytes, t: bytes, prime: int) -> bytes:
    """R(s,t), as many octets as reach the prime's length and the margin.

    Args:
        s: the card's nonce. t: the terminal's nonce, of the cipher's key length.
    """
    c0, c1 = _CONSTANTS_128 if suite.key_length <= 16 else _CONSTANTS_256
    key = encrypt_cbc(suite, t, bytes(suite.block_size), s)
    result = b""
    while len(result) * 8 < prime.bit_length() + SECURITY_MARGIN:
        cipher_key = key[: suite.key_length]
        result += encrypt_cbc(suite, cipher_key, bytes(suite.block_size), c1)
        key = encrypt_cbc(suite, cipher_key, bytes(suite.block_size), c0)
    return result


def derive_field_element(suite: CipherSuite, s: bytes, t: bytes, prime: int) -> int:
    """R_p(s,t) = R(s,t) mod p."""
    return int.from_bytes(derive_pseudo_random(suite, s, t, prime), "big") % prime


def map_to_field_element(prime: int, order: int, number: int) -> int:
    """f_g(x) = x^((p-1)/q) mod p."""
    return pow(number, (prime - 1) // order, prime)


def map_to_point(curve: Curve, number: int) -> Point:
    """The point of a field element (Doc 9303-11 B.1), for primes that are 3 modulo 4.

    Raises:
        LocalProtocolError: the curve's prime is not 3 modulo 4.
        PeerProtocolError: one of the three field elements that have no image.
    """
    p, a, b = curve.p, curve.a, curve.b
    if p % 4 != 3:
        raise LocalProtocolError(f"integrated mapping needs a prime that is 3 modulo 4; that of {curve.name} is not")
    alpha = -number * number % p
    denominator = a * (alpha + alpha * alpha) % p
    if denominator == 0:
        raise PeerProtocolError("the nonces lead to a field element without image")
    # X2 = -b/a (1 + 1/(alpha + alpha^2)), with one inversion.
    x2 = -b * (1 + alpha + alpha * alpha) * pow(denominator, -1, p) % p
    x3 = alpha * x2 % p
    h2 = (x2 * x2 * x2 + a * x2 + b) % p
    u = number * number * number * h2 % p
    root = pow(h2, p - 1 - (p + 1) // 4, p)
    if root * root * h2 % p == 1:
        return x2, root * h2 % p
    return x3, root * u % p
