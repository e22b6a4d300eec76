from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from eid.crypto.mac import cmac
from eid.errors import KeyStoreError
from eid.keystore.card_keys import (
    AesCardKeys,
    MasterKey,
    default_card_keys,
    derive_card_key,
    derive_card_keys,
    derive_kcv,
)
from eid.keystore.ports import StaticKey

VECTORS: Any = json.loads((Path(__file__).parents[1] / "vectors" / "gp-kdf3.json").read_text(encoding="utf-8"))
KDD = bytes.fromhex(VECTORS["kdd"])
KCV_CASES = [case for case in VECTORS["cases"] if "kcv" in case]
KEY_CASES = [case for case in VECTORS["cases"] if "derived_enc" in case]


def master_of(value: bytes) -> MasterKey:
    return MasterKey("master", len(value), lambda message: cmac(value, message))


@pytest.mark.parametrize("case", KCV_CASES, ids=lambda case: case["master"])
def test_key_check_values_of_kdf3(case: Any) -> None:
    value = bytes.fromhex(VECTORS["masters"][case["master"]])
    keys = derive_card_keys(lambda message: cmac(value, message), KDD, 1, len(value))
    assert {key.name.lower(): derive_kcv(item).hex().upper() for key, item in keys.items()} == case["kcv"]


def test_a_whole_derived_key_of_kdf3() -> None:
    (case,) = KEY_CASES
    value = bytes.fromhex(case["master_hex"])
    derived = derive_card_key(lambda message: cmac(value, message), StaticKey.ENC, bytes.fromhex(case["kdd_hex"]), 32)
    assert derived.hex().upper() == case["derived_enc"]


@pytest.mark.parametrize("length", [16, 24, 32])
def test_put_key_blocks_are_the_derived_keys_under_the_old_dek(length: int) -> None:
    value = bytes.fromhex(VECTORS["masters"][f"master_{length}"])
    source = master_of(value)
    old = default_card_keys()
    keys = derive_card_keys(lambda message: cmac(value, message), KDD, 1, length)
    for (block, kcv), key in zip(source.put_key_blocks(KDD, 1, old), StaticKey, strict=True):
        decryptor = Cipher(algorithms.AES(bytes(range(0x40, 0x50))), modes.CBC(bytes(16))).decryptor()
        plain = decryptor.update(block) + decryptor.finalize()
        assert plain[:length] == keys[key]
        assert plain[length:] == bytes(-length % 16)
        assert kcv == derive_kcv(keys[key])


def test_the_derived_key_set_is_what_put_key_wrote() -> None:
    source = master_of(bytes(range(16)))
    keys = source.card_keys(KDD, 3)
    raw = derive_card_keys(lambda message: cmac(bytes(range(16)), message), KDD, 3, 16)
    assert keys == AesCardKeys(3, raw[StaticKey.ENC], raw[StaticKey.MAC], raw[StaticKey.DEK])
    assert keys.cmac(StaticKey.ENC, b"m") == cmac(raw[StaticKey.ENC], b"m")
    assert keys.cmac(StaticKey.MAC, b"m") == cmac(raw[StaticKey.MAC], b"m")
    assert source.key_length == 16
    assert source.label == "master"


def test_each_card_has_its_own_keys() -> None:
    source = master_of(bytes(range(16)))
    seen = {source.card_keys(bytes((n,)) * 10, 1).cmac(StaticKey.MAC, b"m") for n in range(20)}
    assert len(seen) == 20


def test_a_derivation_that_gives_the_master_back_is_refused() -> None:
    value = bytes(range(16))

    def broken_token(message: bytes) -> bytes:
        # A token that answers a derivation request with the master key itself
        return value if message[4:5] == b"\x02" else cmac(value, message)

    with pytest.raises(KeyStoreError, match="equals the master"):
        derive_card_keys(broken_token, KDD, 1, 16)


def test_a_derivation_that_ignores_the_key_identifier_is_refused() -> None:
    with pytest.raises(KeyStoreError, match="another key"):
        derive_card_keys(lambda _: bytes(16), KDD, 1, 16)


@pytest.mark.parametrize("kdd", [b"", bytes(9), bytes(11)])
def test_diversification_data_have_ten_octets(kdd: bytes) -> None:
    with pytest.raises(KeyStoreError, match="10 octets"):
        master_of(bytes(16)).card_keys(kdd, 1)


@pytest.mark.parametrize("version", [0, 0x80, 0xFF, -1])
def test_a_diversified_key_set_has_a_real_version(version: int) -> None:
    with pytest.raises(KeyStoreError, match="version"):
        master_of(bytes(16)).put_key_blocks(KDD, version, default_card_keys())


def test_the_keys_of_a_blank_card() -> None:
    keys = default_card_keys()
    public = bytes.fromhex("404142434445464748494A4B4C4D4E4F")
    assert (keys.key_version, keys.key_length) == (0xFF, 16)
    assert keys.cmac(StaticKey.ENC, b"m") == keys.cmac(StaticKey.MAC, b"m") == cmac(public, b"m")
    assert default_card_keys(32).cmac(StaticKey.MAC, b"m") == cmac(public * 2, b"m")
    assert default_card_keys(24, 1).key_length == 24


def test_a_key_set_derives_with_two_keys_and_encrypts_with_the_third() -> None:
    keys = default_card_keys()
    with pytest.raises(KeyStoreError, match="derives nothing"):
        keys.cmac(StaticKey.DEK, b"m")
    with pytest.raises(KeyStoreError, match="whole blocks"):
        keys.encrypt_for_card(bytes(15))


@pytest.mark.parametrize("lengths", [(16, 16, 24), (15, 15, 15), (0, 0, 0)])
def test_keys_of_other_lengths_are_refused(lengths: tuple[int, int, int]) -> None:
    with pytest.raises(KeyStoreError, match="AES keys"):
        AesCardKeys(1, *(bytes(length) for length in lengths))
    with pytest.raises(KeyStoreError, match="AES key"):
        MasterKey("x", 17, lambda message: message)
