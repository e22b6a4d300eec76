"""Backup of an authority's directory, and what must happen when an old state comes back to life.

The archive is a tar file: a manifest with the SHA-256 of every file, then the files. Software keys are in it as they
are on disk, under their passphrase; keys in a token are the token's to back up.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from eid.codec.crl import CertificateList, decode_crl
from eid.codec.x509 import decode_certificate
from eid.crypto.public_key import load_public_key
from eid.errors import AlreadyDoneError, LifecycleError, NotStoredError, StoreError
from eid.keystore.software import create_private_file
from eid.pki.crl import RevocationReason
from eid.pki.trust_store import is_signed_by
from eid.services.pki.authority_register import REGISTER, decode_register
from eid.services.pki.cv_register import REGISTER as CV_REGISTER
from eid.services.pki.cv_register import SEQUENCE_DIGITS, decode_cv_register
from eid.store.files import load_file, lock_directory, store_file

FORMAT: Final = "eid-authority-backup"
VERSION: Final = 1
MANIFEST: Final = "MANIFEST.json"
MAX_ARCHIVE: Final = 1 << 31  # octets
MAX_FILE: Final = 1 << 30
NAME: Final = re.compile(r"(?:[A-Za-z0-9_-]+/)?[A-Za-z0-9_-][A-Za-z0-9._-]*")
KEYS_SKIPPED: Final = 100  # of a CV authority, that may have been made since: a holder reference names one key for ever
NUMBERS_SKIPPED: Final = 1000  # of CRLs that may have been issued since the backup, where nobody has the newest


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restoration has changed.

    Args:
        files: how many. crl_number: from which the next CRLs are numbered; None for a CV authority.
        revocations: taken over from the published CRL. retired: keys that sign no more.
    """

    files: int
    crl_number: int | None
    revocations: int
    retired: tuple[str, ...]


def write_backup(directory: Path, archive: Path) -> str:
    """Write an authority's directory into a new file of mode 0600; its SHA-256, hex, for the minutes.

    Raises:
        NotStoredError: there is no authority. KeyStoreError: the file exists or cannot be written.
        StoreError: a file cannot be read.
    """
    if not any((directory / name).is_file() for name in (REGISTER, CV_REGISTER)):
        raise NotStoredError(f"there is no authority in {directory}")
    with lock_directory(directory):
        files = {name: load_file(directory / name) for name in _list_files(directory)}
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in ((MANIFEST, json.dumps(manifest, indent=2).encode()), *files.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o600
            tar.addfile(info, io.BytesIO(content))
    create_private_file(archive, buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def _list_files(directory: Path) -> Iterator[str]:
    """Files of the directory and one level below, without locks and unfinished ones."""
    for path in sorted((*directory.glob("*"), *directory.glob("*/*"))):
        name = str(path.relative_to(directory))
        if path.is_file() and not path.is_symlink() and NAME.fullmatch(name):
            yield name


def restore_backup(archive: Path, directory: Path, published_crl: bytes | None = None) -> Restored:
    """Bring a backup back into a directory that is new or empty.

    What happened between backup and loss is not in it. So no CRL number may come twice, a revocation that was
    published is taken over, and document and list signers, whose signatures since then nobody has counted, sign no
    more: the next ones are made when they are needed.

    Args:
        published_crl: the newest CRL that was published, DER; without it, numbers are skipped.

    Raises:
        AlreadyDoneError: the directory holds something. StoreError: the archive is damaged, or no backup.
        LifecycleError: the CRL is not this authority's. DecodeError: the CRL is malformed.
    """
    files = _read_archive(archive)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise AlreadyDoneError(f"{directory} is not empty: a backup is restored into a directory of its own")
    crl = None if published_crl is None else decode_crl(published_crl)
    register, told = files.get(REGISTER), Restored(len(files), None, 0, ())
    if register is not None:
        files[REGISTER], told = _renew_register(register, files, crl)
    if CV_REGISTER in files:
        files[CV_REGISTER] = _renew_cv_register(files[CV_REGISTER])
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in sorted({name.partition("/")[0] for name in files if "/" in name}):
            (directory / name).mkdir(mode=0o700)
    except OSError as error:
        raise StoreError(f"{directory}: {error.strerror}") from error
    for name, content in sorted(files.items(), key=lambda item: item[0] in (REGISTER, CV_REGISTER)):  # those last
        if "/" in name:
            create_private_file(directory / name, content)
        else:
            store_file(directory / name, content)
    return told


def _read_archive(archive: Path) -> dict[str, bytes]:
    """The files of a backup, each held against the manifest."""
    try:
        if archive.stat().st_size > MAX_ARCHIVE:
            raise StoreError(f"{archive} is too large for a backup")
        with tarfile.open(archive, mode="r:") as tar:
            files = {info.name: _read_member(tar, info) for info in tar}
        manifest: dict[str, Any] = json.loads(files.pop(MANIFEST))
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        if (manifest["format"], manifest["version"]) != (FORMAT, VERSION) or manifest["files"] != digests:
            raise StoreError(f"{archive} does not hold what its manifest says")
    except OSError as error:
        raise StoreError(f"{archive}: {error.strerror}") from error
    except (tarfile.TarError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"{archive} is no backup of an authority, or damaged") from error
    if not any(name in files for name in (REGISTER, CV_REGISTER)):
        raise StoreError(f"{archive} holds no authority")
    return files


def _read_member(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    if not info.isreg() or info.size > MAX_FILE or not NAME.fullmatch(info.name):
        raise StoreError("a backup holds plain files of its own directory only")
    file = tar.extractfile(info)
    return b"" if file is None else file.read()


def _renew_register(raw: bytes, files: dict[str, bytes], crl: CertificateList | None) -> tuple[bytes, Restored]:
    register = decode_register(raw)
    number = register.crl_number + NUMBERS_SKIPPED
    taken: tuple[tuple[int, str, str], ...] = ()
    if crl is not None:
        _require_own_crl(crl, [files[name] for label in register.cscas if (name := f"{label}.cer") in files])
        number = max(register.crl_number, crl.extensions.crl_number() or 0)
        known = {serial for serial, _, _ in register.revocations}
        taken = tuple(
            (
                item.serial,
                item.revoked_at.isoformat(),
                "" if item.reason is None else RevocationReason(item.reason).name,
            )
            for item in crl.revoked.values()
            if item.serial not in known
        )
    retired = (*register.signers, *register.list_signers)
    renewed = replace(register, crl_number=number, revocations=(*register.revocations, *taken), retired=retired)
    return renewed.encode(), Restored(len(files), number, len(taken), retired)


def _renew_cv_register(raw: bytes) -> bytes:
    register = decode_cv_register(raw)
    return replace(register, sequence=min(register.sequence + KEYS_SKIPPED, 10**SEQUENCE_DIGITS - 1)).encode()


def _require_own_crl(crl: CertificateList, cscas: list[bytes]) -> None:
    for raw in cscas:
        certificate = decode_certificate(raw)
        if certificate.subject_raw == crl.issuer_raw and is_signed_by(crl, load_public_key(certificate.spki_raw)):
            return
    raise LifecycleError("the CRL is not signed by this authority")
