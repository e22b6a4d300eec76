"""Domain parameters: their own laws, the library, openssl; and that nothing but an exact match is taken."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eid.crypto.curves import (
    CURVES,
    Curve,
    curve_by_id,
    curve_by_name,
    curve_by_oid,
    curve_by_parameters,
    curve_of_library,
)
from eid.crypto.points import encode_point, is_on_curve, multiply, negate
from eid.errors import PeerProtocolError

all_curves = pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)

# Doc 9303-11 Table 12
STANDARDIZED = {
    8: "P-192",
    9: "brainpoolP192r1",
    10: "P-224",
    11: "brainpoolP224r1",
    12: "P-256",
    13: "brainpoolP256r1",
    14: "brainpoolP320r1",
    15: "P-384",
    16: "brainpoolP384r1",
    17: "brainpoolP512r1",
    18: "P-521",
}
OPENSSL_NAMES = {
    "P-192": "prime192v1",
    "P-224": "secp224r1",
    "P-256": "prime256v1",
    "P-384": "secp384r1",
    "P-521": "secp521r1",
}


def _is_probable_prime(number: int) -> bool:
    """Miller-Rabin with fixed bases."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
        x = pow(base, odd, number)
        if x not in (1, number - 1) and all((x := x * x % number) != number - 1 for _ in range(twos - 1)):
            return False
    return True


@all_curves
def test_laws(curve: Curve) -> None:
    assert _is_probable_prime(curve.p)
    assert _is_probable_prime(curve.n)
    assert curve.n != curve.p  # not anomalous
    assert (4 * curve.a**3 + 27 * curve.b**2) % curve.p != 0  # not singular
    assert is_on_curve(curve, curve.generator)
    # Hasse: a prime n within 2 sqrt(p) of p + 1 leaves no room for a cofactor but 1.
    assert (curve.n - curve.p - 1) ** 2 <= 4 * curve.p
    assert curve.h == 1


@all_curves
def test_generator_has_order_n(curve: Curve) -> None:
    assert multiply(curve, curve.n - 1, curve.generator) == negate(curve, curve.generator)
    with pytest.raises(PeerProtocolError, match="infinity"):
        multiply(curve, curve.n, curve.generator)


@all_curves
def test_lookups(curve: Curve) -> None:
    assert curve_by_oid(curve.oid) is curve
    assert curve_by_name(curve.name) is curve
    if curve.standardized_id is not None:
        assert curve_by_id(curve.standardized_id) is curve
    if curve.library is not None:
        assert curve_of_library(curve.library) is curve
    assert curve.name in repr(curve)
    assert hash(curve) == hash(replace(curve))


def test_standardized_ids() -> None:
    assert {curve.standardized_id: curve.name for curve in CURVES if curve.standardized_id is not None} == STANDARDIZED


def test_unknown_curves() -> None:
    assert curve_by_oid("1.3.132.0.10") is None
    assert curve_by_name("secp256k1") is None
    assert [curve_by_id(number) for number in (0, 2, 7, 19, 31)] == [None] * 5
    assert curve_of_library(ec.SECP256K1()) is None


@pytest.mark.parametrize("curve", [curve for curve in CURVES if curve.library], ids=lambda curve: curve.name)
def test_same_as_the_library(curve: Curve) -> None:
    assert curve.library is not None
    numbers = ec.derive_private_key(1, curve.library).public_key().public_numbers()
    assert (numbers.x, numbers.y) == curve.generator
    last = ec.derive_private_key(curve.n - 1, curve.library).public_key().public_numbers()
    assert (last.x, last.y) == negate(curve, curve.generator)
    with pytest.raises(ValueError, match="key"):
        ec.derive_private_key(curve.n, curve.library)


@all_curves
def test_same_as_openssl(curve: Curve, require_tool: Callable[[str], Path]) -> None:
    name = OPENSSL_NAMES.get(curve.name, curve.name)
    command = [require_tool("openssl"), "ecparam", "-name", name, "-param_enc", "explicit", "-text", "-noout"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if run.returncode:
        pytest.skip(f"openssl lacks {name}")
    fields = {
        label: re.sub(r"[\s:]", "", octets)
        for label, octets in re.findall(r"^([A-Z][^:\n]*):\s*((?:\n\s+[0-9a-f:]+)+)", run.stdout, re.MULTILINE)
    }
    assert [int(fields[label], 16) for label in ("Prime", "A", "B", "Order")] == [curve.p, curve.a, curve.b, curve.n]
    assert bytes.fromhex(fields["Generator (uncompressed)"]) == encode_point(curve, curve.generator)
    assert re.search(r"Cofactor:\s*1 ", run.stdout)


@all_curves
def test_by_parameters(curve: Curve) -> None:
    generator = encode_point(curve, curve.generator)
    compressed = bytes((2 + curve.gy % 2,)) + generator[1 : 1 + curve.coordinate_length]
    assert curve_by_parameters(curve.p, curve.a, curve.b, generator, curve.n, 1) is curve
    assert curve_by_parameters(curve.p, curve.a, curve.b, generator, curve.n, None) is curve
    assert curve_by_parameters(curve.p, curve.a, curve.b, compressed, curve.n, 1) is curve


@all_curves
def test_by_parameters_refuses_every_single_change(curve: Curve) -> None:
    """CVE-2020-0601: another generator on the same curve would let anybody own any key."""
    generator = encode_point(curve, curve.generator)
    other = encode_point(curve, multiply(curve, 2, curve.generator))
    mirrored = encode_point(curve, negate(curve, curve.generator))
    p, a, b, n = curve.p, curve.a, curve.b, curve.n
    for parameters in (
        (p + 2, a, b, generator, n, 1),
        (p, a + 1, b, generator, n, 1),
        (p, a - p, b, generator, n, 1),  # congruent is not equal
        (p, a, b + 1, generator, n, 1),
        (p, a, b, other, n, 1),
        (p, a, b, mirrored, n, 1),
        (p, a, b, generator + b"\x00", n, 1),
        (p, a, b, b"\x00", n, 1),
        (p, a, b, b"", n, 1),
        (p, a, b, generator, n + 2, 1),
        (p, a, b, generator, n, 2),
        (p, a, b, generator, n, 0),
    ):
        assert curve_by_parameters(*parameters) is None
