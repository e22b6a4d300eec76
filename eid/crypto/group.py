"""Groups for key agreement with a mapped generator: elliptic curves and MODP groups behind one shape.

An element travels and is compared as its encoding: 04 | x | y, or an unsigned integer without leading zeros.
Protocols see octets and four operations; which mathematics is behind them is decided here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

from eid.crypto import points
from eid.crypto.curves import Curve
from eid.crypto.dh_groups import DhParameters
from eid.crypto.hashes import digest
from eid.crypto.integrated_mapping import map_to_field_element, map_to_point
from eid.crypto.key_agreement import EcKeyPair
from eid.errors import DecodeError, LocalProtocolError, PeerProtocolError

Random = Callable[[int], bytes]

EC_PUBLIC_POINT: Final = 0x86  # data object of a public key (TR-03110-3 D.3)
DH_PUBLIC_VALUE: Final = 0x84


class GroupKey(Protocol):
    """A private scalar and its public element on the standard generator."""

    @property
    def public(self) -> bytes:
        """The public element, encoded."""

    def multiply(self, element: bytes) -> bytes:
        """The scalar times an element, encoded.

        Raises:
            DecodeError: it is no element of the group.
        """

    def public_on(self, generator: bytes) -> bytes:
        """The public element on another generator, encoded.

        On a curve, a key whose scalar OpenSSL chose may give the inverse point: nobody can tell k from -k, and both
        `agree` alike.

        Raises:
            DecodeError: the generator is no element of the group.
        """

    def agree(self, element: bytes) -> bytes:
        """The shared secret, of the field's full length: the x coordinate, or the field element (Doc 9303-11 9.6).

        Raises:
            DecodeError: it is no element of the group.
        """


class Group(Protocol):
    """A group of prime order. public_tag: data object in which its public keys stand."""

    name: str
    public_tag: int
    order: int
    field_prime: int

    def generate(self, random: Random = os.urandom) -> GroupKey:
        """A fresh key."""

    def key(self, scalar: int) -> GroupKey:
        """The key of a known scalar in 1..order-1."""

    def add(self, left: bytes, right: bytes) -> bytes:
        """The group operation on two elements, encoded.

        Raises:
            DecodeError: one is no element. PeerProtocolError: the result is the neutral element.
        """

    def require_element(self, raw: bytes) -> bytes:
        """The element itself.

        Raises:
            DecodeError: it is none of the group, or the neutral element.
        """

    def map_number(self, number: int) -> bytes:
        """The element that integrated mapping gives to a field element (Doc 9303-11 4.4.3.3.2).

        Raises:
            PeerProtocolError: the number leads to the neutral element.
            LocalProtocolError: the field does not allow the mapping.
        """


class _EcKey:
    __slots__ = ("_pair", "_sign_is_free")

    def __init__(self, pair: EcKeyPair, *, sign_is_free: bool = False) -> None:
        self._pair = pair
        self._sign_is_free = sign_is_free

    @property
    def public(self) -> bytes:
        return self._pair.encoded_public

    def multiply(self, element: bytes) -> bytes:
        curve = self._pair.curve
        return points.encode_point(curve, self._pair.multiply(points.decode_point(curve, element)))

    def public_on(self, generator: bytes) -> bytes:
        if not self._sign_is_free:
            return self.multiply(generator)
        curve = self._pair.curve
        return points.encode_point(curve, self._pair.public_on(points.decode_point(curve, generator)))

    def agree(self, element: bytes) -> bytes:
        return self._pair.agree(points.decode_point(self._pair.curve, element))

    def __repr__(self) -> str:
        return f"GroupKey({self._pair.curve.name})"


class EcGroup:
    """An elliptic curve of cofactor 1."""

    public_tag: int = EC_PUBLIC_POINT

    def __init__(self, curve: Curve) -> None:
        self.curve = curve
        self.name = curve.name
        self.order = curve.n
        self.field_prime = curve.p

    def __repr__(self) -> str:
        return f"EcGroup({self.name})"

    def generate(self, random: Random = os.urandom) -> GroupKey:
        """A fresh key; OpenSSL chooses the scalar unless other randomness was injected."""
        if random is os.urandom:
            return _EcKey(EcKeyPair.generate(self.curve), sign_is_free=True)
        return _EcKey(EcKeyPair.generate(self.curve, random))

    def key(self, scalar: int) -> GroupKey:
        """The key of a known scalar."""
        return _EcKey(EcKeyPair.from_scalar(self.curve, scalar))

    def add(self, left: bytes, right: bytes) -> bytes:
        """Point addition."""
        curve = self.curve
        total = points.add(curve, points.decode_point(curve, left), points.decode_point(curve, right))
        return points.encode_point(curve, total)

    def require_element(self, raw: bytes) -> bytes:
        """The point itself, on the curve."""
        points.decode_point(self.curve, raw)
        return raw

    def map_number(self, number: int) -> bytes:
        """Point encoding of Doc 9303-11 appendix B.1."""
        return points.encode_point(self.curve, map_to_point(self.curve, number))


class _DhKey:
    """Python's modular exponentiation is not constant-time; these keys live for one PACE run (docs/adr)."""

    __slots__ = ("_group", "_scalar", "public")

    def __init__(self, group: DhParameters, scalar: int) -> None:
        self._group = group
        self._scalar = scalar
        self.public = _encode_number(pow(group.g, scalar, group.p))

    def multiply(self, element: bytes) -> bytes:
        base = _decode_number(self._group, element)
        return _encode_number(pow(base, self._scalar, self._group.p))

    def public_on(self, generator: bytes) -> bytes:
        return self.multiply(generator)

    def agree(self, element: bytes) -> bytes:
        return self.multiply(element).rjust(self._group.length, b"\0")

    def __repr__(self) -> str:
        return f"GroupKey({self._group.name})"

    def __reduce__(self) -> NoReturn:
        raise LocalProtocolError("a private key is not pickled")


class DhGroup:
    """A subgroup of prime order of a prime field's multiplicative group."""

    public_tag: int = DH_PUBLIC_VALUE

    def __init__(self, parameters: DhParameters) -> None:
        self.parameters = parameters
        self.name = parameters.name
        self.order = parameters.q
        self.field_prime = parameters.p

    def __repr__(self) -> str:
        return f"DhGroup({self.name})"

    def generate(self, random: Random = os.urandom) -> GroupKey:
        """A fresh key: uniform in 1..q-1 from 64 bits more than q has (FIPS 186-5 A.2.1)."""
        surplus = int.from_bytes(random((self.order.bit_length() + 7) // 8 + 8), "big")
        return _DhKey(self.parameters, 1 + surplus % (self.order - 1))

    def key(self, scalar: int) -> GroupKey:
        """The key of a known scalar."""
        if not 0 < scalar < self.field_prime:
            raise LocalProtocolError(f"a private key of {self.name} is positive and below the field's prime")
        return _DhKey(self.parameters, scalar)

    def add(self, left: bytes, right: bytes) -> bytes:
        """Multiplication in the field."""
        product = _decode_number(self.parameters, left) * _decode_number(self.parameters, right) % self.field_prime
        if product == 1:
            raise PeerProtocolError("the result is the neutral element")
        return _encode_number(product)

    def require_element(self, raw: bytes) -> bytes:
        """The element itself, of the subgroup."""
        _decode_number(self.parameters, raw)
        return raw

    def map_number(self, number: int) -> bytes:
        """f_g(x) = x^a with a the cofactor (Doc 9303-11 4.4.3.3.2)."""
        element = map_to_field_element(self.field_prime, self.order, number)
        if element == 1:
            raise PeerProtocolError("the nonces lead to the neutral element")
        return _encode_number(element)


def _encode_number(value: int) -> bytes:
    """An unsigned integer without leading zero octets (TR-03110-3 D.2.1.1)."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _decode_number(group: DhParameters, raw: bytes) -> int:
    """An element of the subgroup, other than the neutral one (RFC 2785 3.1): a leading zero octet is tolerated."""
    value = int.from_bytes(raw, "big")
    if len(raw) > group.length + 1 or not 1 < value < group.p - 1 or pow(value, group.q, group.p) != 1:
        raise DecodeError(f"not an element of {group.name}", clause="RFC 2631 2.1.5")
    return value


def compress_public_key(group: Group, element: bytes) -> bytes:
    """Comp(PK): the x coordinate, or SHA-1 of a DH group's public value (TR-03110-3 A.2.2.3).

    Raises:
        DecodeError: it is no element of the group.
    """
    group.require_element(element)
    if isinstance(group, EcGroup):
        return element[1 : 1 + group.curve.coordinate_length]
    return digest("sha1", element.lstrip(b"\0"))  # as it is encoded without a leading zero
