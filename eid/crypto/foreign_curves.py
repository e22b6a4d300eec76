"""Curves that a chip writes out and nobody knows, validated in full before anything is computed on them.

Nobody vouches for such parameters: EF.CardAccess is not signed when PACE is run. In a group whose logarithms are easy
the password could be guessed from one run that has failed, so everything that makes them easy is looked for (SEC 1
3.1.1.2.1). What is left is a prime field and a group of prime order, as large as those of Doc 9303-12 4.1.6.3, without
pairing or lift into an easier one. Of such curves no weakness is known, nor a way to hide one (docs/adr/0021).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from math import isqrt
from typing import Final

from eid.codec.spki import EcParameters
from eid.crypto.curves import Curve
from eid.crypto.hashes import digest
from eid.crypto.points import decode_point, ladder
from eid.errors import DecodeError, PeerProtocolError

MIN_BITS: Final = 224  # Doc 9303-12 4.1.6.3
MAX_BITS: Final = 521  # P-521 is the largest that is standardised; arithmetic in larger fields would be a way to stall
EMBEDDING_DEGREES: Final = 10_000  # SEC 1 wants 100
_ROUNDS: Final = 64  # a composite number passes one in 4 at most, however it was chosen
_CLAUSE: Final = "SEC 1 3.1.1.2.1"


@lru_cache(maxsize=16)
def validate_curve(parameters: EcParameters) -> Curve:
    """The curve of explicit parameters, once nothing is found against them.

    Raises:
        PeerProtocolError: they are not those of a curve of prime order over a prime field, or of one that is weak.
    """
    p, a, b, n = parameters.p, parameters.a, parameters.b, parameters.n
    _require(MIN_BITS <= p.bit_length() <= MAX_BITS and n.bit_length() >= MIN_BITS, "too small or too large")
    _require(parameters.h in (None, 1), "the cofactor is not 1")
    _require(a < p and b < p, "a coefficient is no field element")
    _require((4 * a**3 + 27 * b**2) % p != 0, "the curve is singular")
    # Hasse: so far is the number of points from p + 1. A group of a prime order in this interval is the whole curve.
    _require(abs(p + 1 - n) <= isqrt(4 * p) + 1, "the order is not that of a whole curve")
    _require(n != p, "the curve is anomalous")
    _require(is_probable_prime(p) and is_probable_prime(n), "field or order is not prime")
    _require(not has_small_embedding_degree(p, n), "the curve has a small embedding degree")
    return _with_generator(parameters)


def _with_generator(parameters: EcParameters) -> Curve:
    """The curve, its base point on it and of the stated order."""
    p, n, bits = parameters.p, parameters.n, parameters.p.bit_length()
    curve = Curve(f"explicit-{bits}", "", None, p, parameters.a, parameters.b, 0, 0, n, 1, None)
    try:
        x, y = decode_point(curve, parameters.generator)
    except DecodeError as fault:
        raise PeerProtocolError(f"domain parameters: the base point: {fault} ({_CLAUSE})") from fault
    # nG is the point at infinity: (n - 1) G = -G
    _require(ladder(curve, n - 1, (x, y)) == (x, p - y), "the base point has another order")
    values = (p, parameters.a, parameters.b, x, y, n)
    size = max(value.bit_length() for value in values) // 8 + 1
    name = digest("sha256", b"".join(value.to_bytes(size, "big") for value in values)).hex()[:16]
    return Curve(f"explicit-{bits}-{name}", "", None, p, parameters.a, parameters.b, x, y, n, 1, None)


def is_probable_prime(number: int, random: Callable[[int], bytes] = os.urandom) -> bool:
    """Miller's and Rabin's test with random bases, which nobody can prepare a number for (FIPS 186-5 B.3.1)."""
    if number < 4 or number % 2 == 0:
        return number in (2, 3)
    odd = number - 1
    twos = (odd & -odd).bit_length() - 1
    odd >>= twos
    length = number.bit_length() // 8 + 8
    return all(
        _passes(number, 2 + int.from_bytes(random(length), "big") % (number - 3), odd, twos) for _ in range(_ROUNDS)
    )


def _passes(number: int, base: int, odd: int, twos: int) -> bool:
    power = pow(base, odd, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False


def has_small_embedding_degree(p: int, n: int) -> bool:
    """Whether n divides p^k - 1 for a small k, so that pairings carry logarithms into the field of p^k elements."""
    power = 1
    for _ in range(EMBEDDING_DEGREES):
        power = power * p % n
        if power == 1:
            return True
    return False


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise PeerProtocolError(f"domain parameters: {complaint} ({_CLAUSE})")
