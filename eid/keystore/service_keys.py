"""Keys of one running service, all out of one secret: for keyed hashes of what must be found again but not be read, and
for what is kept only as long as it has to be sent.

The secret is a file of 32 octets in hexadecimal, readable by its owner alone. Who has the database alone can neither
try telephone numbers, stamps or codes against their hashes nor read what is sealed.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from eid.errors import KeyStoreError

LENGTH: Final = 32  # octets
FILE_NAME: Final = "service.key"
_NONCE: Final = 12  # octets of AES-GCM
_INFO: Final = b"eid-service-key:"


@dataclass(frozen=True, slots=True)
class ServiceKeys:
    """The keys of a service, one for each purpose (HKDF-SHA-256, RFC 5869).

    Args:
        secret: 32 octets that nobody else knows.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != LENGTH:
            raise KeyStoreError(f"the service's secret has {LENGTH} octets")

    def derive(self, purpose: str) -> bytes:
        """The key of a purpose, 32 octets; those of two purposes say nothing of each other."""
        return HKDF(SHA256(), LENGTH, None, _INFO + purpose.encode()).derive(self.secret)

    def tag(self, purpose: str, value: bytes) -> bytes:
        """The keyed hash under which a value is found again: HMAC-SHA-256, 32 octets."""
        return hmac.digest(self.derive(purpose), value, hashlib.sha256)

    def seal(self, purpose: str, plain: bytes, context: bytes, random: Callable[[int], bytes] = os.urandom) -> bytes:
        """Encrypt with AES-256-GCM.

        Args:
            context: what the value belongs to, such as the identifier of its row; it opens nowhere else.
        """
        nonce = random(_NONCE)
        return nonce + AESGCM(self.derive(purpose)).encrypt(nonce, plain, context)

    def unseal(self, purpose: str, sealed: bytes, context: bytes) -> bytes:
        """Decrypt what `seal` made.

        Raises:
            KeyStoreError: it is another key's, another context's, or was altered.
        """
        try:
            return AESGCM(self.derive(purpose)).decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
        except (InvalidTag, ValueError):
            raise KeyStoreError("what was sealed does not open: another key, or it was altered") from None


def load_service_keys(path: Path, random: Callable[[int], bytes] = os.urandom) -> ServiceKeys:
    """The keys out of a file, which is made with a new secret where it is missing.

    Raises:
        KeyStoreError: the file is malformed, others may read it, or it cannot be read or written.
    """
    try:
        if not path.exists():
            _make(path, random(LENGTH))
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise KeyStoreError(f"{path} can be read by others: chmod 600")
            text = file.read(2 * LENGTH + 2)
        return ServiceKeys(bytes.fromhex(text.decode("ascii").strip()))
    except OSError as failure:
        raise KeyStoreError(f"{path} cannot be used: {failure.strerror}") from failure
    except ValueError:
        raise KeyStoreError(f"{path} does not hold {LENGTH} octets in hexadecimal") from None


def _make(path: Path, secret: bytes) -> None:
    """Write a new file; of two processes that do so at once one wins, and both use its secret."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secret.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()
