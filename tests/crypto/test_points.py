"""The group law and point encodings, against the library and published points."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.crypto.curves import CURVES, Curve, curve_by_id
from eid.crypto.points import (
    add,
    decode_point,
    double,
    encode_point,
    is_on_curve,
    ladder,
    multiply,
    multiply_add,
    negate,
)
from eid.errors import DecodeError, PeerProtocolError
from tests.builders.sweep import examples

PACE = json.loads((Path(__file__).parents[1] / "vectors" / "icao9303-11-G1-pace-gm-ecdh.json").read_text())
all_curves = pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
library_curves = pytest.mark.parametrize(
    "curve", [curve for curve in CURVES if curve.library is not None], ids=lambda curve: curve.name
)
scalars = st.integers(min_value=1, max_value=1 << 520)


def _brainpool_p256r1() -> Curve:
    curve = curve_by_id(13)
    assert curve is not None
    return curve


def test_appendix_g1_points() -> None:
    """Doc 9303-11 App. G.1: public keys, H and the mapped generator s G + H."""
    curve = _brainpool_p256r1()

    def point(name: str) -> tuple[int, int]:
        return decode_point(curve, b"\x04" + bytes.fromhex(PACE[name]))

    def scalar(name: str) -> int:
        return int(PACE[name], 16)

    generator = curve.generator
    assert multiply(curve, scalar("map_terminal_private"), generator) == point("map_terminal_public")
    assert multiply(curve, scalar("map_chip_private"), generator) == point("map_chip_public")
    h = multiply(curve, scalar("map_chip_private"), point("map_terminal_public"))
    assert h == point("shared_secret_h")
    mapped = add(curve, multiply(curve, scalar("nonce_s"), generator), h)
    assert mapped == point("mapped_generator")
    assert multiply_add(curve, scalar("nonce_s"), scalar("map_chip_private"), point("map_terminal_public")) == mapped
    assert multiply(curve, scalar("ka_terminal_private"), mapped) == point("ka_terminal_public")
    assert multiply(curve, scalar("ka_chip_private"), mapped) == point("ka_chip_public")
    assert multiply(curve, scalar("ka_chip_private"), point("ka_terminal_public"))[0] == scalar("shared_secret")


@library_curves
@given(scalar=scalars)
@settings(max_examples=6, deadline=None)
def test_multiply_like_the_library(curve: Curve, scalar: int) -> None:
    assert curve.library is not None
    reduced = scalar % (curve.n - 1) + 1
    numbers = ec.derive_private_key(reduced, curve.library).public_key().public_numbers()
    assert multiply(curve, reduced, curve.generator) == (numbers.x, numbers.y)
    assert ladder(curve, reduced, curve.generator) == (numbers.x, numbers.y)


@all_curves
@given(left=scalars, right=scalars)
@settings(max_examples=5, deadline=None)
def test_distributive(curve: Curve, left: int, right: int) -> None:
    left, right = left % (curve.n - 1) + 1, right % (curve.n - 1) + 1
    p, q = multiply(curve, left, curve.generator), multiply(curve, right, curve.generator)
    if (left + right) % curve.n:
        assert add(curve, p, q) == add(curve, q, p) == multiply(curve, left + right, curve.generator)
        assert multiply_add(curve, left, right, curve.generator) == multiply(curve, left + right, curve.generator)
    assert multiply(curve, right, p) == multiply(curve, left, q)


@all_curves
def test_special_cases(curve: Curve) -> None:
    g = curve.generator
    two_g = double(curve, g)
    assert add(curve, g, g) == two_g == multiply(curve, 2, g) == ladder(curve, 2, g)
    assert multiply(curve, 1, g) == ladder(curve, 1, g) == g
    assert multiply(curve, -1, g) == negate(curve, g)
    assert add(curve, add(curve, two_g, g), negate(curve, g)) == two_g
    assert multiply_add(curve, 0, 1, g) == g
    assert multiply_add(curve, 1, 0, two_g) == g
    for call in (
        lambda: add(curve, g, negate(curve, g)),
        lambda: multiply(curve, 0, g),
        lambda: multiply(curve, curve.n, g),
        lambda: ladder(curve, curve.n, g),
        lambda: multiply_add(curve, 0, 0, g),
        lambda: multiply_add(curve, 1, -1, g),
    ):
        with pytest.raises(PeerProtocolError, match="infinity"):
            call()


@all_curves
def test_points_off_the_curve(curve: Curve) -> None:
    x, y = curve.generator
    for bad in ((x, y + 1), (x + curve.p, y), (x, y - curve.p), (0, 0), (-1, y), (curve.p, curve.p)):
        assert not is_on_curve(curve, bad)
        for call in (
            lambda bad=bad: add(curve, bad, curve.generator),
            lambda bad=bad: add(curve, curve.generator, bad),
            lambda bad=bad: double(curve, bad),
            lambda bad=bad: multiply(curve, 2, bad),
            lambda bad=bad: multiply_add(curve, 1, 1, bad),
        ):
            with pytest.raises(PeerProtocolError, match="not on"):
                call()


@all_curves
def test_encoding(curve: Curve) -> None:
    raw = encode_point(curve, curve.generator)
    assert len(raw) == 1 + 2 * curve.coordinate_length
    assert decode_point(curve, raw) == curve.generator
    for bad in (
        b"",
        b"\x00",  # the point at infinity
        raw[:-1],
        raw + b"\x00",
        b"\x02" + raw[1:],
        b"\x02" + raw[1 : 1 + curve.coordinate_length],
        b"\x06" + raw[1:],  # hybrid form
        raw[:-1] + bytes((raw[-1] ^ 1,)),
        b"\x04" + bytes(len(raw) - 1),
        b"\x04" + b"\xff" * (len(raw) - 1),
    ):
        with pytest.raises(DecodeError):
            decode_point(curve, bad)


def test_coordinate_is_not_reduced() -> None:
    """x + p fits into P-521's octets but is no field element."""
    curve = next(curve for curve in CURVES if curve.name == "P-521")
    size = curve.coordinate_length
    raw = b"\x04" + (curve.gx + curve.p).to_bytes(size, "big") + curve.gy.to_bytes(size, "big")
    with pytest.raises(DecodeError):
        decode_point(curve, raw)


def test_a_coordinate_keeps_its_leading_zeros() -> None:
    curve = _brainpool_p256r1()
    point = next(point for k in range(2, 2000) if (point := multiply(curve, k, curve.generator))[0] < 1 << 248)
    raw = encode_point(curve, point)
    assert raw[1] == 0
    assert decode_point(curve, raw) == point


@given(raw=st.binary(max_size=80))
@settings(max_examples=examples(100))
def test_decode_anything(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_point(_brainpool_p256r1(), raw)
