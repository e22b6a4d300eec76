"""Curves that a chip writes out: sound ones are taken, every way of being weak is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from eid.codec.spki import EcParameters
from eid.crypto.curves import CURVES
from eid.crypto.foreign_curves import has_small_embedding_degree, is_probable_prime, validate_curve
from eid.crypto.key_agreement import EcKeyPair
from eid.crypto.public_key import explicit_parameters
from eid.errors import PeerProtocolError
from tests.builders.foreign_curves import FRP256V1, MADE_UP, SECP256K1

SOUND = [MADE_UP, FRP256V1, SECP256K1]
WIDE = [curve for curve in CURVES if curve.n.bit_length() >= 224]


@pytest.mark.parametrize("parameters", SOUND, ids=["made up", "FRP256v1", "secp256k1"])
def test_a_sound_curve_is_taken_and_agrees_with_itself(parameters: EcParameters) -> None:
    curve = validate_curve(parameters)
    assert (curve.p, curve.a, curve.b, curve.n, curve.h) == (
        parameters.p, parameters.a, parameters.b, parameters.n, 1
    )  # fmt: skip
    left, right = EcKeyPair.generate(curve), EcKeyPair.generate(curve)
    assert left.agree(right.public_point) == right.agree(left.public_point)


def test_each_curve_has_a_name_of_its_own() -> None:
    names = {validate_curve(parameters).name for parameters in SOUND}
    assert len(names) == len(SOUND)
    assert all(name.startswith("explicit-256-") for name in names)


@pytest.mark.parametrize("curve", WIDE, ids=lambda curve: curve.name)
def test_the_standardised_curves_pass(curve) -> None:
    """The rules refuse nothing that others have examined."""
    assert validate_curve(explicit_parameters(curve)).generator == curve.generator


def test_the_cofactor_may_be_left_out() -> None:
    assert validate_curve(replace(MADE_UP, h=None)) == validate_curve(MADE_UP)


P = MADE_UP.p
Y = int.from_bytes(MADE_UP.generator[33:], "big")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda known: replace(known, p=known.p + 2), "not prime|no field element|another|base point"),
        (lambda known: replace(known, a=known.p), "no field element"),
        (lambda known: replace(known, b=known.p + known.b), "no field element"),
        (lambda known: replace(known, a=0, b=0), "singular"),
        (lambda known: replace(known, b=(known.b + 1) % known.p), "base point"),
        (lambda known: replace(known, h=2), "cofactor"),
        (lambda known: replace(known, h=0), "cofactor"),
        (lambda known: replace(known, n=known.p), "anomalous"),
        (lambda known: replace(known, n=known.n - 2), "not prime|another order"),
        (lambda known: replace(known, n=known.n >> 8), "whole curve"),
        (lambda known: replace(known, n=0), "too small"),
        (lambda known: replace(known, generator=b""), "base point"),
        (lambda known: replace(known, generator=b"\x00"), "base point"),
        (lambda known: replace(known, generator=b"\x02" + known.generator[1:33]), "base point"),
        (lambda known: replace(known, generator=known.generator[:33] + ((Y + 1) % P).to_bytes(32, "big")), "base"),
    ],
)  # fmt: skip
def test_what_is_not_sound_is_refused(spoil: Callable[[EcParameters], EcParameters], why: str) -> None:
    with pytest.raises(PeerProtocolError, match=why):
        validate_curve(spoil(MADE_UP))


def test_curves_of_small_fields_are_refused() -> None:
    for curve in CURVES:
        if curve.n.bit_length() < 224:
            with pytest.raises(PeerProtocolError, match="too small"):
                validate_curve(explicit_parameters(curve))


def test_a_prime_that_is_not_this_curves_order_is_found_out() -> None:
    """A prime within Hasse's bounds: only the multiplication tells."""
    prime = next(number for number in range(MADE_UP.n + 2, MADE_UP.n + 10_000, 2) if is_probable_prime(number))
    with pytest.raises(PeerProtocolError, match="another order"):
        validate_curve(replace(MADE_UP, n=prime))


def test_a_group_of_part_of_the_points_is_refused() -> None:
    """A prime order that is a small part of the curve's: the rest of it leaks the scalar piece by piece."""
    with pytest.raises(PeerProtocolError, match="whole curve"):
        validate_curve(replace(MADE_UP, n=(1 << 224) - 63))


def test_pairing_friendly_curves_are_refused() -> None:
    """Field and order of curves of embedding degree 6 (Miyaji, Nakabayashi, Takano 2001): p = 4l^2 + 1, n = p - 2l."""
    start = 1 << 126
    half = next(
        number
        for number in range(start, start + 1_000_000)
        if all((4 * number * number + 1) % small and (4 * number * number + 1 - 2 * number) % small for small in SMALL)
        and is_probable_prime(4 * number * number + 1)
        and is_probable_prime(4 * number * number + 1 - 2 * number)
    )
    p = 4 * half * half + 1
    n = p - 2 * half
    assert has_small_embedding_degree(p, n)
    assert not has_small_embedding_degree(MADE_UP.p, MADE_UP.n)
    with pytest.raises(PeerProtocolError, match="embedding degree"):
        validate_curve(EcParameters(p, 1, 1, b"\x04" + bytes(64), n, 1))


SMALL = [number for number in range(3, 400) if all(number % other for other in range(2, number))]


@pytest.mark.parametrize(
    ("number", "is_prime"),
    [
        (-7, False), (0, False), (1, False), (2, True), (3, True), (4, False), (5, True), (9, False),
        (561, False), (3215031751, False), (2**127 - 1, True), (2**127 + 1, False), (2**255 - 19, True),
    ],
)  # fmt: skip
def test_primes(number: int, is_prime: bool) -> None:
    assert is_probable_prime(number) is is_prime
