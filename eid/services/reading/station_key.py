"""The inspection station's own key, with which it signs the evidence it gathers (docs/formats/evidence.md)."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from eid.crypto.hashes import digest
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import SignatureAlgorithm, curve_of_key
from eid.errors import KeyStoreError
from eid.evidence import Evidence
from eid.evidence.codec import sign_evidence
from eid.keystore.pkcs8 import ScryptCost
from eid.keystore.ports import Signer
from eid.keystore.software import SoftwareKeyStore

KEYS: Final = "keys"  # under `home`
PUBLIC_KEYS: Final = "stations"
LABEL: Final = "station"
CURVE: Final = "P-256"
ES256: Final = SignatureAlgorithm("ecdsa", "sha256")  # RFC 9053 2.1


class StationKeys:
    """The signature keys of the stations that work under one EID_HOME.

    Args:
        home: made where it is missing. passphrase: asked for when a key file is written or opened.

    Raises:
        KeyStoreError: a directory cannot be made, or others may enter it.
    """

    def __init__(self, home: Path, passphrase: Callable[[], bytes], cost: ScryptCost | None = None) -> None:
        self._home = home
        _make_private(home)
        self._store = SoftwareKeyStore(home / KEYS, passphrase, cost=ScryptCost() if cost is None else cost)

    def has(self, label: str = LABEL) -> bool:
        """Whether there is a key with this label."""
        return label in self._store.labels()

    def public_key_path(self, label: str = LABEL) -> Path:
        """Where the public key is laid down for those who are to trust this station."""
        return self._home / PUBLIC_KEYS / f"{label}.pem"

    def make(self, label: str = LABEL) -> Signer:
        """Make a key and lay its public half down.

        Raises:
            KeyStoreError: the label is taken or malformed, or a file cannot be written.
        """
        signer = self._store.generate_ec(label, CURVE, ES256)
        self._publish(signer, label)
        return signer

    def load(self, label: str = LABEL) -> Signer:
        """Open the key with this label.

        Raises:
            KeyStoreError: there is none, the passphrase is wrong, or it is of another curve than P-256.
        """
        signer = self._store.load(label, ES256)
        if not _is_p256(signer):
            raise KeyStoreError(f"the key {label!r} is no P-256 key, so it cannot sign evidence (RFC 9053 2.1)")
        return signer

    def _publish(self, signer: Signer, label: str) -> None:
        path = self.public_key_path(label)
        _make_private(path.parent)
        try:
            path.write_text(encode_pem(signer.public_key_info), encoding="ascii")
        except OSError as failure:
            raise KeyStoreError(f"{path}: {failure.strerror}") from failure


def _is_p256(signer: Signer) -> bool:
    key = load_public_key(signer.public_key_info)
    return not isinstance(key, RSAPublicKey) and curve_of_key(key).name == CURVE


def sign_by_station(evidence: Evidence, signer: Signer) -> bytes:
    """Evidence with the station's signature.

    Raises:
        KeyStoreError: the key cannot be used.
    """
    return sign_evidence(evidence, signer.sign, digest("sha256", signer.public_key_info))


def encode_pem(public_key_info: bytes) -> str:
    """A SubjectPublicKeyInfo as PEM (RFC 7468 13)."""
    lines = textwrap.wrap(base64.b64encode(public_key_info).decode("ascii"), 64)
    return "\n".join(("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""))


def _make_private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as failure:
        raise KeyStoreError(f"{directory}: {failure.strerror}") from failure
