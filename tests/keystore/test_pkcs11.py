from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eid.errors import KeyStoreError
from eid.keystore.pkcs11 import Pkcs11KeyStore
from eid.keystore.ports import KeyStore


def test_private_and_master_keys_cannot_be_taken_out(token_store: KeyStore, fresh_label: Callable[[], str]) -> None:
    import pkcs11

    assert isinstance(token_store, Pkcs11KeyStore)
    label = fresh_label()
    token_store.generate_ec(label, "brainpoolP256r1")
    token_store.generate_master_key(label)
    token_store.store_master_key(label + "-imported", bytes(range(16)))
    with token_store.operation("looking") as library:
        for kind in (library.ObjectClass.PRIVATE_KEY, library.ObjectClass.SECRET_KEY):
            names = [label, label + "-imported"] if kind is library.ObjectClass.SECRET_KEY else [label]
            for name in names:
                key = token_store._find(library, name, kind)
                assert key[pkcs11.Attribute.SENSITIVE]
                assert not key[pkcs11.Attribute.EXTRACTABLE]
                assert key[pkcs11.Attribute.PRIVATE]
                with pytest.raises(pkcs11.PKCS11Error):
                    key[pkcs11.Attribute.VALUE]


def test_wrong_module_token_or_pin(softhsm_token: Any, token_store: KeyStore) -> None:
    module = str(softhsm_token.module)
    with pytest.raises(KeyStoreError):
        Pkcs11KeyStore("/no/such/module.so", "x", "1234")
    with pytest.raises(KeyStoreError, match="no-such-token"):
        Pkcs11KeyStore(module, "no-such-token", lambda: "1234")


def test_a_second_store_of_one_process_shares_the_login(
    softhsm_token: Any, token_store: KeyStore, fresh_label: Callable[[], str]
) -> None:
    label = fresh_label()
    with Pkcs11KeyStore(str(softhsm_token.module), softhsm_token.label, lambda: softhsm_token.pin) as second:
        made = second.generate_ec(label, "P-256")
        assert made.sign(b"m")
    assert token_store.load(label).public_key_info == made.public_key_info
    assert token_store.load(label).sign(b"m")


def test_a_closed_store_refuses(softhsm_token: Any, token_store: KeyStore, fresh_label: Callable[[], str]) -> None:
    label = fresh_label()
    token_store.generate_ec(label, "P-256")
    second = Pkcs11KeyStore(str(softhsm_token.module), softhsm_token.label, softhsm_token.pin)
    signer = second.load(label)
    second.close()
    with pytest.raises(KeyStoreError, match="signing"):
        signer.sign(b"m")
    assert token_store.load(label).sign(b"m")


def test_a_key_of_another_type_or_curve_is_refused(token_store: KeyStore, fresh_label: Callable[[], str]) -> None:
    import pkcs11

    from eid.codec import der

    assert isinstance(token_store, Pkcs11KeyStore)
    label = fresh_label()
    with token_store.operation("making") as library:
        parameters = token_store._session.create_domain_parameters(
            library.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: der.encode_oid("1.3.132.0.10")}, local=True
        )
        parameters.generate_keypair(store=True, label=label, id=label.encode())
    with pytest.raises(KeyStoreError, match="unknown"):
        token_store.load(label)
    with pytest.raises(KeyStoreError):
        token_store.load_master_key(label)


def test_curves_that_the_library_lacks_work_in_the_token(token_store: KeyStore, fresh_label: Callable[[], str]) -> None:
    from eid.crypto.public_key import load_public_key
    from eid.crypto.signatures import verify_signature

    signer = token_store.generate_ec(fresh_label(), "brainpoolP320r1")
    assert signer.algorithm.hash_name == "sha384"
    key = load_public_key(signer.public_key_info)
    verify_signature(key, signer.algorithm, b"m", signer.sign(b"m"))


def test_without_the_extra_the_store_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pkcs11", None)
    with pytest.raises(KeyStoreError, match="hsm"):
        Pkcs11KeyStore("/x", "x", "x")
