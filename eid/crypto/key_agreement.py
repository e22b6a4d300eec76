"""Elliptic-curve key pairs and Diffie-Hellman (TR-03111 4.3.1; Doc 9303-11 9.4, 9.6).

PACE's generic mapping needs the *whole* point kP of a secret k, which the library's ECDH does not give: only x(kP).
A second ECDH with the public point P + G gives x(kP + Q), where Q = kG is the own public key. Both x and the known Q
fix y (see `_recover_point`). So the scalar never leaves OpenSSL, and no point arithmetic of ours meets it. Of a public
key on the mapped generator either y will do (see `EcKeyPair.public_on`).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Self

from cryptography.hazmat.primitives.asymmetric import ec

from eid.crypto import points
from eid.crypto.points import Point, add, encode_point, is_on_curve, negate, require_on_curve
from eid.errors import LocalProtocolError, PeerProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from eid.crypto.curves import Curve


class EcKeyPair:
    """A private scalar and its public point on the curve's standard generator.

    Make one with `generate` or `from_scalar`. It cannot be copied into text: repr shows the curve only, and pickling
    is refused.
    """

    __slots__ = ("_private", "curve", "public_point")

    curve: Curve
    public_point: Point
    _private: ec.EllipticCurvePrivateKey | int  # an integer only where the library lacks the curve

    def __init__(self, curve: Curve, private: ec.EllipticCurvePrivateKey | int) -> None:
        self.curve = curve
        self._private = private
        if isinstance(private, int):
            self.public_point = _multiply_secret(curve, private, curve.generator)
        else:
            numbers = private.public_key().public_numbers()
            self.public_point = numbers.x, numbers.y

    @classmethod
    def generate(cls, curve: Curve, random: Callable[[int], bytes] | None = None) -> Self:
        """A fresh key pair.

        Args:
            random: gives so many random octets; None leaves the choice of the scalar to OpenSSL.
        """
        if random is not None:
            return cls.from_scalar(curve, _random_scalar(curve, random))
        if curve.library is not None:
            return cls(curve, ec.generate_private_key(curve.library))
        return cls(curve, 1 + secrets.randbelow(curve.n - 1))

    @classmethod
    def from_scalar(cls, curve: Curve, scalar: int) -> Self:
        """The key pair of a known private scalar.

        Raises:
            LocalProtocolError: the scalar is not in 1..n-1.
        """
        if not 0 < scalar < curve.n:
            raise LocalProtocolError(f"a private key on {curve.name} is in 1..n-1")
        if curve.library is not None:
            return cls(curve, ec.derive_private_key(scalar, curve.library))
        return cls(curve, scalar)

    @classmethod
    def from_library_key(cls, key: ec.EllipticCurvePrivateKey, curve: Curve) -> Self:
        """The key pair around a private key of `cryptography`.

        Raises:
            LocalProtocolError: the key is on another curve.
        """
        if curve.library is None or key.curve.name != curve.library.name:
            raise LocalProtocolError(f"the private key is not on {curve.name}")
        return cls(curve, key)

    @property
    def encoded_public(self) -> bytes:
        """04 | x | y of the public key."""
        return encode_point(self.curve, self.public_point)

    def agree(self, peer: Point) -> bytes:
        """The shared secret x(kP), of the field's full length (TR-03111 4.3.1; Doc 9303-11 9.6).

        Raises:
            PeerProtocolError: the peer's point is not on the curve.
        """
        require_on_curve(self.curve, peer)
        if isinstance(self._private, int):
            return self.multiply(peer)[0].to_bytes(self.curve.coordinate_length, "big")
        return self._exchange(self._private, peer)

    def multiply(self, point: Point) -> Point:
        """kP with both coordinates, for PACE's mapping and for public keys on a mapped generator.

        Raises:
            PeerProtocolError: the point is not on the curve.
        """
        require_on_curve(self.curve, point)
        if isinstance(self._private, int):
            return _multiply_secret(self.curve, self._private, point)
        if point == self.curve.generator:
            return self.public_point
        if point == negate(self.curve, self.curve.generator):  # P + G would be infinity
            return negate(self.curve, self.public_point)
        x_product = int.from_bytes(self._exchange(self._private, point), "big")
        shifted = add(self.curve, point, self.curve.generator)
        x_sum = int.from_bytes(self._exchange(self._private, shifted), "big")
        return _recover_point(self.curve, x_product, x_sum, self.public_point)

    def public_on(self, generator: Point) -> Point:
        """The public key on another generator G': kG' or -kG', each as likely as the other.

        For agreement by the x coordinate only: there k and -k are the same private key, since x(-kP) = x(kP). So one
        exchange does, where `multiply` needs two to tell the two points apart.

        Raises:
            PeerProtocolError: the generator is not on the curve.
        """
        if isinstance(self._private, int):
            return self.multiply(generator)
        require_on_curve(self.curve, generator)
        x = self._exchange(self._private, generator)
        sign = bytes((2 | secrets.randbits(1),))  # SEC 1 2.3.4
        numbers = ec.EllipticCurvePublicKey.from_encoded_point(self._private.curve, sign + x).public_numbers()
        return numbers.x, numbers.y

    def _exchange(self, key: ec.EllipticCurvePrivateKey, peer: Point) -> bytes:
        public = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, encode_point(self.curve, peer))
        return key.exchange(ec.ECDH(), public)

    def __repr__(self) -> str:
        return f"EcKeyPair({self.curve.name})"

    def __reduce__(self) -> str:
        raise LocalProtocolError("a private key is not pickled")


def _recover_point(curve: Curve, x_product: int, x_sum: int, known: Point) -> Point:
    """The point R with x(R) = x_product and x(R + Q) = x_sum, for a known Q other than R and -R.

    The chord rule x(R + Q) = ((yR - yQ) / (xR - xQ))^2 - xR - xQ, with yR^2 from the curve's equation, is linear in yR:
    2 yQ yR = yR^2 + yQ^2 - (x(R + Q) + xR + xQ)(xR - xQ)^2.
    """
    p = curve.p
    x_known, y_known = known
    y_square = (x_product * x_product + curve.a) * x_product + curve.b
    chord = (x_sum + x_product + x_known) * (x_product - x_known) ** 2
    y = (y_square + y_known * y_known - chord) * pow(2 * y_known, -1, p) % p  # yQ is not 0: the order is odd
    point = (x_product, y)
    if not is_on_curve(curve, point):  # a fault in one of the two exchanges
        raise PeerProtocolError("the two exchanges contradict each other")
    return point


def _random_scalar(curve: Curve, random: Callable[[int], bytes]) -> int:
    """Uniform in 1..n-1 from 64 octets more bits than n has (FIPS 186-5 A.2.1)."""
    surplus = int.from_bytes(random(curve.order_length + 8), "big")
    return 1 + surplus % (curve.n - 1)


def _multiply_secret(curve: Curve, scalar: int, point: Point) -> Point:
    """kP for a secret k on a curve that the library lacks: a Montgomery ladder of fixed length.

    Python's integers are not constant-time; this hides the scalar's length and bit pattern, not every microsecond.
    Adding n or 2n gives every scalar the same number of bits.
    """
    fixed = scalar + curve.n
    if fixed.bit_length() == curve.n.bit_length():
        fixed += curve.n
    return points.ladder(curve, fixed, point)
