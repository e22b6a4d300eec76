"""Block ciphers, padding and MACs against published vectors, and their refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.crypto.block_cipher import decrypt_cbc, encrypt_cbc, encrypt_ecb
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.mac import cmac, compute_mac, verify_mac
from eid.crypto.padding import pad, unpad
from eid.errors import AuthenticationError, DecodeError, LocalProtocolError
from tests.builders.sweep import examples

VECTORS = Path(__file__).parents[1] / "vectors"
MODES = json.loads((VECTORS / "aes-modes.json").read_text())
CMAC = json.loads((VECTORS / "aes-cmac.json").read_text())
BAC = json.loads((VECTORS / "icao9303-11-D-bac.json").read_text())
AES_BY_LENGTH = {16: CipherSuite.AES_128, 24: CipherSuite.AES_192, 32: CipherSuite.AES_256}
suites = pytest.mark.parametrize("suite", CipherSuite)


@suites
def test_suite_attributes(suite: CipherSuite) -> None:
    assert (suite.key_length, suite.block_size, suite.hash_name, suite.mac_length) == {
        CipherSuite.TDES_112: (16, 8, "sha1", 8),
        CipherSuite.AES_128: (16, 16, "sha1", 8),
        CipherSuite.AES_192: (24, 16, "sha256", 8),
        CipherSuite.AES_256: (32, 16, "sha256", 8),
    }[suite]


@pytest.mark.parametrize("case", MODES["cases"], ids=lambda case: f"AES-{4 * len(case['key'])}")
def test_aes_sp800_38a(case: dict[str, str]) -> None:
    key, iv, plaintext = (bytes.fromhex(text) for text in (case["key"], MODES["iv"], MODES["plaintext"]))
    suite = AES_BY_LENGTH[len(key)]
    assert encrypt_cbc(suite, key, iv, plaintext).hex() == case["cbc"]
    assert decrypt_cbc(suite, key, iv, bytes.fromhex(case["cbc"])) == plaintext
    assert encrypt_ecb(suite, key, plaintext[:16]).hex() == case["ecb"]


def test_tdes_doc_9303_appendix_d() -> None:
    authentication, kdf = BAC["authentication"], BAC["kdf"]
    k_enc, iv = bytes.fromhex(kdf["kenc"]), bytes(8)
    s, e_ifd = bytes.fromhex(authentication["s"]), bytes.fromhex(authentication["e_ifd"])
    assert encrypt_cbc(CipherSuite.TDES_112, k_enc, iv, s) == e_ifd
    assert decrypt_cbc(CipherSuite.TDES_112, k_enc, iv, e_ifd) == s
    assert encrypt_ecb(CipherSuite.TDES_112, k_enc, s[:8]) == e_ifd[:8]


@pytest.mark.parametrize("part", ["ifd", "ic"])
def test_retail_mac_doc_9303_appendix_d(part: str) -> None:
    authentication, k_mac = BAC["authentication"], bytes.fromhex(BAC["kdf"]["kmac"])
    mac = compute_mac(CipherSuite.TDES_112, k_mac, bytes.fromhex(authentication[f"e_{part}"]))
    assert mac == bytes.fromhex(authentication[f"m_{part}"])


def test_retail_mac_of_one_block_is_one_tdes_block() -> None:
    key = bytes.fromhex(BAC["kdf"]["kmac"])
    assert compute_mac(CipherSuite.TDES_112, key, b"1234567") == encrypt_ecb(CipherSuite.TDES_112, key, b"1234567\x80")


@pytest.mark.parametrize("case", CMAC["cases"], ids=lambda case: f"{4 * len(case['key'])}-{case['length']}")
def test_aes_cmac(case: dict[str, str | int]) -> None:
    key = bytes.fromhex(str(case["key"]))
    message = bytes.fromhex(CMAC["message"])[: int(case["length"])]
    assert cmac(key, message).hex() == case["mac"]
    assert compute_mac(AES_BY_LENGTH[len(key)], key, message).hex() == str(case["mac"])[:16]


@suites
@given(data=st.binary(max_size=80))
@settings(max_examples=25)
def test_cbc_round_trip(suite: CipherSuite, data: bytes) -> None:
    key, iv = bytes(range(suite.key_length)), bytes(suite.block_size)
    padded = pad(data, suite.block_size)
    assert unpad(decrypt_cbc(suite, key, iv, encrypt_cbc(suite, key, iv, padded)), suite.block_size) == data


@suites
def test_wrong_lengths(suite: CipherSuite) -> None:
    key, iv, block = bytes(suite.key_length), bytes(suite.block_size), bytes(suite.block_size)
    for bad_key in (b"", key[1:], key + b"\x00"):
        with pytest.raises(LocalProtocolError, match="key has"):
            encrypt_cbc(suite, bad_key, iv, block)
        with pytest.raises(LocalProtocolError, match="key has"):
            decrypt_cbc(suite, bad_key, iv, block)
        with pytest.raises(LocalProtocolError, match="key has"):
            encrypt_ecb(suite, bad_key, block)
        with pytest.raises(LocalProtocolError, match="key has"):
            compute_mac(suite, bad_key, block)
    with pytest.raises(LocalProtocolError, match="IV"):
        encrypt_cbc(suite, key, iv[1:], block)
    with pytest.raises(LocalProtocolError, match="whole blocks"):
        encrypt_cbc(suite, key, iv, block[1:])
    with pytest.raises(DecodeError, match="whole blocks"):
        decrypt_cbc(suite, key, iv, block + b"\x00")
    with pytest.raises(LocalProtocolError, match="one block"):
        encrypt_ecb(suite, key, block + block)


def test_cmac_refuses_other_key_lengths() -> None:
    with pytest.raises(LocalProtocolError):
        cmac(bytes(15), b"")


def test_pad() -> None:
    assert pad(b"", 8) == b"\x80" + bytes(7)
    assert pad(bytes(7), 8) == bytes(7) + b"\x80"
    assert pad(bytes(8), 8) == bytes(8) + b"\x80" + bytes(7)


@given(data=st.binary(max_size=40), block_size=st.sampled_from([8, 16]))
@settings(max_examples=examples(60))
def test_unpad_reverses_pad(data: bytes, block_size: int) -> None:
    padded = pad(data, block_size)
    assert len(padded) % block_size == 0
    assert 0 < len(padded) - len(data) <= block_size
    assert unpad(padded, block_size) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",  # not a whole block
        bytes(8),  # no 80 at all
        b"1234567\x81",
        b"\x80" + bytes(15),  # a whole superfluous block
        b"\x80" + bytes(6) + b"\x01",
    ],
)
def test_unpad_refuses(data: bytes) -> None:
    with pytest.raises(DecodeError):
        unpad(data, 8)


@given(data=st.binary(max_size=64))
@settings(max_examples=examples(100))
def test_unpad_of_anything_raises_only_decode_error(data: bytes) -> None:
    try:
        plain = unpad(data, 8)
    except DecodeError:
        return
    assert pad(plain, 8) == data


def test_verify_mac() -> None:
    verify_mac(b"12345678", b"12345678")
    for given_mac in (b"12345679", b"1234567", b"123456789", b""):
        with pytest.raises(AuthenticationError) as caught:
            verify_mac(b"12345678", given_mac)
        assert "1234" not in str(caught.value)


def test_verify_mac_never_accepts_nothing() -> None:
    with pytest.raises(AuthenticationError):
        verify_mac(b"", b"")
