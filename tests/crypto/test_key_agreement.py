"""Key pairs: the library's and the integers' ways give the same points; nothing secret shows."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eid.crypto import key_agreement
from eid.crypto.curves import CURVES, Curve, curve_by_id, curve_by_name
from eid.crypto.group import EcGroup
from eid.crypto.key_agreement import EcKeyPair
from eid.crypto.points import add, decode_point, encode_point, is_on_curve, multiply, negate
from eid.errors import LocalProtocolError, PeerProtocolError
from tests.builders.sweep import places

PACE = json.loads((Path(__file__).parents[1] / "vectors" / "icao9303-11-G1-pace-gm-ecdh.json").read_text())
all_curves = pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
library_curves = pytest.mark.parametrize(
    "curve", [curve for curve in CURVES if curve.library is not None], ids=lambda curve: curve.name
)


def _curve(number: int) -> Curve:
    curve = curve_by_id(number)
    assert curve is not None
    return curve


def test_appendix_g1() -> None:
    """Doc 9303-11 App. G.1 with the scalars kept in OpenSSL, both roles."""
    curve = _curve(13)
    point = {
        name: decode_point(curve, b"\x04" + bytes.fromhex(PACE[name]))
        for name in ("map_terminal_public", "map_chip_public", "shared_secret_h", "mapped_generator",
                     "ka_terminal_public", "ka_chip_public")
    }  # fmt: skip
    for own, other in (("terminal", "chip"), ("chip", "terminal")):
        mapping = EcKeyPair.from_scalar(curve, int(PACE[f"map_{own}_private"], 16))
        assert mapping.public_point == point[f"map_{own}_public"]
        assert mapping.encoded_public == b"\x04" + bytes.fromhex(PACE[f"map_{own}_public"])
        h = mapping.multiply(point[f"map_{other}_public"])
        assert h == point["shared_secret_h"]
        nonce = EcKeyPair.from_scalar(curve, int(PACE["nonce_s"], 16))
        mapped = add(curve, nonce.public_point, h)
        assert mapped == point["mapped_generator"]
        ephemeral = EcKeyPair.from_scalar(curve, int(PACE[f"ka_{own}_private"], 16))
        assert ephemeral.multiply(mapped) == point[f"ka_{own}_public"]
        assert ephemeral.agree(point[f"ka_{other}_public"]) == bytes.fromhex(PACE["shared_secret"])


@all_curves
def test_both_ends_agree(curve: Curve) -> None:
    left, right = EcKeyPair.generate(curve), EcKeyPair.generate(curve)
    assert left.public_point != right.public_point
    secret = left.agree(right.public_point)
    assert secret == right.agree(left.public_point)
    assert len(secret) == curve.coordinate_length
    product = left.multiply(right.public_point)
    assert product == right.multiply(left.public_point)
    assert product[0] == int.from_bytes(secret, "big")
    assert is_on_curve(curve, product)


@pytest.mark.sweep
@library_curves
def test_recovery_equals_integers(curve: Curve) -> None:
    """Whole points from two exchanges, at and around every special value."""
    g, n = curve.generator, curve.n
    peers = [multiply(curve, k, g) for k in places((1, 2, 3, n - 3, n - 2, n - 1, n // 2, n // 2 + 1, 0xC0FFEE), 3)]
    for scalar in (1, 2, 3, n - 3, n - 2, n - 1, n // 2, n // 2 + 1, 0xBADCAFE):
        pair = EcKeyPair.from_scalar(curve, scalar)
        assert pair.public_point == multiply(curve, scalar, g)
        for peer in peers:
            assert pair.multiply(peer) == multiply(curve, scalar, peer)


@all_curves
def test_either_public_key_on_a_mapped_generator_agrees(curve: Curve) -> None:
    """kG' and -kG' come by turns, and whichever was sent, both ends have the same secret."""
    generator = multiply(curve, 0xC0FFEE, curve.generator)
    signs = set()
    for turn in range(3 if curve.library is None else 24):
        if turn > 3 and len(signs) == 2:
            break
        left, right = EcKeyPair.generate(curve), EcKeyPair.generate(curve)
        mine, theirs = left.public_on(generator), right.public_on(generator)
        exact = left.multiply(generator)
        assert mine in (exact, negate(curve, exact))
        signs.add(mine == exact)
        assert left.agree(theirs) == right.agree(mine)
    assert signs == ({True} if curve.library is None else {True, False})


def test_a_known_scalar_gives_its_own_public_key() -> None:
    """Published vectors and Chip Authentication Mapping name the scalar: there the sign is not free."""
    group = EcGroup(_curve(13))
    generator = group.key(0xC0FFEE).public
    for key in (group.key(0xBADCAFE), group.generate(lambda length: b"\xa5" * length)):
        assert key.public_on(generator) == key.multiply(generator)
    own = group.generate()
    assert {own.public_on(generator) for _ in range(24)} > {own.multiply(generator)}


@library_curves
def test_integer_fallback_equals_library(curve: Curve) -> None:
    bare = replace(curve, library=None)
    peer = EcKeyPair.generate(curve).public_point
    for scalar in (1, 2, curve.n - 1, curve.n - 2, 0x1234567890ABCDEF):
        own, library = EcKeyPair.from_scalar(bare, scalar), EcKeyPair.from_scalar(curve, scalar)
        assert own.public_point == library.public_point
        assert own.multiply(peer) == library.multiply(peer)
        assert own.agree(peer) == library.agree(peer)


@all_curves
def test_generate_with_given_randomness(curve: Curve) -> None:
    asked: list[int] = []

    def random(length: int) -> bytes:
        asked.append(length)
        return b"\xa5" * length

    pair = EcKeyPair.generate(curve, random)
    assert asked == [curve.order_length + 8]
    expected = 1 + int.from_bytes(b"\xa5" * asked[0], "big") % (curve.n - 1)
    assert pair.public_point == multiply(curve, expected, curve.generator)
    assert EcKeyPair.generate(curve, bytes).public_point == curve.generator  # all zeros still gives a scalar


@all_curves
def test_scalar_range(curve: Curve) -> None:
    for scalar in (0, -1, curve.n, curve.n + 1):
        with pytest.raises(LocalProtocolError, match=r"1\.\.n-1"):
            EcKeyPair.from_scalar(curve, scalar)
    assert EcKeyPair.from_scalar(curve, curve.n - 1).public_point == negate(curve, curve.generator)


@all_curves
def test_invalid_curve_points_are_refused(curve: Curve) -> None:
    """A point on another curve would leak the scalar piece by piece."""
    pair = EcKeyPair.generate(curve)
    x, y = curve.generator
    for bad in ((x, (y + 1) % curve.p), (0, 0), (x + curve.p, y), (x, -y)):
        with pytest.raises(PeerProtocolError, match="not on"):
            pair.agree(bad)
        with pytest.raises(PeerProtocolError, match="not on"):
            pair.multiply(bad)
        with pytest.raises(PeerProtocolError, match="not on"):
            pair.public_on(bad)


def test_a_faulty_exchange_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    curve = _curve(12)
    pair, peer = EcKeyPair.generate(curve), EcKeyPair.generate(curve).public_point
    genuine = EcKeyPair._exchange
    answers = []

    def faulty(self: EcKeyPair, key: ec.EllipticCurvePrivateKey, point: tuple[int, int]) -> bytes:
        answers.append(genuine(self, key, point))
        return answers[0]  # the second exchange repeats the first

    monkeypatch.setattr(key_agreement.EcKeyPair, "_exchange", faulty)
    with pytest.raises(PeerProtocolError, match="contradict"):
        pair.multiply(peer)


def test_from_library_key() -> None:
    curve = _curve(12)
    key = ec.generate_private_key(ec.SECP256R1())
    pair = EcKeyPair.from_library_key(key, curve)
    numbers = key.public_key().public_numbers()
    assert pair.public_point == (numbers.x, numbers.y)
    unsupported = curve_by_name("brainpoolP320r1")
    assert unsupported is not None
    for wrong in (_curve(13), unsupported):
        with pytest.raises(LocalProtocolError):
            EcKeyPair.from_library_key(key, wrong)


@all_curves
def test_no_secret_in_text_or_pickle(curve: Curve) -> None:
    scalar = 0x1DEADBEEF
    pair = EcKeyPair.from_scalar(curve, scalar)
    assert repr(pair) == str(pair) == f"EcKeyPair({curve.name})"
    for call in (lambda: pickle.dumps(pair), lambda: copy.deepcopy(pair)):
        with pytest.raises(LocalProtocolError):
            call()
    assert not hasattr(pair, "__dict__")


@all_curves
def test_encoded_public(curve: Curve) -> None:
    pair = EcKeyPair.generate(curve)
    assert pair.encoded_public == encode_point(curve, pair.public_point)
    assert decode_point(curve, pair.encoded_public) == pair.public_point
