"""What every key store must do, on every key store that there is."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from eid.crypto.curves import curve_by_name
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import SignatureAlgorithm, verify_signature
from eid.errors import KeyStoreError, VerificationError
from eid.keystore.algorithm import rsa_algorithm
from eid.keystore.card_keys import default_card_keys
from eid.keystore.ports import KeyStore, Signer, StaticKey

MESSAGE = b"a message to be signed"

Fresh = Callable[[], str]


def assert_signs(signer: Signer) -> None:
    key = load_public_key(signer.public_key_info)
    signature = signer.sign(MESSAGE)
    verify_signature(key, signer.algorithm, MESSAGE, signature)
    with pytest.raises(VerificationError):
        verify_signature(key, signer.algorithm, MESSAGE + b"!", signature)


@pytest.mark.parametrize(
    ("curve", "hash_name"),
    [
        ("P-256", "sha256"),
        ("P-384", "sha384"),
        ("P-521", "sha512"),
        ("brainpoolP256r1", "sha256"),
        ("brainpoolP384r1", "sha384"),
        ("brainpoolP512r1", "sha512"),
    ],
)
def test_ec_keys_sign_with_the_hash_that_fits_the_curve(
    store: KeyStore, fresh_label: Fresh, curve: str, hash_name: str
) -> None:
    label = fresh_label()
    signer = store.generate_ec(label, curve)
    assert signer.label == label
    assert signer.algorithm == SignatureAlgorithm("ecdsa", hash_name)
    public_key = load_der_public_key(signer.public_key_info)
    known = curve_by_name(curve)
    assert known is not None
    assert known.library is not None
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    assert public_key.curve.name == known.library.name
    assert_signs(signer)
    again = store.load(label)
    assert again.public_key_info == signer.public_key_info
    assert_signs(again)
    assert label in store.labels()


def test_the_hash_may_be_longer_or_shorter_than_the_curve(store: KeyStore, fresh_label: Fresh) -> None:
    label = fresh_label()
    store.generate_ec(label, "P-256")
    for name in ("sha1", "sha224", "sha384", "sha512"):
        assert_signs(store.load(label, SignatureAlgorithm("ecdsa", name)))


def test_rsa_keys_sign_with_both_schemes(store: KeyStore, fresh_label: Fresh) -> None:
    label = fresh_label()
    signer = store.generate_rsa(label, 2048)
    assert signer.algorithm == SignatureAlgorithm("rsa-pss", "sha256", 32, "sha256")
    assert_signs(signer)
    public_key = load_der_public_key(signer.public_key_info)
    assert isinstance(public_key, rsa.RSAPublicKey)
    assert public_key.public_numbers().e == 65537
    for algorithm in (
        rsa_algorithm("rsa-pkcs1", "sha256"),
        rsa_algorithm("rsa-pkcs1", "sha512"),
        rsa_algorithm("rsa-pss", "sha384"),
        SignatureAlgorithm("rsa-pss", "sha256", 20, "sha256"),
    ):
        assert_signs(store.load(label, algorithm))


def test_a_label_is_used_once_and_is_a_safe_name(store: KeyStore, fresh_label: Fresh) -> None:
    label = fresh_label()
    store.generate_ec(label, "P-256")
    before = store.load(label).public_key_info
    with pytest.raises(KeyStoreError, match="already"):
        store.generate_ec(label, "P-256")
    with pytest.raises(KeyStoreError, match="already"):
        store.generate_rsa(label, 2048)
    assert store.load(label).public_key_info == before
    for bad in ("", "../up", "a/b", ".hidden", "a" * 65, "é", "a\0b", "a\n"):
        for use in (
            lambda name: store.generate_ec(name, "P-256"),
            lambda name: store.generate_rsa(name, 2048),
            store.load,
            store.generate_master_key,
            store.load_master_key,
        ):
            with pytest.raises(KeyStoreError, match="label"):
                use(bad)


def test_what_is_missing_unknown_or_out_of_bounds_is_refused(store: KeyStore, fresh_label: Fresh) -> None:
    label = fresh_label()
    with pytest.raises(KeyStoreError):
        store.load(label)
    with pytest.raises(KeyStoreError):
        store.load_master_key(label)
    with pytest.raises(KeyStoreError, match="curve"):
        store.generate_ec(label, "P-257")
    for bits in (1024, 2049, 16384):
        with pytest.raises(KeyStoreError, match="bits"):
            store.generate_rsa(label, bits)
    assert label not in store.labels()


def test_an_algorithm_that_does_not_go_with_the_key_is_refused(store: KeyStore, fresh_label: Fresh) -> None:
    label = fresh_label()
    store.generate_ec(label, "P-256")
    for algorithm in (
        rsa_algorithm(),
        SignatureAlgorithm("ecdsa", "md5"),
        SignatureAlgorithm("ecdsa-plain", "sha256"),
        SignatureAlgorithm("rsa-pss", "sha256"),
    ):
        with pytest.raises(KeyStoreError, match="does not go with"):
            store.load(label, algorithm)


def test_master_keys_are_kept_and_derive_the_same_in_every_store(store: KeyStore, fresh_label: Fresh) -> None:
    value = bytes(range(32))
    kdd = bytes(range(10))
    label = fresh_label()
    from eid.crypto.mac import cmac
    from eid.keystore.card_keys import MasterKey

    expected = MasterKey("x", 32, lambda message: cmac(value, message)).card_keys(kdd, 1)
    for source in (store.store_master_key(label, value), store.load_master_key(label)):
        keys = source.card_keys(kdd, 1)
        assert (keys.key_version, keys.key_length) == (1, 32)
        assert keys.cmac(StaticKey.ENC, b"m") == expected.cmac(StaticKey.ENC, b"m")
        assert keys.cmac(StaticKey.MAC, b"m") == expected.cmac(StaticKey.MAC, b"m")
        assert keys.encrypt_for_card(bytes(16)) == expected.encrypt_for_card(bytes(16))
    with pytest.raises(KeyStoreError, match="already"):
        store.store_master_key(label, value)


@pytest.mark.parametrize("length", [16, 24, 32])
def test_master_keys_of_each_length_are_made_in_the_store(store: KeyStore, fresh_label: Fresh, length: int) -> None:
    label = fresh_label()
    made = store.generate_master_key(label, length).card_keys(bytes(10), 0x7F)
    loaded = store.load_master_key(label).card_keys(bytes(10), 0x7F)
    assert made.key_length == length
    assert made.cmac(StaticKey.MAC, b"m") == loaded.cmac(StaticKey.MAC, b"m")
    blocks = store.load_master_key(label).put_key_blocks(bytes(10), 1, default_card_keys())
    assert [len(block) for block, _ in blocks] == [-(-length // 16) * 16] * 3
    assert len({kcv for _, kcv in blocks}) == 3


def test_master_keys_of_no_aes_length_are_refused(store: KeyStore, fresh_label: Fresh) -> None:
    with pytest.raises(KeyStoreError, match="AES"):
        store.generate_master_key(fresh_label(), 17)
    with pytest.raises(KeyStoreError, match="AES"):
        store.store_master_key(fresh_label(), bytes(15))


def test_nothing_leaks_by_repr_and_nothing_is_pickled(store: KeyStore, fresh_label: Fresh) -> None:
    label = fresh_label()
    signer = store.generate_ec(label, "P-256")
    master = store.store_master_key(label, b"\xab" * 16)
    assert repr(signer) in (f"SoftwareSigner({label!r})", f"Pkcs11Signer({label!r})")
    assert repr(master) == f"MasterKey({label!r})"
    assert "ab" not in repr(master.card_keys(bytes(10), 1)).lower().replace("label", "")
    assert "SPECIMEN" not in repr(store)
    for value in (signer, master, store, master.card_keys(bytes(10), 1)):
        for take in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="not to be pickled"):
                take(value)
