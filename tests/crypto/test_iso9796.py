"""ISO/IEC 9796-2 scheme 1: Doc 9303-11 Appendix F, round trips, and every way to be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.crypto import iso9796
from eid.crypto.hashes import HASH_ALGORITHMS, digest
from eid.crypto.iso9796 import build_representative, recover, recoverable_length, sign, verify
from eid.errors import DecodeError, LocalProtocolError, Reason, VerificationError
from tests.builders.rsa_keys import rsa_private_key
from tests.builders.sweep import examples

AA = json.loads((Path(__file__).parents[1] / "vectors" / "icao9303-11-F-aa.json").read_text())
CHALLENGE = bytes.fromhex("F173589974BF40C6")
TRAILERS = {"sha1": "33cc", "sha256": "34cc", "sha512": "35cc", "sha384": "36cc", "sha224": "38cc"}
all_hashes = pytest.mark.parametrize("hash_name", [algorithm.name for algorithm in HASH_ALGORITHMS])


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa_private_key(1024)


def _public_operation(key: rsa.RSAPrivateKey, signature: bytes) -> bytes:
    numbers = key.public_key().public_numbers()
    return pow(int.from_bytes(signature, "big"), numbers.e, numbers.n).to_bytes(len(signature), "big")


def _sign_representative(key: rsa.RSAPrivateKey, representative: bytes) -> bytes:
    numbers = key.private_numbers()
    value = pow(int.from_bytes(representative, "big"), numbers.d, numbers.public_numbers.n)
    return value.to_bytes(len(representative), "big")


def _refused(
    key: rsa.RSAPrivateKey | rsa.RSAPublicKey, signature: bytes, m2: bytes = CHALLENGE, hash_name: str | None = None
) -> Reason:
    public = key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key
    with pytest.raises(VerificationError) as caught:
        verify(public, m2, signature, hash_name)
    return caught.value.reason


def test_appendix_f() -> None:
    """The specification prints no public key: its representative, taken apart and built again."""
    f, m1, rnd_ifd = (bytes.fromhex(AA[name]) for name in ("f", "m1", "rnd_ifd"))
    recovered = recover(f)
    assert recovered.hash_name == "sha1"
    assert recovered.m1 == m1
    assert recovered.message_digest == bytes.fromhex(AA["h"]) == digest("sha1", m1 + rnd_ifd)
    assert build_representative(m1, rnd_ifd, "sha1", len(f)) == f
    assert recoverable_length(len(f), "sha1") == len(m1)


def test_appendix_f_signed_with_our_own_key(key: rsa.RSAPrivateKey) -> None:
    f, m1 = bytes.fromhex(AA["f"]), bytes.fromhex(AA["m1"])
    given_octets = iter([m1])

    def random(length: int) -> bytes:
        return next(given_octets, b"\x5a" * length)  # M1 first, then the blinding

    signature = sign(key, CHALLENGE, "sha1", random)
    assert _public_operation(key, signature) == f
    assert signature == _sign_representative(key, f)
    assert verify(key.public_key(), CHALLENGE, signature).m1 == m1


@all_hashes
def test_trailers(hash_name: str) -> None:
    f = build_representative(b"m1", CHALLENGE, hash_name, 128, implicit_trailer=False)
    assert f[-2:].hex() == TRAILERS[hash_name]
    assert len(f) == 128
    assert recover(f).hash_name == hash_name


@pytest.mark.parametrize("bits", [1024, 1280, 1536, 2048, 4096])
@all_hashes
def test_sign_and_verify(bits: int, hash_name: str, keys: dict[int, rsa.RSAPrivateKey]) -> None:
    private = keys[bits]
    signature = sign(private, CHALLENGE, hash_name)
    assert len(signature) == bits // 8
    recovered = verify(private.public_key(), CHALLENGE, signature)
    assert recovered.hash_name == hash_name
    assert len(recovered.m1) == recoverable_length(bits // 8, hash_name)
    assert verify(private.public_key(), CHALLENGE, signature, hash_name) == recovered
    other = "sha384" if hash_name != "sha384" else "sha1"
    assert _refused(private, signature, hash_name=other) is Reason.SIG_CRYPTO_FAILURE
    assert _refused(private, signature, b"another!") is Reason.SIG_CRYPTO_FAILURE
    assert _refused(private, signature, b"") is Reason.SIG_CRYPTO_FAILURE


@pytest.fixture(scope="module")
def keys() -> dict[int, rsa.RSAPrivateKey]:
    return {bits: rsa_private_key(bits) for bits in (1024, 1280, 1536, 2048, 4096)}


def test_the_smaller_of_s_and_n_minus_s(key: rsa.RSAPrivateKey) -> None:
    signature = sign(key, CHALLENGE, "sha256")
    n = key.public_key().public_numbers().n
    alternative = (n - int.from_bytes(signature, "big")).to_bytes(128, "big")
    assert verify(key.public_key(), CHALLENGE, alternative) == verify(key.public_key(), CHALLENGE, signature)


def test_signatures_are_randomised(key: rsa.RSAPrivateKey) -> None:
    assert sign(key, CHALLENGE, "sha256") != sign(key, CHALLENGE, "sha256")


def test_wrong_key(key: rsa.RSAPrivateKey) -> None:
    other = rsa_private_key(1024)
    assert _refused(other, sign(key, CHALLENGE, "sha256")) is Reason.SIG_CRYPTO_FAILURE


def test_every_flipped_octet(key: rsa.RSAPrivateKey) -> None:
    """Of the representative, signed anew: header, M1, hash value and trailer all count."""
    f = bytearray(_public_operation(key, sign(key, CHALLENGE, "sha256")))
    for octet in range(len(f)):
        f[octet] ^= 0x04
        assert _refused(key, _sign_representative(key, bytes(f))) is Reason.SIG_CRYPTO_FAILURE
        f[octet] ^= 0x04


@pytest.mark.parametrize("length", [0, 1, 127, 129, 4000])
def test_length_of_signature(key: rsa.RSAPrivateKey, length: int) -> None:
    assert _refused(key, bytes(length)) is Reason.SIG_CRYPTO_FAILURE


def test_special_values(key: rsa.RSAPrivateKey) -> None:
    n = key.public_key().public_numbers().n
    for value in (0, 1, n - 1, n, n + 1, (1 << 1024) - 1):
        assert _refused(key, value.to_bytes(128, "big")) is Reason.SIG_CRYPTO_FAILURE


def test_leading_zero_is_kept_and_not_added(key: rsa.RSAPrivateKey) -> None:
    signature = sign(key, CHALLENGE, "sha256")
    assert _refused(key, b"\x00" + signature) is Reason.SIG_CRYPTO_FAILURE
    assert _refused(key, signature.lstrip(signature[:1])) is Reason.SIG_CRYPTO_FAILURE


def test_shorter_m1_is_padded(key: rsa.RSAPrivateKey) -> None:
    most = recoverable_length(128, "sha256")
    for shorter, header in ((0, "6a"), (1, "6bba"), (2, "6bbbba"), (5, "6bbbbbbbbbba")):
        m1 = b"\xbb" * (most - shorter)  # looks like padding, and is not
        f = build_representative(m1, CHALLENGE, "sha256", 128)
        assert f.hex().startswith(header + "bb")
        assert recover(f).m1 == m1
        assert verify(key.public_key(), CHALLENGE, _sign_representative(key, f)).m1 == m1


@pytest.mark.parametrize(
    ("header", "trailer"),
    [
        ("4a", "34cc"),  # total recovery
        ("4b", "34cc"),
        ("00", "34cc"),
        ("6c", "34cc"),
        ("6b", "34cc"),  # no BA
        ("6bbb", "34cc"),
        ("6bab", "34cc"),
        ("6a", "31cc"),  # RIPEMD-160
        ("6a", "37cc"),
        ("6a", "34bd"),
        ("6a", "0000"),
    ],
)
def test_malformed_representatives(key: rsa.RSAPrivateKey, header: str, trailer: str) -> None:
    start, end = bytes.fromhex(header), bytes.fromhex(trailer)
    m1 = b"\x11" * (128 - len(start) - len(end) - 32)
    f = start + m1 + digest("sha256", m1 + CHALLENGE) + end
    with pytest.raises(DecodeError):
        recover(f)
    assert _refused(key, _sign_representative(key, f)) is Reason.SIG_CRYPTO_FAILURE


@pytest.mark.parametrize(
    "raw", ["", "6a", "bc", "6abc", "cc", "34cc", "6a34cc", "6a" + "00" * 20 + "bc", "6b" + "bb" * 60]
)
def test_too_short_representatives(raw: str) -> None:
    with pytest.raises(DecodeError):
        recover(bytes.fromhex(raw))


@given(raw=st.binary(max_size=200))
@settings(max_examples=examples(150))
def test_recover_anything(raw: bytes) -> None:
    try:
        recovered = recover(raw)
    except DecodeError:
        return
    assert recovered.m1


@given(middle=st.binary(min_size=21, max_size=150))
@settings(max_examples=examples(60))
def test_recover_loses_nothing(middle: bytes) -> None:
    recovered = recover(b"\x6a" + middle + b"\xbc")
    assert recovered.m1 + recovered.message_digest == middle


def test_implicit_trailer_means_sha1(key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(LocalProtocolError, match="SHA-1"):
        sign(key, CHALLENGE, "sha256", implicit_trailer=True)
    m1 = b"\x22" * (128 - 2 - 32)
    f = b"\x6a" + m1 + digest("sha256", m1 + CHALLENGE) + b"\xbc"  # BC over a SHA-256 value
    assert _refused(key, _sign_representative(key, f)) is Reason.SIG_CRYPTO_FAILURE


@pytest.mark.parametrize("m1_length", [0, 94, 200])
def test_m1_must_fit(m1_length: int) -> None:
    assert recoverable_length(128, "sha256") == 93
    with pytest.raises(LocalProtocolError):
        build_representative(bytes(m1_length), CHALLENGE, "sha256", 128)


@pytest.mark.parametrize("hash_name", ["md5", ""])
def test_unknown_hash(key: rsa.RSAPrivateKey, hash_name: str) -> None:
    with pytest.raises(VerificationError) as caught:
        sign(key, CHALLENGE, hash_name)
    assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED


@pytest.mark.parametrize("bits", [1025, 4104])
def test_key_sizes(bits: int) -> None:
    """Whole octets from 1024 to 4096 bits."""
    odd = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1).public_key()
    assert _refused(odd, bytes((bits + 7) // 8)) is Reason.ALGORITHM_UNSUPPORTED


def test_a_faulty_private_operation_gives_nothing_away(key: rsa.RSAPrivateKey) -> None:
    """Bellcore attack: one wrong CRT half would betray a prime factor."""
    genuine = key.private_numbers()
    faulty = rsa.RSAPrivateNumbers(
        p=genuine.p,
        q=genuine.q,
        d=genuine.d,
        dmp1=genuine.dmp1,
        dmq1=genuine.dmq1 ^ 2,
        iqmp=genuine.iqmp,
        public_numbers=genuine.public_numbers,
    )
    with pytest.raises(LocalProtocolError, match="withheld"):
        iso9796._private_operation(faulty, 0x1234, lambda length: b"\x77" * length)
