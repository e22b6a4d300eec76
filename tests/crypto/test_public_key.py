from __future__ import annotations

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec import algorithm, der, oid
from eid.codec.algorithm import AlgorithmIdentifier, PssParameters
from eid.codec.spki import EcParameters, encode_ec_spki, encode_rsa_spki, encode_spki
from eid.crypto.curves import CURVES, Curve, curve_by_name
from eid.crypto.points import encode_point
from eid.crypto.public_key import (
    decode_signature_algorithm,
    encode_public_key,
    explicit_parameters,
    load_public_key,
    match_curve,
)
from eid.crypto.signatures import OwnEcPublicKey, SignatureAlgorithm
from eid.errors import DecodeError, Reason, VerificationError
from tests.builders.rsa_keys import rsa_private_key
from tests.builders.sweep import examples

FOUND = curve_by_name("brainpoolP256r1")
assert FOUND is not None
BRAINPOOL = FOUND
EXPLICIT = explicit_parameters(BRAINPOOL)
RSA = rsa_private_key(2048).public_key()


def compressed_generator(curve: Curve) -> bytes:
    return bytes((2 + curve.gy % 2,)) + curve.gx.to_bytes(curve.coordinate_length, "big")


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
@pytest.mark.parametrize("form", ["named", "explicit", "compressed base", "no cofactor"])
def test_every_curve_in_every_form(curve: Curve, form: str) -> None:
    full = explicit_parameters(curve)
    parameters: str | EcParameters = {
        "named": curve.oid,
        "explicit": full,
        "compressed base": dataclasses.replace(full, generator=compressed_generator(curve)),
        "no cofactor": dataclasses.replace(full, h=None),
    }[form]
    key = load_public_key(encode_ec_spki(parameters, encode_point(curve, curve.generator)))
    if curve.library is None:
        assert isinstance(key, OwnEcPublicKey)
        assert (key.curve, key.point) == (curve, curve.generator)
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == curve.library.name
        assert (key.public_numbers().x, key.public_numbers().y) == curve.generator
    for explicit in (False, True):
        assert load_public_key(encode_public_key(key, explicit=explicit)) == key


def test_named_encoding_is_the_library_s() -> None:
    for key in (RSA, ec.generate_private_key(ec.BrainpoolP512R1()).public_key()):
        assert encode_public_key(key) == key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_explicit_parameters_of_the_library_s_own_curves() -> None:
    """The library itself reads explicit parameters of P-256 only; it must see the same key as we."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    assert load_der_public_key(encode_public_key(key, explicit=True)) == key


@pytest.mark.parametrize(
    "change",
    [
        {"p": EXPLICIT.p + 2},
        {"a": EXPLICIT.a ^ 1},
        {"b": EXPLICIT.b ^ 1},
        {"n": EXPLICIT.n + 2},
        {"h": 2},
        {"h": 0},
        {"generator": EXPLICIT.generator[:-1] + bytes((EXPLICIT.generator[-1] ^ 1,))},
        {"generator": bytes((5 - compressed_generator(BRAINPOOL)[0],)) + compressed_generator(BRAINPOOL)[1:]},
        {"generator": b"\x04" + EXPLICIT.generator[33:] + EXPLICIT.generator[1:33]},
        {"generator": b""},
    ],
)
def test_a_curve_that_is_almost_ours_is_unsupported(change: dict[str, int | bytes]) -> None:
    """CVE-2020-0601: the attacker takes his own generator, and everything else of a known curve."""
    parameters = dataclasses.replace(EXPLICIT, **change)  # type: ignore[arg-type]  # by name, as the caller has them
    with pytest.raises(VerificationError) as caught:
        load_public_key(encode_ec_spki(parameters, EXPLICIT.generator))
    assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED


def test_unknown_names_are_unsupported() -> None:
    secp256k1 = ec.generate_private_key(ec.SECP256K1()).public_key()
    raw = secp256k1.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ed25519 = encode_spki(AlgorithmIdentifier("1.3.101.112"), bytes(32))
    for spki in (raw, ed25519):
        with pytest.raises(VerificationError) as caught:
            load_public_key(spki)
        assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED
    with pytest.raises(VerificationError):
        match_curve("1.2.3")


@pytest.mark.parametrize("name", ["brainpoolP256r1", "brainpoolP320r1"])
@pytest.mark.parametrize("point", [b"", b"\x00", b"\x04" + bytes(64), b"\x04" + bytes(80), b"\x05" + bytes(64)])
def test_points_off_the_curve_are_malformed(name: str, point: bytes) -> None:
    curve = curve_by_name(name)
    assert curve is not None
    with pytest.raises(DecodeError):
        load_public_key(encode_ec_spki(curve.oid, point))


def test_rsa_keys() -> None:
    assert load_public_key(encode_public_key(RSA)) == RSA
    numbers = RSA.public_numbers()
    pss = encode_spki(
        algorithm.pss_identifier("sha256"),
        der.encode_sequence(der.encode_integer(numbers.n), der.encode_integer(numbers.e)),
    )
    assert load_public_key(pss) == RSA


@pytest.mark.parametrize("exponent", [1, 2, 65536])
def test_rsa_exponents_that_cannot_be(exponent: int) -> None:
    with pytest.raises(VerificationError) as caught:
        load_public_key(encode_rsa_spki(RSA.public_numbers().n, exponent))
    assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED


def test_rsa_modulus_that_cannot_be() -> None:
    for modulus in (15, RSA.public_numbers().n - 1):
        with pytest.raises(VerificationError):
            load_public_key(encode_rsa_spki(modulus, 65537))


@pytest.mark.parametrize(
    ("identifier", "digest_name", "expected"),
    [
        (algorithm.ecdsa_identifier("sha224"), None, SignatureAlgorithm("ecdsa", "sha224")),
        (algorithm.rsa_identifier("sha512"), None, SignatureAlgorithm("rsa-pkcs1", "sha512")),
        (algorithm.rsa_identifier("sha512"), "sha1", SignatureAlgorithm("rsa-pkcs1", "sha512")),
        (
            AlgorithmIdentifier(oid.RSA_ENCRYPTION, der.encode_null()),
            "sha384",
            SignatureAlgorithm("rsa-pkcs1", "sha384"),
        ),
        (algorithm.pss_identifier("sha256", 64), None, SignatureAlgorithm("rsa-pss", "sha256", 64, "sha256")),
        (
            AlgorithmIdentifier(oid.RSASSA_PSS, algorithm.encode_pss_parameters(PssParameters("sha512", "sha1", 20))),
            None,
            SignatureAlgorithm("rsa-pss", "sha512", 20, "sha1"),
        ),
        (AlgorithmIdentifier(oid.RSASSA_PSS, b"\x30\x00"), None, SignatureAlgorithm("rsa-pss", "sha1", 20, "sha1")),
    ],
)
def test_signature_algorithms(
    identifier: AlgorithmIdentifier, digest_name: str | None, expected: SignatureAlgorithm
) -> None:
    assert decode_signature_algorithm(identifier, digest_name) == expected


def test_signature_algorithms_that_say_too_little() -> None:
    with pytest.raises(DecodeError, match="without parameters"):
        decode_signature_algorithm(AlgorithmIdentifier(oid.RSASSA_PSS))
    for identifier in (AlgorithmIdentifier(oid.RSA_ENCRYPTION), AlgorithmIdentifier("1.2.3")):
        with pytest.raises(VerificationError) as caught:
            decode_signature_algorithm(identifier)
        assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED


@settings(max_examples=examples(150))
@given(st.data())
def test_mutated_keys_are_refused_or_are_keys(data: st.DataObject) -> None:
    raw = bytearray(encode_public_key(ec.generate_private_key(ec.SECP256R1()).public_key(), explicit=True))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        load_public_key(bytes(raw))
    except (DecodeError, VerificationError):
        return


@pytest.mark.parametrize("form", ["named", "explicit"])
@pytest.mark.parametrize("name", ["P-256", "brainpoolP256r1", "brainpoolP224r1"])
def test_keys_known_by_their_first_octets_are_the_same_keys(
    name: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    curve = curve_by_name(name)
    assert curve is not None
    parameters = explicit_parameters(curve) if form == "explicit" else curve.oid
    whole = encode_ec_spki(parameters, encode_point(curve, curve.generator))

    def outcome(raw: bytes) -> object:
        try:
            return encode_public_key(load_public_key(raw))
        except (DecodeError, VerificationError) as error:
            return type(error)

    inputs = [whole, whole + b"\0", whole[:-1]]
    for place in range(len(whole)):
        inputs += [whole[:place] + bytes((whole[place] ^ bit,)) + whole[place + 1 :] for bit in (1, 0x80)]
    quick = [outcome(raw) for raw in inputs]
    monkeypatch.setattr("eid.crypto.public_key._CANONICAL", {})
    assert [outcome(raw) for raw in inputs] == quick
    assert isinstance(quick[0], bytes)
