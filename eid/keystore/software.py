"""Keys in a directory of encrypted files: the store for development, small issuers and tests.

The directory is 0700 and its files are 0600; a directory or file that others may read is refused, not repaired. A file
appears under its name complete or not at all, and an existing key is never overwritten.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from eid.codec import der
from eid.crypto.curves import curve_by_name
from eid.crypto.hashes import HASHES
from eid.crypto.mac import cmac
from eid.crypto.public_key import encode_public_key
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import DecodeError, KeyStoreError
from eid.keystore.algorithm import choose_algorithm, refuse_pickle
from eid.keystore.card_keys import MasterKey
from eid.keystore.pkcs8 import MAX_FILE, ScryptCost, decrypt_private_key_info, encrypt_private_key_info

SIGNATURE_KEY_SUFFIX: Final = ".key.pem"
MASTER_KEY_SUFFIX: Final = ".master.pem"
AES: Final = "2.16.840.1.101.3.4.1"  # the arc of AES (NIST CSOR), as algorithm of a master key's PrivateKeyInfo
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def check_label(label: str) -> str:
    """Insist on a label that is also a safe file name.

    Raises:
        KeyStoreError: it is not.
    """
    if not LABEL.fullmatch(label):
        raise KeyStoreError("a key label has 1 to 64 letters, digits, '.', '_', '-'; the first is a letter or digit")
    return label


class SoftwareSigner:
    """A private signature key in memory, held by the cryptographic library."""

    def __init__(self, label: str, key: PrivateKey, algorithm: SignatureAlgorithm | None = None) -> None:
        self._label = label
        self._key = key
        self._public_key_info = encode_public_key(key.public_key())
        self._algorithm = choose_algorithm(self._public_key_info, algorithm)
        self._ecdsa = ec.ECDSA(HASHES[self._algorithm.hash_name].library)

    @property
    def label(self) -> str:
        """Name of the key in its store."""
        return self._label

    @property
    def public_key_info(self) -> bytes:
        """SubjectPublicKeyInfo, DER, EC parameters as a named curve."""
        return self._public_key_info

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """The algorithm it signs with."""
        return self._algorithm

    def sign(self, message: bytes) -> bytes:
        """Sign a message (hashed inside): DER ECDSA-Sig-Value, or the RSA signature octets."""
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(message, _rsa_padding(self._algorithm), HASHES[self._algorithm.hash_name].library)
        return self._key.sign(message, self._ecdsa)

    def __repr__(self) -> str:
        return f"SoftwareSigner({self._label!r})"

    def __reduce__(self) -> NoReturn:
        refuse_pickle("a private key")


class SoftwareKeyStore:
    """A directory of encrypted private keys.

    Args:
        directory: made with mode 0700 where it is missing (its parent must be there).
        passphrase: asked for each time a file is written or opened; or the passphrase itself.
        cost: of scrypt, for new files.

    Raises:
        KeyStoreError: the directory cannot be made, or others may enter it.
    """

    def __init__(
        self,
        directory: Path,
        passphrase: bytes | Callable[[], bytes],
        *,
        cost: ScryptCost = ScryptCost(),  # noqa: B008 a frozen value
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._directory = directory
        self._passphrase = passphrase
        self._cost = cost
        self._random = random
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            _check_private(os.stat(directory), directory, stat.S_ISDIR)
        except OSError as error:
            raise KeyStoreError(f"key directory {directory}: {error.strerror}") from None

    def labels(self) -> tuple[str, ...]:
        """Labels of the signature keys, sorted."""
        names = (path.name for path in self._directory.iterdir())
        found = (name.removesuffix(SIGNATURE_KEY_SUFFIX) for name in names if name.endswith(SIGNATURE_KEY_SUFFIX))
        return tuple(sorted(label for label in found if LABEL.fullmatch(label)))

    def generate_ec(self, label: str, curve: str, algorithm: SignatureAlgorithm | None = None) -> SoftwareSigner:
        """Make an EC key pair on a curve of `eid.crypto.curves`.

        Raises:
            KeyStoreError: the label is taken or malformed, or the library lacks the curve.
        """
        check_label(label)
        known = curve_by_name(curve)
        if known is None or known.library is None:
            raise KeyStoreError(f"no software keys on curve {curve!r}")
        try:
            key = ec.generate_private_key(known.library)
        except UnsupportedAlgorithm:
            raise KeyStoreError(f"no software keys on curve {curve!r}") from None
        return self._keep(SoftwareSigner(label, key, algorithm), key)

    def generate_rsa(self, label: str, bits: int, algorithm: SignatureAlgorithm | None = None) -> SoftwareSigner:
        """Make an RSA key pair with public exponent 65537.

        Raises:
            KeyStoreError: the label is taken or malformed, or the size is not 2048 to 8192 bits.
        """
        check_label(label)
        check_rsa_bits(bits)
        key = rsa.generate_private_key(65537, bits)
        return self._keep(SoftwareSigner(label, key, algorithm), key)

    def store(self, label: str, private_key_info: bytes, algorithm: SignatureAlgorithm | None = None) -> SoftwareSigner:
        """Keep a signature key that came from elsewhere: PrivateKeyInfo, DER, not encrypted.

        Raises:
            KeyStoreError: the label is taken or malformed, or it is no EC or RSA key.
        """
        key = _load_private_key(private_key_info)
        return self._keep(SoftwareSigner(check_label(label), key, algorithm), key)

    def load(self, label: str, algorithm: SignatureAlgorithm | None = None) -> SoftwareSigner:
        """The signature key with this label; without `algorithm` ECDSA or RSA-PSS as fits the key.

        Raises:
            KeyStoreError: there is none, others may read it, the passphrase is wrong, or the algorithm does not fit.
        """
        info = self._read(check_label(label) + SIGNATURE_KEY_SUFFIX)
        return SoftwareSigner(label, _load_private_key(info), algorithm)

    def generate_master_key(self, label: str, length: int = 32) -> MasterKey:
        """Make an AES master key of 16, 24 or 32 octets.

        Raises:
            KeyStoreError: the label is taken or malformed, or no AES key has that length.
        """
        return self.store_master_key(label, self._random(length))

    def store_master_key(self, label: str, value: bytes) -> MasterKey:
        """Keep an AES master key that came from elsewhere.

        Raises:
            KeyStoreError: the label is taken or malformed, or it is no AES key.
        """
        master = _build_master_key(check_label(label), value)
        self._write(label + MASTER_KEY_SUFFIX, _encode_secret(value))
        return master

    def load_master_key(self, label: str) -> MasterKey:
        """The master key with this label.

        Raises:
            KeyStoreError: there is none, others may read it, or the passphrase is wrong.
        """
        return _build_master_key(label, _decode_secret(self._read(check_label(label) + MASTER_KEY_SUFFIX)))

    def _keep(self, signer: SoftwareSigner, key: PrivateKey) -> SoftwareSigner:
        info = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        self._write(signer.label + SIGNATURE_KEY_SUFFIX, info)
        return signer

    def _ask_passphrase(self) -> bytes:
        return self._passphrase() if callable(self._passphrase) else self._passphrase

    def _write(self, name: str, private_key_info: bytes) -> None:
        pem = encrypt_private_key_info(private_key_info, self._ask_passphrase(), self._cost, self._random)
        create_private_file(self._directory / name, pem)

    def _read(self, name: str) -> bytes:
        return decrypt_private_key_info(read_private_file(self._directory / name), self._ask_passphrase())

    def __repr__(self) -> str:
        return f"SoftwareKeyStore({str(self._directory)!r})"

    def __reduce__(self) -> NoReturn:
        refuse_pickle("a key store")


def create_private_file(path: Path, content: bytes) -> None:
    """Create a file with mode 0600, complete and durable, or not at all; never over an existing one.

    Raises:
        KeyStoreError: the name is taken, or the file system refuses.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)  # unlike a rename, it fails where the name is taken
        finally:
            os.unlink(temporary)
        _sync_directory(path.parent)
    except FileExistsError:
        raise KeyStoreError(f"there is a key {path.name} already") from None
    except OSError as error:
        raise KeyStoreError(f"key file {path.name}: {error.strerror}") from None


def read_private_file(path: Path) -> bytes:
    """Content of a file that is its owner's alone, at most 64 KiB.

    Raises:
        KeyStoreError: it is missing, too big, no plain file, or others may read or write it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            _check_private(os.fstat(file.fileno()), path, stat.S_ISREG)
            content = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise KeyStoreError(f"there is no key {path.name}") from None
    except OSError as error:
        raise KeyStoreError(f"key file {path.name}: {error.strerror}") from None
    if len(content) > MAX_FILE:
        raise KeyStoreError(f"key file {path.name} is over {MAX_FILE} octets")
    return content


def check_rsa_bits(bits: int) -> None:
    """Insist on an RSA size that is neither weak nor endless to make.

    Raises:
        KeyStoreError: not 2048 to 8192 bits, in steps of 256.
    """
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS or bits % 256:
        raise KeyStoreError(f"RSA keys have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, a multiple of 256")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_private(status: os.stat_result, path: Path, is_kind: Callable[[int], bool]) -> None:
    if not is_kind(status.st_mode):
        raise KeyStoreError(f"{path.name} is not of the right kind")
    if status.st_mode & 0o077 or status.st_uid not in (os.geteuid(), 0):
        raise KeyStoreError(f"{path.name} is open to others: its mode must leave group and others nothing")


def _rsa_padding(algorithm: SignatureAlgorithm) -> padding.AsymmetricPadding:
    if algorithm.kind == "rsa-pkcs1":
        return padding.PKCS1v15()
    mask_hash = HASHES[algorithm.mgf_hash_name or algorithm.hash_name].library
    return padding.PSS(padding.MGF1(mask_hash), algorithm.salt_length or 0)


def _load_private_key(private_key_info: bytes) -> PrivateKey:
    try:
        key = load_der_private_key(private_key_info, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyStoreError("not a private key that the library loads") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise KeyStoreError("neither an EC nor an RSA key")
    return key


def _build_master_key(label: str, value: bytes) -> MasterKey:
    return MasterKey(label, len(value), lambda message: cmac(value, message))


def _encode_secret(value: bytes) -> bytes:
    """A secret key in the shape of a PrivateKeyInfo (RFC 5958 2)."""
    algorithm = der.encode_sequence(der.encode_oid(AES))
    return der.encode_sequence(der.encode_integer(0), algorithm, der.encode_octet_string(value))


def _decode_secret(raw: bytes) -> bytes:
    try:
        offset, end = der.read_sequence(raw, "PrivateKeyInfo")
        _, offset = der.read_integer(raw, offset, end, "version")
        inner, stop = der.enter(raw, offset, end, der.SEQUENCE, "privateKeyAlgorithm")
        algorithm, _ = der.read_oid(raw, inner, stop, "algorithm")
        value, _ = der.read_octet_string(raw, stop, end, "privateKey")
    except DecodeError:
        raise KeyStoreError("not a master key") from None
    if algorithm != AES:
        raise KeyStoreError("not a master key")
    return value
