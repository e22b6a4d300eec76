from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from eid.errors import KeyStoreError
from eid.keystore.card_keys import AesCardKeys
from eid.keystore.pkcs11 import Pkcs11KeyStore
from eid.keystore.ports import KeyStore, StaticKey
from eid.keystore.token_card_keys import TokenCardKeys, store_card_keys

Fresh = Callable[[], str]


@pytest.fixture
def token(token_store: KeyStore) -> Pkcs11KeyStore:
    assert isinstance(token_store, Pkcs11KeyStore)
    return token_store


@pytest.mark.parametrize("length", [16, 24, 32])
def test_the_token_does_what_software_does(token: Pkcs11KeyStore, fresh_label: Fresh, length: int) -> None:
    enc, mac, dek = (bytes(range(start, start + length)) for start in (0, 64, 128))
    label = fresh_label()
    made = store_card_keys(token, label, 0x30, enc=enc, mac=mac, dek=dek)
    software = AesCardKeys(0x30, enc, mac, dek)
    for keys in (made, TokenCardKeys(token, label, 0x30)):
        assert (keys.key_version, keys.key_length) == (0x30, length)
        for key in (StaticKey.ENC, StaticKey.MAC):
            assert keys.cmac(key, b"context") == software.cmac(key, b"context")
        assert keys.encrypt_for_card(bytes(range(48))) == software.encrypt_for_card(bytes(range(48)))
        assert repr(keys) == f"TokenCardKeys({label!r})"
        with pytest.raises(TypeError, match="not to be pickled"):
            copy.copy(keys)


def test_each_key_has_one_use(token: Pkcs11KeyStore, fresh_label: Fresh) -> None:
    label = fresh_label()
    keys = store_card_keys(token, label, 1, enc=bytes(16), mac=bytes(16), dek=bytes(16))
    with pytest.raises(KeyStoreError, match="derives nothing"):
        keys.cmac(StaticKey.DEK, b"m")
    with pytest.raises(KeyStoreError, match="whole blocks"):
        keys.encrypt_for_card(bytes(17))
    for name, use in (("dek", "SIGN"), ("enc", "ENCRYPT"), ("mac", "DECRYPT"), ("enc", "WRAP")):
        with pytest.raises(KeyStoreError, match=f"not allowed to {use}"):
            token.find_secret_key(f"{label}.{name}", use)
    with pytest.raises(KeyStoreError, match="not allowed"):
        token.load_master_key(f"{label}.dek")


def test_what_is_no_key_set_is_refused(token: Pkcs11KeyStore, fresh_label: Fresh) -> None:
    label = fresh_label()
    with pytest.raises(KeyStoreError, match="one length"):
        store_card_keys(token, label, 1, enc=bytes(16), mac=bytes(16), dek=bytes(24))
    with pytest.raises(KeyStoreError, match="AES"):
        store_card_keys(token, label, 1, enc=bytes(15), mac=bytes(15), dek=bytes(15))
    with pytest.raises(KeyStoreError, match="0 keys"):
        TokenCardKeys(token, label, 1)
    for name, length in (("enc", 16), ("mac", 16), ("dek", 24)):
        token.import_secret_key(f"{label}.{name}", bytes(length), "ENCRYPT" if name == "dek" else "SIGN")
    with pytest.raises(KeyStoreError, match="one length"):
        TokenCardKeys(token, label, 1)
