from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.codec import der, oid
from eid.codec.spki import (
    EcParameters,
    decode_ec_parameters,
    decode_rsa_public_key,
    decode_spki,
    encode_ec_parameters,
    encode_ec_spki,
    encode_rsa_spki,
)
from eid.errors import DecodeError

TINY = EcParameters(23, 1, 1, b"\x04\x03\x0a", 28, 1)  # y^2 = x^3 + x + 1 over GF(23): a value, not a curve of ours
PRIME = der.encode_sequence(der.encode_oid(oid.PRIME_FIELD), der.encode_integer(23))
A, B = der.encode_octet_string(b"\x01"), der.encode_octet_string(b"\x01")
BASE, ORDER = der.encode_octet_string(b"\x04\x03\x0a"), der.encode_integer(28)
VERSION = der.encode_integer(1)


def test_explicit_parameters_round_trip() -> None:
    for parameters in (TINY, EcParameters(23, 1, 1, b"\x03\x03", 28, None)):
        assert decode_ec_parameters(encode_ec_parameters(parameters)) == parameters


def test_coefficients_are_as_long_as_the_prime() -> None:
    raw = encode_ec_parameters(EcParameters(0x10001, 1, 0, b"\x02", 5, 1))
    assert b"\x04\x03\x00\x00\x01\x04\x03\x00\x00\x00" in raw


def test_seed_is_passed_over() -> None:
    curve = der.encode_sequence(A, B, der.encode_bit_string(b"seed"))
    assert decode_ec_parameters(der.encode_sequence(VERSION, PRIME, curve, BASE, ORDER, der.encode_integer(1))) == TINY


def test_named_curve() -> None:
    assert decode_ec_parameters(der.encode_oid("1.2.840.10045.3.1.7")) == "1.2.840.10045.3.1.7"
    info = decode_spki(encode_ec_spki("1.2.840.10045.3.1.7", b"\x04abcd"))
    assert (info.algorithm.oid, info.public_key) == (oid.EC_PUBLIC_KEY, b"\x04abcd")


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"",
        der.encode_null(),
        der.encode_oid("1.2.3") + b"\x00",
        der.encode_sequence(der.encode_integer(0), PRIME, der.encode_sequence(A, B), BASE, ORDER),
        der.encode_sequence(der.encode_integer(4), PRIME, der.encode_sequence(A, B), BASE, ORDER),
        der.encode_sequence(VERSION, der.encode_sequence(der.encode_oid("1.2.840.10045.1.2"), b"\x02\x01\x17"), BASE),
        der.encode_sequence(VERSION, der.encode_sequence(der.encode_oid(oid.PRIME_FIELD), b"\x02\x01\xff"), BASE),
        der.encode_sequence(VERSION, PRIME, der.encode_sequence(A), BASE, ORDER),
        der.encode_sequence(VERSION, PRIME, der.encode_sequence(A, B, A), BASE, ORDER),
        der.encode_sequence(VERSION, PRIME, der.encode_sequence(A, B), BASE),
        der.encode_sequence(VERSION, PRIME, der.encode_sequence(A, B), BASE, ORDER, ORDER, ORDER),
    ],
)
def test_malformed_parameters(raw: bytes | None) -> None:
    with pytest.raises(DecodeError):
        decode_ec_parameters(raw)


def test_rsa_round_trip() -> None:
    info = decode_spki(encode_rsa_spki(0xC0FFEE, 65537))
    key = decode_rsa_public_key(info.public_key)
    assert (info.algorithm.oid, key.modulus, key.public_exponent) == (oid.RSA_ENCRYPTION, 0xC0FFEE, 65537)


@pytest.mark.parametrize(
    "text",
    ["3006020100020103", "30060201ff020103", "3006020107020100", "3003020107", "30060201070201 03 00".replace(" ", "")],
)
def test_malformed_rsa_key(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_rsa_public_key(bytes.fromhex(text))


@pytest.mark.parametrize("text", ["", "3000", "300c300706052b0e03021a030107", "300c300706052b0e03021a03010000"])
def test_malformed_spki(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_spki(bytes.fromhex(text))


@given(st.binary(max_size=80))
def test_any_octets(raw: bytes) -> None:
    for data in (
        raw,
        der.encode_sequence(raw),
        der.encode_sequence(VERSION, raw),
        der.encode_sequence(VERSION, PRIME, raw),
    ):
        for decode in (decode_spki, decode_rsa_public_key, decode_ec_parameters):
            try:
                decode(data)
            except DecodeError:
                continue
