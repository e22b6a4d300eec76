from __future__ import annotations

import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from eid.errors import KeyStoreError
from eid.keystore.service_keys import LENGTH, ServiceKeys, load_service_keys

KEYS = ServiceKeys(bytes(range(32)))


def test_keys_are_those_of_rfc_5869() -> None:
    extracted = hmac.digest(bytes(32), KEYS.secret, hashlib.sha256)  # RFC 5869 2.2: without salt, zeros
    expected = HKDFExpand(SHA256(), 32, b"eid-service-key:stamp").derive(extracted)
    assert KEYS.derive("stamp") == expected
    assert KEYS.tag("stamp", b"value") == hmac.digest(expected, b"value", "sha256")
    assert KEYS.derive("stamp") != KEYS.derive("stamps")


def test_what_is_sealed_opens_with_its_key_in_its_place_only() -> None:
    sealed = KEYS.seal("code", b"12345678", b"row 1")
    assert b"12345678" not in sealed
    assert sealed != KEYS.seal("code", b"12345678", b"row 1")
    assert KEYS.unseal("code", sealed, b"row 1") == b"12345678"
    altered = bytes((sealed[0] ^ 1,)) + sealed[1:]
    for purpose, raw, context in (
        ("other", sealed, b"row 1"),
        ("code", sealed, b"row 2"),
        ("code", altered, b"row 1"),
        ("code", sealed[:-1], b"row 1"),
        ("code", b"", b"row 1"),
    ):
        with pytest.raises(KeyStoreError, match="does not open"):
            KEYS.unseal(purpose, raw, context)
    with pytest.raises(KeyStoreError):
        ServiceKeys(bytes(range(31, 63))).unseal("code", sealed, b"row 1")


def test_the_secret_does_not_show() -> None:
    assert KEYS.secret.hex() not in repr(KEYS)
    assert repr(KEYS.secret) not in repr(KEYS)
    with pytest.raises(KeyStoreError, match="32 octets"):
        ServiceKeys(b"short")


def test_the_file_is_made_once(tmp_path) -> None:
    path = tmp_path / "keys" / "service.key"
    with ThreadPoolExecutor(4) as pool:  # threads of one process share a temporary name: made before they start
        first = load_service_keys(path)
        assert {keys.secret for keys in pool.map(load_service_keys, [path] * 8)} == {first.secret}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["service.key"]
    assert len(first.secret) == LENGTH


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "é" * 32])
def test_a_malformed_file(tmp_path, text) -> None:
    path = tmp_path / "service.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyStoreError):
        load_service_keys(path)


def test_a_file_that_others_read(tmp_path) -> None:
    path = tmp_path / "service.key"
    load_service_keys(path)
    path.chmod(0o640)
    with pytest.raises(KeyStoreError, match="chmod 600"):
        load_service_keys(path)
    with pytest.raises(KeyStoreError, match="cannot be used"):
        load_service_keys(tmp_path)
