"""Signature verification: known answers, every algorithm there and back, and each way to be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.crypto import signatures
from eid.crypto.curves import CURVES, Curve, curve_by_name
from eid.crypto.ecdsa import verify_integers
from eid.crypto.hashes import HASH_ALGORITHMS, digest, hash_algorithm
from eid.crypto.points import decode_point, multiply
from eid.crypto.signatures import (
    OwnEcPublicKey,
    PublicKey,
    SignatureAlgorithm,
    SignatureKind,
    build_ec_public_key,
    curve_of_key,
    decode_ecdsa_der,
    decode_ecdsa_plain,
    encode_ecdsa_der,
    encode_ecdsa_plain,
    require_sound_rsa,
    rsa_modulus_bits,
    verify_signature,
)
from eid.errors import DecodeError, LocalProtocolError, Reason, VerificationError
from tests.builders.rsa_keys import rsa_private_key
from tests.builders.sweep import examples

VECTORS = Path(__file__).parents[1] / "vectors"
RFC6979 = json.loads((VECTORS / "rfc6979-ecdsa.json").read_text())["cases"]
WYCHEPROOF = [
    (group, test)
    for group in json.loads((VECTORS / "wycheproof-ecdsa-brainpool.json").read_text())["groups"]
    for test in group["tests"]
]
all_curves = pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
all_hashes = pytest.mark.parametrize("hash_name", [algorithm.name for algorithm in HASH_ALGORITHMS])
MESSAGE = b"SPECIMEN message"


def _curve(name: str) -> Curve:
    curve = curve_by_name(name)
    assert curve is not None
    return curve


def _sign(curve: Curve, private: int, message: bytes, hash_name: str, k: int = 0xC0FFEE) -> tuple[int, int]:
    """Textbook ECDSA (TR-03111 4.2.1.1) with a fixed ephemeral key: for curves that the library cannot sign on."""
    e = int.from_bytes(digest(hash_name, message), "big")
    e >>= max(0, 8 * hash_algorithm(hash_name).digest_length - curve.n.bit_length())
    r = multiply(curve, k, curve.generator)[0] % curve.n
    return r, pow(k, -1, curve.n) * (e + r * private) % curve.n


def _public(curve: Curve, private: int) -> ec.EllipticCurvePublicKey | OwnEcPublicKey:
    return build_ec_public_key(curve, multiply(curve, private, curve.generator))


def _refused(
    reason: Reason, key: PublicKey, algorithm: SignatureAlgorithm, message: bytes, signature: bytes
) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        verify_signature(key, algorithm, message, signature)
    assert caught.value.reason is reason
    return caught.value


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa_private_key(2048)


# --- ECDSA ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [False, True], ids=["library", "integers"])
@pytest.mark.parametrize("case", RFC6979, ids=lambda case: f"{case['curve']}-{case['message']}")
def test_rfc_6979(case: dict[str, str], own: bool) -> None:
    curve, message = _curve(case["curve"]), case["message"].encode()
    point = multiply(curve, int(case["private"], 16), curve.generator)
    key = OwnEcPublicKey(curve, point) if own else build_ec_public_key(curve, point)
    r, s = int(case["r"], 16), int(case["s"], 16)
    der, plain = encode_ecdsa_der(r, s), encode_ecdsa_plain(r, s, curve.n)
    verify_signature(key, SignatureAlgorithm("ecdsa", case["hash"]), message, der)
    verify_signature(key, SignatureAlgorithm("ecdsa-plain", case["hash"]), message, plain)
    _refused(Reason.SIG_CRYPTO_FAILURE, key, SignatureAlgorithm("ecdsa", "sha1"), message, der)
    _refused(Reason.SIG_CRYPTO_FAILURE, key, SignatureAlgorithm("ecdsa", case["hash"]), message + b".", der)
    swapped = encode_ecdsa_der(s, r)
    _refused(Reason.SIG_CRYPTO_FAILURE, key, SignatureAlgorithm("ecdsa", case["hash"]), message, swapped)


@pytest.mark.parametrize(("group", "test"), WYCHEPROOF, ids=lambda part: str(part.get("tcId", part.get("curve"))))
def test_wycheproof(group: dict[str, str], test: dict[str, str]) -> None:
    curve = _curve(group["curve"])
    key = build_ec_public_key(curve, decode_point(curve, bytes.fromhex(group["public"])))
    assert isinstance(key, OwnEcPublicKey)
    algorithm = SignatureAlgorithm("ecdsa", group["hash"])
    message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
    if test["result"] == "valid":
        verify_signature(key, algorithm, message, signature)
    else:
        _refused(Reason.SIG_CRYPTO_FAILURE, key, algorithm, message, signature)


@all_curves
@all_hashes
def test_every_curve_with_every_hash(curve: Curve, hash_name: str) -> None:
    private = 0x5EC2E7 * 0x1337
    key = _public(curve, private)
    assert isinstance(key, OwnEcPublicKey) == (curve.library is None)
    assert curve_of_key(key) is curve
    r, s = _sign(curve, private, MESSAGE, hash_name)
    algorithm = SignatureAlgorithm("ecdsa-plain", hash_name)
    verify_signature(key, algorithm, MESSAGE, encode_ecdsa_plain(r, s, curve.n))
    verify_signature(OwnEcPublicKey(curve, multiply(curve, private, curve.generator)), algorithm, MESSAGE,
                     encode_ecdsa_plain(r, s, curve.n))  # fmt: skip
    _refused(Reason.SIG_CRYPTO_FAILURE, key, algorithm, MESSAGE, encode_ecdsa_plain(r, s ^ 2, curve.n))
    _refused(Reason.SIG_CRYPTO_FAILURE, _public(curve, private + 1), algorithm, MESSAGE,
             encode_ecdsa_plain(r, s, curve.n))  # fmt: skip


@all_curves
def test_library_signatures(curve: Curve) -> None:
    if curve.library is None:
        private = 42
        signature = encode_ecdsa_der(*_sign(curve, private, MESSAGE, "sha256"))
        key: PublicKey = _public(curve, private)
    else:
        generated = ec.generate_private_key(curve.library)
        signature, key = generated.sign(MESSAGE, ec.ECDSA(hashes.SHA256())), generated.public_key()
    algorithm = SignatureAlgorithm("ecdsa", "sha256")
    verify_signature(key, algorithm, MESSAGE, signature)
    assert encode_ecdsa_der(*decode_ecdsa_der(signature, curve.n)) == signature
    for octet in range(len(signature)):
        flipped = signature[:octet] + bytes((signature[octet] ^ 1,)) + signature[octet + 1 :]
        _refused(Reason.SIG_CRYPTO_FAILURE, key, algorithm, MESSAGE, flipped)


@pytest.mark.parametrize("name", ["P-256", "brainpoolP320r1"])
def test_r_and_s_out_of_range(name: str) -> None:
    """Zero is the signature that fits every message where the check is missing (CVE-2022-21449)."""
    curve, private = _curve(name), 77
    key = _public(curve, private)
    n = curve.n
    r, s = _sign(curve, private, MESSAGE, "sha256")
    size = curve.order_length
    for bad_r, bad_s in ((0, 0), (0, s), (r, 0), (n, s), (r, n), (n, n)):
        plain = bad_r.to_bytes(size, "big") + bad_s.to_bytes(size, "big")
        _refused(Reason.SIG_CRYPTO_FAILURE, key, SignatureAlgorithm("ecdsa-plain", "sha256"), MESSAGE, plain)
    for bad_r, bad_s in ((r + n, s), (r, s + n)):
        der = encode_ecdsa_der(bad_r, bad_s)
        _refused(Reason.SIG_CRYPTO_FAILURE, key, SignatureAlgorithm("ecdsa", "sha256"), MESSAGE, der)
    for der_hex in ("3006020100020100", "3006020100020101", "300602010102 0100", "30060201FF0201FF", ""):
        _refused(Reason.SIG_CRYPTO_FAILURE, key, SignatureAlgorithm("ecdsa", "sha256"), MESSAGE,
                 bytes.fromhex(der_hex))  # fmt: skip


def test_integers_refuse_the_point_at_infinity() -> None:
    """u1 G + u2 Q is infinity when e = -r d: an honest signer cannot meet it."""
    curve, private = _curve("brainpoolP160r1"), 99
    key = OwnEcPublicKey(curve, multiply(curve, private, curve.generator))
    message_digest = digest("sha1", MESSAGE)
    e = int.from_bytes(message_digest, "big")
    r = -e * pow(private, -1, curve.n) % curve.n
    plain = encode_ecdsa_plain(r, 1, curve.n)
    _refused(Reason.SIG_CRYPTO_FAILURE, key, SignatureAlgorithm("ecdsa-plain", "sha1"), MESSAGE, plain)


def test_verify_integers_checks_the_range_itself() -> None:
    curve = _curve("brainpoolP160r1")
    key = OwnEcPublicKey(curve, curve.generator)
    for r, s in ((0, 1), (1, 0), (curve.n, 1), (1, curve.n)):
        assert not verify_integers(key, bytes(20), r, s)


@all_curves
def test_keys_off_the_curve(curve: Curve) -> None:
    x, y = curve.generator
    for build in (OwnEcPublicKey, build_ec_public_key):
        with pytest.raises(DecodeError):
            build(curve, (x, y + 1))


def test_der_and_plain_do_not_pass_for_each_other() -> None:
    curve, private = _curve("P-256"), 5
    key = _public(curve, private)
    r, s = _sign(curve, private, MESSAGE, "sha256")
    plain = SignatureAlgorithm("ecdsa-plain", "sha256")
    _refused(Reason.SIG_CRYPTO_FAILURE, key, plain, MESSAGE, encode_ecdsa_der(r, s))
    _refused(Reason.SIG_CRYPTO_FAILURE, key, SignatureAlgorithm("ecdsa", "sha256"), MESSAGE,
             encode_ecdsa_plain(r, s, curve.n))  # fmt: skip


@all_curves
def test_other_encodings_of_a_valid_signature(curve: Curve) -> None:
    """On every curve, also where the library is the one to look: DER, or no signature."""
    private = 0xD15EA5E
    key, algorithm = _public(curve, private), SignatureAlgorithm("ecdsa", "sha256")
    r, s = (value.to_bytes(value.bit_length() // 8 + 1, "big") for value in _sign(curve, private, MESSAGE, "sha256"))
    raw_r, raw_s = b"\x02" + bytes((len(r),)) + r, b"\x02" + bytes((len(s),)) + s
    content = raw_r + raw_s
    size = bytes((len(content),)) if len(content) < 0x80 else b"\x81" + bytes((len(content),))
    verify_signature(key, algorithm, MESSAGE, b"\x30" + size + content)
    longer_r = b"\x02" + bytes((len(r) + 1,)) + b"\x00" + r + raw_s
    longer_size = bytes((len(longer_r),)) if len(longer_r) < 0x80 else b"\x81" + bytes((len(longer_r),))
    for other in (
        b"\x30" + size + content + b"\x00",
        b"\x30\x82\x00" + bytes((len(content),)) + content,
        b"\x30\x80" + content + b"\x00\x00",
        b"\x30" + longer_size + longer_r,
        b"\x31" + size + content,
        content,
    ):
        _refused(Reason.SIG_CRYPTO_FAILURE, key, algorithm, MESSAGE, other)


@given(r=st.integers(min_value=1, max_value=1 << 521), s=st.integers(min_value=1, max_value=1 << 521))
@settings(max_examples=examples(60))
def test_encodings_round_trip(r: int, s: int) -> None:
    n = (1 << 521) + 1
    assert decode_ecdsa_der(encode_ecdsa_der(r, s), n) == (r, s)
    assert decode_ecdsa_plain(encode_ecdsa_plain(r, s, n), n) == (r, s)


@given(raw=st.binary(max_size=150))
@settings(max_examples=examples(150))
def test_decode_anything(raw: bytes) -> None:
    n = _curve("P-256").n
    with pytest.raises(DecodeError):
        decode_ecdsa_plain(raw[:63], n)
    try:
        r, s = decode_ecdsa_der(raw, n)
    except DecodeError:
        return
    assert encode_ecdsa_der(r, s) == raw


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "30",
        "3006020101",
        "300602010102010100",  # an octet behind
        "3007020101020101 00",  # an octet inside
        "3080020101020101 0000",  # indefinite length
        "308106020101020101",  # length not minimal
        "30070202 0001 020101",  # integer not minimal
        "3006028101 01 0201 01",
        "30060201 81 020101",  # negative
        "3005 0200 020101",  # empty
        "310602010102 0101",
        "3006 0401 01 0201 01",
        "30820101" + "00" * 257,
    ],
)
def test_decode_ecdsa_der_refuses(raw: str) -> None:
    with pytest.raises(DecodeError):
        decode_ecdsa_der(bytes.fromhex(raw), _curve("P-256").n)


def test_encoding_refuses() -> None:
    for r, s in ((0, 1), (1, 0), (-1, 1)):
        with pytest.raises(LocalProtocolError):
            encode_ecdsa_der(r, s)
        with pytest.raises(LocalProtocolError):
            encode_ecdsa_plain(r, s, 23)
    with pytest.raises(LocalProtocolError):
        encode_ecdsa_plain(23, 1, 23)


# --- RSA --------------------------------------------------------------------------------------------------------------


@all_hashes
def test_rsa_pkcs1(rsa_key: rsa.RSAPrivateKey, hash_name: str) -> None:
    signature = rsa_key.sign(MESSAGE, padding.PKCS1v15(), hash_algorithm(hash_name).library)
    key, algorithm = rsa_key.public_key(), SignatureAlgorithm("rsa-pkcs1", hash_name)
    verify_signature(key, algorithm, MESSAGE, signature)
    verify_signature(key, algorithm, MESSAGE, signature, accept_digest_info_without_null=True)
    _refused(Reason.SIG_CRYPTO_FAILURE, key, algorithm, MESSAGE + b".", signature)
    _refused(Reason.SIG_CRYPTO_FAILURE, key, algorithm, MESSAGE, signature[:-1] + bytes((signature[-1] ^ 1,)))
    other_hash = "sha256" if hash_name != "sha256" else "sha384"
    _refused(Reason.SIG_CRYPTO_FAILURE, key, SignatureAlgorithm("rsa-pkcs1", other_hash), MESSAGE, signature)
    _refused(Reason.SIG_CRYPTO_FAILURE, key, SignatureAlgorithm("rsa-pss", hash_name, 0), MESSAGE, signature)


def _raw_sign(key: rsa.RSAPrivateKey, digest_info: bytes) -> bytes:
    """EMSA-PKCS1-v1_5 around any DigestInfo, by integers (RFC 8017 9.2)."""
    numbers, length = key.private_numbers(), key.key_size // 8
    encoded = b"\x00\x01" + b"\xff" * (length - 3 - len(digest_info)) + b"\x00" + digest_info
    value = pow(int.from_bytes(encoded, "big"), numbers.d, numbers.public_numbers.n)
    return value.to_bytes(length, "big")


def test_digest_info_without_null_needs_the_switch(rsa_key: rsa.RSAPrivateKey) -> None:
    message_digest = digest("sha256", MESSAGE)
    absent = bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + message_digest
    signature = _raw_sign(rsa_key, absent)
    key, algorithm = rsa_key.public_key(), SignatureAlgorithm("rsa-pkcs1", "sha256")
    _refused(Reason.SIG_CRYPTO_FAILURE, key, algorithm, MESSAGE, signature)
    verify_signature(key, algorithm, MESSAGE, signature, accept_digest_info_without_null=True)
    with pytest.raises(VerificationError):
        verify_signature(key, algorithm, MESSAGE + b".", signature, accept_digest_info_without_null=True)
    for tail in (absent + b"\x00", absent[:-1], message_digest, b""):
        with pytest.raises(VerificationError) as caught:
            verify_signature(key, algorithm, MESSAGE, _raw_sign(rsa_key, tail), accept_digest_info_without_null=True)
        assert caught.value.reason is Reason.SIG_CRYPTO_FAILURE


@all_hashes
@pytest.mark.parametrize("salt_length", [0, 20, 32, 64])
def test_rsa_pss(rsa_key: rsa.RSAPrivateKey, hash_name: str, salt_length: int) -> None:
    hash_function = hash_algorithm(hash_name).library
    signature = rsa_key.sign(MESSAGE, padding.PSS(padding.MGF1(hash_function), salt_length), hash_function)
    key = rsa_key.public_key()
    algorithm = SignatureAlgorithm("rsa-pss", hash_name, salt_length)
    verify_signature(key, algorithm, MESSAGE, signature)
    _refused(Reason.SIG_CRYPTO_FAILURE, key, algorithm, b"", signature)
    wrong_salt = SignatureAlgorithm("rsa-pss", hash_name, salt_length + 1)
    _refused(Reason.SIG_CRYPTO_FAILURE, key, wrong_salt, MESSAGE, signature)


def test_rsa_pss_with_another_mgf_hash(rsa_key: rsa.RSAPrivateKey) -> None:
    signature = rsa_key.sign(MESSAGE, padding.PSS(padding.MGF1(hashes.SHA1()), 32), hashes.SHA256())
    key = rsa_key.public_key()
    verify_signature(key, SignatureAlgorithm("rsa-pss", "sha256", 32, "sha1"), MESSAGE, signature)
    _refused(Reason.SIG_CRYPTO_FAILURE, key, SignatureAlgorithm("rsa-pss", "sha256", 32), MESSAGE, signature)


@pytest.mark.parametrize("salt_length", [None, -1])
def test_rsa_pss_needs_its_salt_length(rsa_key: rsa.RSAPrivateKey, salt_length: int | None) -> None:
    algorithm = SignatureAlgorithm("rsa-pss", "sha256", salt_length)
    _refused(Reason.ALGORITHM_UNSUPPORTED, rsa_key.public_key(), algorithm, MESSAGE, bytes(256))


@pytest.mark.parametrize("salt_length", [300, 1 << 31, 1 << 70])
def test_rsa_pss_with_an_absurd_salt_length(rsa_key: rsa.RSAPrivateKey, salt_length: int) -> None:
    algorithm = SignatureAlgorithm("rsa-pss", "sha256", salt_length)
    _refused(Reason.SIG_CRYPTO_FAILURE, rsa_key.public_key(), algorithm, MESSAGE, bytes(255) + b"\x01")


@pytest.mark.parametrize("bits", [256, 512, 1024])
@pytest.mark.parametrize("kind", ["rsa-pkcs1", "rsa-pss"])
def test_rsa_key_too_short_for_the_hash(kind: SignatureKind, bits: int) -> None:
    key = rsa.RSAPublicNumbers(3, (1 << (bits - 1)) + 1).public_key()
    algorithm = SignatureAlgorithm(kind, "sha512", 64)
    for value in (1, 2, 1 << (bits // 3), 1 << (bits - 1)):
        for lenient in (False, True):
            with pytest.raises(VerificationError):
                verify_signature(key, algorithm, MESSAGE, value.to_bytes(bits // 8, "big"),
                                 accept_digest_info_without_null=lenient)  # fmt: skip


@pytest.mark.parametrize("length", [0, 1, 255, 257, 1000])
@pytest.mark.parametrize("kind", ["rsa-pkcs1", "rsa-pss"])
def test_rsa_signature_of_another_length(rsa_key: rsa.RSAPrivateKey, kind: SignatureKind, length: int) -> None:
    algorithm = SignatureAlgorithm(kind, "sha256", 32)
    _refused(Reason.SIG_CRYPTO_FAILURE, rsa_key.public_key(), algorithm, MESSAGE, b"\x01" * length)


def test_rsa_signature_with_a_zero_in_front(rsa_key: rsa.RSAPrivateKey) -> None:
    signature = rsa_key.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    algorithm = SignatureAlgorithm("rsa-pkcs1", "sha256")
    _refused(Reason.SIG_CRYPTO_FAILURE, rsa_key.public_key(), algorithm, MESSAGE, b"\x00" + signature)
    beyond = int.from_bytes(signature, "big") + rsa_key.public_key().public_numbers().n
    if beyond.bit_length() <= 2048:
        _refused(Reason.SIG_CRYPTO_FAILURE, rsa_key.public_key(), algorithm, MESSAGE, beyond.to_bytes(256, "big"))


def test_rsa_exponent_three() -> None:
    key = rsa.generate_private_key(3, 1024)
    signature = key.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA1())
    verify_signature(key.public_key(), SignatureAlgorithm("rsa-pkcs1", "sha1"), MESSAGE, signature)
    assert rsa_modulus_bits(key.public_key()) == 1024


class _Numbers:
    """Stands for public numbers that the library refuses to load, to reach our own check."""

    def __init__(self, e: int, n: int) -> None:
        self.e, self.n = e, n


class _UnsoundKey:
    def __init__(self, e: int, n: int) -> None:
        self._numbers, self.key_size = _Numbers(e, n), n.bit_length()

    def public_numbers(self) -> _Numbers:
        return self._numbers


@pytest.mark.parametrize(
    ("e", "n"),
    [(1, (1 << 1024) + 1), (2, (1 << 1024) + 1), (65536, (1 << 1024) + 1), (-3, 99), (101, 99), (3, 1 << 1024),
     (3, (1 << 16384) + 1)],
    ids=["one", "two", "even", "negative", "above-n", "even-modulus", "huge-modulus"],
)  # fmt: skip
def test_unsound_rsa_keys(e: int, n: int) -> None:
    with pytest.raises(VerificationError) as caught:
        require_sound_rsa(_UnsoundKey(e, n))  # type: ignore[arg-type]  # no key of the library on purpose
    assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED


def test_sound_rsa_key(rsa_key: rsa.RSAPrivateKey) -> None:
    key = rsa_key.public_key()
    assert require_sound_rsa(key) is key


# --- keys and algorithms that do not go together ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa-plain", "dsa", ""])
def test_rsa_key_with_other_algorithms(rsa_key: rsa.RSAPrivateKey, kind: SignatureKind) -> None:
    algorithm = SignatureAlgorithm(kind, "sha256")
    _refused(Reason.ALGORITHM_UNSUPPORTED, rsa_key.public_key(), algorithm, MESSAGE, bytes(256))


@pytest.mark.parametrize("kind", ["rsa-pkcs1", "rsa-pss", "dsa", ""])
@pytest.mark.parametrize("name", ["P-256", "brainpoolP224r1"])
def test_ec_key_with_other_algorithms(name: str, kind: SignatureKind) -> None:
    algorithm = SignatureAlgorithm(kind, "sha256", 32)
    _refused(Reason.ALGORITHM_UNSUPPORTED, _public(_curve(name), 9), algorithm, MESSAGE, bytes(64))


def test_unknown_hash(rsa_key: rsa.RSAPrivateKey) -> None:
    signature = encode_ecdsa_der(1, 1)
    for key, algorithm in (
        (rsa_key.public_key(), SignatureAlgorithm("rsa-pkcs1", "md5")),
        (rsa_key.public_key(), SignatureAlgorithm("rsa-pss", "sha256", 32, "md5")),
        (_public(_curve("P-256"), 9), SignatureAlgorithm("ecdsa", "md5")),
    ):
        _refused(
            Reason.ALGORITHM_UNSUPPORTED, key, algorithm, MESSAGE, signature if len(algorithm.kind) == 5 else bytes(256)
        )


def test_foreign_curve() -> None:
    key = ec.generate_private_key(ec.SECP256K1())
    prehashed = ec.ECDSA(Prehashed(hashes.SHA256()))
    signature = key.sign(digest("sha256", MESSAGE), prehashed)
    algorithm = SignatureAlgorithm("ecdsa", "sha256")
    _refused(Reason.ALGORITHM_UNSUPPORTED, key.public_key(), algorithm, MESSAGE, signature)


def test_an_algorithm_that_the_library_build_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object) -> None:
        raise UnsupportedAlgorithm("not in this build")

    monkeypatch.setattr(signatures, "_verify_ecdsa", lacking)
    algorithm = SignatureAlgorithm("ecdsa", "sha256")
    _refused(Reason.ALGORITHM_UNSUPPORTED, _public(_curve("P-256"), 9), algorithm, MESSAGE, b"")


def test_foreign_key_type() -> None:
    algorithm = SignatureAlgorithm("ecdsa", "sha256")
    with pytest.raises(VerificationError) as caught:
        verify_signature("a key", algorithm, MESSAGE, b"")  # type: ignore[arg-type]  # no key of the library on purpose
    assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED


@pytest.mark.parametrize("name", ["P-256", "P-384", "brainpoolP256r1", "brainpoolP320r1"])
def test_a_valid_signature_in_another_encoding_than_der_is_refused(name: str) -> None:
    """Our own decoder sees only the values of curves that the library lacks; the library must be as strict."""
    curve, private = _curve(name), 99
    key, algorithm = _public(curve, private), SignatureAlgorithm("ecdsa", "sha256")
    r, s = _sign(curve, private, MESSAGE, "sha256")
    good = encode_ecdsa_der(r, s)
    verify_signature(key, algorithm, MESSAGE, good)
    numbers = good[2:]
    r_length = numbers[1]
    first, second = numbers[: 2 + r_length], numbers[2 + r_length :]
    padded = bytes((2, first[1] + 1, 0)) + first[2:]
    for wrong in (
        good + b"\0",
        b"\x30\x81" + good[1:],
        b"\x30\x80" + numbers + b"\0\0",
        bytes((0x30, len(numbers) + 2)) + numbers + b"\x05\x00",
        bytes((0x30, len(padded + second))) + padded + second,
        bytes((0x30, len(numbers) + 1)) + b"\x02\x81" + first[1:] + second,
        b"\x31" + good[1:],
        bytes((0x30, len(first))) + first,
        good[:-1],
    ):
        _refused(Reason.SIG_CRYPTO_FAILURE, key, algorithm, MESSAGE, wrong)
