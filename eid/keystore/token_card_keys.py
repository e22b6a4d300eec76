"""One fixed SCP03 key set whose three keys live in a PKCS#11 token: session keys are made there, by AES-CMAC.

This is how transport keys, which a manufacturer agreed with an issuer for a whole batch of cards, are kept.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from eid.errors import KeyStoreError
from eid.keystore.algorithm import refuse_pickle
from eid.keystore.card_keys import BLOCK
from eid.keystore.pkcs11 import Pkcs11KeyStore
from eid.keystore.ports import StaticKey

USES: Final = {StaticKey.ENC: "SIGN", StaticKey.MAC: "SIGN", StaticKey.DEK: "ENCRYPT"}


class TokenCardKeys:
    """A key set in a token: the port `CardKeys` over three handles."""

    def __init__(self, store: Pkcs11KeyStore, label: str, key_version: int) -> None:
        found = {key: store.find_secret_key(_label_of(label, key), USES[key]) for key in StaticKey}
        lengths = {length for _, length in found.values()}
        if len(lengths) != 1:
            raise KeyStoreError("the three keys of a key set are AES keys of one length")
        self._store = store
        self._label = label
        self._key_version = key_version
        self._key_length = lengths.pop()
        self._handles: dict[StaticKey, Any] = {key: handle for key, (handle, _) in found.items()}

    @property
    def key_version(self) -> int:
        """Key version number on the card."""
        return self._key_version

    @property
    def key_length(self) -> int:
        """16, 24 or 32 octets."""
        return self._key_length

    def cmac(self, key: StaticKey, message: bytes) -> bytes:
        """AES-CMAC under Key-ENC or Key-MAC, 16 octets.

        Raises:
            KeyStoreError: asked for Key-DEK, which only encrypts, or the token refuses.
        """
        if key is StaticKey.DEK:
            raise KeyStoreError("Key-DEK derives nothing")
        with self._store.operation("AES-CMAC") as pkcs11:
            return bytes(self._handles[key].sign(message, mechanism=pkcs11.Mechanism.AES_CMAC))

    def encrypt_for_card(self, plaintext: bytes) -> bytes:
        """AES-CBC with zero ICV under Key-DEK; a whole number of blocks (GPC Amendment D 6.2.8).

        Raises:
            KeyStoreError: not a whole number of blocks, or the token refuses.
        """
        if len(plaintext) % BLOCK:
            raise KeyStoreError("Key-DEK encrypts whole blocks")
        with self._store.operation("AES-CBC") as pkcs11:
            encrypted = self._handles[StaticKey.DEK].encrypt(
                plaintext, mechanism=pkcs11.Mechanism.AES_CBC, mechanism_param=bytes(BLOCK)
            )
            return bytes(encrypted)

    def __repr__(self) -> str:
        return f"TokenCardKeys({self._label!r})"

    def __reduce__(self) -> NoReturn:
        refuse_pickle("a key set")


def store_card_keys(
    store: Pkcs11KeyStore, label: str, key_version: int, *, enc: bytes, mac: bytes, dek: bytes
) -> TokenCardKeys:
    """Import a key set into a token, each key for its one use.

    Raises:
        KeyStoreError: the label is taken or malformed, or the keys are not AES keys of one length.
    """
    if len({len(enc), len(mac), len(dek)}) != 1:
        raise KeyStoreError("the three keys of a key set are AES keys of one length")
    for key, value in zip(StaticKey, (enc, mac, dek), strict=True):
        store.import_secret_key(_label_of(label, key), value, USES[key])
    return TokenCardKeys(store, label, key_version)


def _label_of(label: str, key: StaticKey) -> str:
    return f"{label}.{key.name.lower()}"
