"""Points of elliptic curves as integers: the group law, membership, encodings (SEC 1 2.2, 2.3; TR-03111 3.2).

For PUBLIC values only: Python's integers take time that depends on their value. Secret scalars belong to
`eid.crypto.key_agreement`. The point at infinity is not a `Point`: no protocol here may go on with it, so what would
yield it raises instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eid.errors import DecodeError, PeerProtocolError

if TYPE_CHECKING:
    from eid.crypto.curves import Curve

Point = tuple[int, int]
"""Affine coordinates (x, y)."""

_Jacobian = tuple[int, int, int]
"""(X, Y, Z) stands for (X/Z^2, Y/Z^3); Z = 0 is the point at infinity."""

_INFINITY: _Jacobian = (1, 1, 0)


def is_on_curve(curve: Curve, point: Point) -> bool:
    """Whether both coordinates are field elements and satisfy the equation.

    Every curve here has cofactor 1, so a point on the curve is in the group of prime order (TR-03111 3.2.2.1).
    """
    x, y = point
    p = curve.p
    return 0 <= x < p and 0 <= y < p and (y * y - (x * x + curve.a) * x - curve.b) % p == 0


def require_on_curve(curve: Curve, point: Point) -> None:
    """Refuse a point that is not on the curve.

    Raises:
        PeerProtocolError: it is not.
    """
    if not is_on_curve(curve, point):
        raise PeerProtocolError(f"the point is not on {curve.name}")


def negate(curve: Curve, point: Point) -> Point:
    """-P."""
    x, y = point
    return x, -y % curve.p


def add(curve: Curve, left: Point, right: Point) -> Point:
    """P + Q of two points on the curve, equal or not.

    Raises:
        PeerProtocolError: a point is not on the curve, or the sum is the point at infinity.
    """
    require_on_curve(curve, left)
    require_on_curve(curve, right)
    return _to_affine(curve, _add(curve, (*left, 1), (*right, 1)))


def double(curve: Curve, point: Point) -> Point:
    """2P of a point on the curve.

    Raises:
        PeerProtocolError: the point is not on the curve.
    """
    require_on_curve(curve, point)
    return _to_affine(curve, _double(curve, (*point, 1)))


def multiply(curve: Curve, scalar: int, point: Point) -> Point:
    """kP for a public scalar, taken modulo n.

    Raises:
        PeerProtocolError: the point is not on the curve, or the product is the point at infinity.
    """
    require_on_curve(curve, point)
    return _to_affine(curve, _multiply(curve, scalar % curve.n, point))


def multiply_add(curve: Curve, u1: int, u2: int, point: Point) -> Point:
    """u1 G + u2 P for public scalars: what verifying an ECDSA signature needs.

    Raises:
        PeerProtocolError: the point is not on the curve, or the sum is the point at infinity.
    """
    require_on_curve(curve, point)
    left = _multiply(curve, u1 % curve.n, curve.generator)
    right = _multiply(curve, u2 % curve.n, point)
    return _to_affine(curve, _add(curve, left, right))


def encode_point(curve: Curve, point: Point) -> bytes:
    """04 | x | y, each coordinate of the field's full length (SEC 1 2.3.3)."""
    size = curve.coordinate_length
    return b"\x04" + point[0].to_bytes(size, "big") + point[1].to_bytes(size, "big")


def decode_point(curve: Curve, raw: bytes) -> Point:
    """The point that 04 | x | y means; Doc 9303-11 9.4.1 allows the uncompressed form only.

    Raises:
        DecodeError: another form, another length, the point at infinity, or not on the curve.
    """
    size = curve.coordinate_length
    if len(raw) != 1 + 2 * size or raw[0] != 0x04:
        raise DecodeError(f"a point of {curve.name} is 04 and {2 * size} octets", clause="TR-03111 3.2.1")
    point = int.from_bytes(raw[1 : 1 + size], "big"), int.from_bytes(raw[1 + size :], "big")
    if not is_on_curve(curve, point):
        raise DecodeError(f"the point is not on {curve.name}", clause="TR-03111 3.2.2.1")
    return point


def ladder(curve: Curve, scalar: int, point: Point) -> Point:
    """kP by Montgomery's ladder: one addition and one doubling per bit, whatever the bit (TR-03111 D.1).

    Raises:
        PeerProtocolError: the product is the point at infinity.
    """
    low, high = _INFINITY, (*point, 1)  # high - low stays P
    for bit in bin(scalar)[2:]:
        total = _add(curve, low, high)
        low, high = (total, _double(curve, high)) if bit == "1" else (_double(curve, low), total)
    return _to_affine(curve, low)


def _multiply(curve: Curve, scalar: int, point: Point) -> _Jacobian:
    """Left-to-right double and add."""
    base = (*point, 1)
    result = _INFINITY
    for bit in bin(scalar)[2:]:
        result = _double(curve, result)
        if bit == "1":
            result = _add(curve, result, base)
    return result


def _double(curve: Curve, point: _Jacobian) -> _Jacobian:
    """2P in Jacobian coordinates, any a; infinity and points of order two give Z = 0."""
    p = curve.p
    x, y, z = point
    yy = y * y % p
    zz = z * z % p
    s = 4 * x * yy % p
    m = (3 * x * x + curve.a * zz * zz) % p
    x3 = (m * m - 2 * s) % p
    return x3, (m * (s - x3) - 8 * yy * yy) % p, 2 * y * z % p


def _add(curve: Curve, left: _Jacobian, right: _Jacobian) -> _Jacobian:
    """P + Q, all cases."""
    p = curve.p
    x1, y1, z1 = left
    x2, y2, z2 = right
    if z1 == 0:
        return right
    if z2 == 0:
        return left
    zz1, zz2 = z1 * z1 % p, z2 * z2 % p
    u1, s1 = x1 * zz2 % p, y1 * zz2 * z2 % p
    h = (x2 * zz1 - u1) % p
    r = (y2 * zz1 * z1 - s1) % p
    if h == 0:
        return _double(curve, left) if r == 0 else _INFINITY
    hh = h * h % p
    hhh = h * hh % p
    v = u1 * hh % p
    x3 = (r * r - hhh - 2 * v) % p
    return x3, (r * (v - x3) - s1 * hhh) % p, z1 * z2 * h % p


def _to_affine(curve: Curve, point: _Jacobian) -> Point:
    x, y, z = point
    if z == 0:
        raise PeerProtocolError("the result is the point at infinity")
    p = curve.p
    inverse = pow(z, -1, p)
    square = inverse * inverse % p
    return x * square % p, y * square * inverse % p
