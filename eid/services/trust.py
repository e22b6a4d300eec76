"""The trust store on disk: certificates and CRLs as files, an index of them in a database beside.

The files are what verification loads; the index is what people look at. A file appears whole or not at all.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from eid.codec.crl import CertificateList, decode_crl
from eid.codec.defect import Defect
from eid.codec.x509 import MAX_CERTIFICATE, Certificate, decode_certificate
from eid.crypto.public_key import load_public_key
from eid.errors import DecodeError, LifecycleError, StoreError, VerificationError
from eid.pki.trust_store import TrustStore, build_trust_store, is_signed_by
from eid.store.database import in_transaction, open_database
from eid.store.schema_version import upgrade
from eid.store.trust_index import (
    TrustedCertificate,
    TrustedCrl,
    list_certificates,
    list_crls,
    note_certificate,
    note_crl,
)

CERTIFICATES: Final = "certificates"
CRLS: Final = "crls"
INDEX: Final = "index.db"
MAX_CRL: Final = 32 << 20  # octets of one CRL
PEM: Final = re.compile(rb"-----BEGIN (CERTIFICATE|X509 CRL)-----\s+([A-Za-z0-9+/=\s]+?)-----END \1-----")


@dataclass(frozen=True, slots=True)
class Imported:
    """One certificate or CRL of an import.

    Args:
        kind: "CSCA", "LINK", "DS" or "CRL". is_new: whether the store did not have it yet.
        defects: (code, sentence) of every departure from the specifications; where it is unusable, the last says why.
    """

    fingerprint: str
    kind: str
    subject: str
    source: str
    is_new: bool
    usable: bool
    defects: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Material:
    certificates: list[tuple[bytes, str]] = field(default_factory=list)
    crls: list[tuple[bytes, str]] = field(default_factory=list)


def import_trust(directory: Path, files: Iterable[Path], *, unsigned: bool, now: datetime) -> tuple[Imported, ...]:
    """Put certificates and CRLs into a trust store; all of the files, or none.

    Args:
        files: DER or PEM, one object or a bundle. unsigned: the operator vouches for lists that nobody signed.

    Raises:
        DecodeError: a file is neither a certificate nor a CRL. LifecycleError: a file holds several certificates that
            nobody signed, and `unsigned` was not said. StoreError: the store cannot be written.
    """
    material = _Material()
    for file in files:
        _read(file, material, unsigned)
    engine = _open_index(directory)
    seen = [_describe_certificate(raw, source, now) for raw, source in material.certificates]
    lists = [_describe_crl(raw, source, now) for raw, source in material.crls]
    for folder, items in ((CERTIFICATES, material.certificates), (CRLS, material.crls)):
        for raw, _ in items:
            _write(directory / folder / f"{hashlib.sha256(raw).hexdigest()}.der", raw)

    def note(connection: Connection) -> tuple[Imported, ...]:
        certificates = [_imported(item, note_certificate(connection, item), told) for item, told in seen]
        crls = [_imported_crl(item, note_crl(connection, item), told) for item, told in lists]
        return (*certificates, *crls)

    return in_transaction(engine, note)


def load_trust_store(directory: Path) -> TrustStore:
    """Load what a directory trusts.

    Raises:
        StoreError: the directory is no trust store.
    """
    if not (directory / INDEX).is_file():
        raise StoreError(f"{directory} is no trust store; make one with: eid trust import --store {directory} FILE...")
    try:
        certificates = [path.read_bytes() for path in sorted((directory / CERTIFICATES).glob("*.der"))]
        crls = [path.read_bytes() for path in sorted((directory / CRLS).glob("*.der"))]
    except OSError as error:
        raise StoreError(f"trust store {directory}: {error.strerror}") from error
    return build_trust_store(certificates, crls)


def list_trust(directory: Path) -> tuple[tuple[TrustedCertificate, ...], tuple[TrustedCrl, ...]]:
    """What the index says of a trust store.

    Raises:
        StoreError: the directory is no trust store.
    """
    if not (directory / INDEX).is_file():
        raise StoreError(f"{directory} is no trust store")
    engine = _open_index(directory)
    return in_transaction(engine, lambda connection: (list_certificates(connection), list_crls(connection)))


def _open_index(directory: Path) -> Engine:
    try:
        for folder in (CERTIFICATES, CRLS):
            (directory / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"trust store {directory}: {error.strerror}") from error
    engine = open_database(f"sqlite:///{directory / INDEX}")
    upgrade(engine)
    return engine


def _write(path: Path, raw: bytes) -> None:
    if path.exists():
        return
    unfinished = path.with_suffix(".part")
    try:
        with unfinished.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise StoreError(f"trust store {path.parent.parent}: {error.strerror}") from error


# --- reading files


def _read(file: Path, material: _Material, unsigned: bool) -> None:
    try:
        raw = file.read_bytes() if file.stat().st_size <= MAX_CRL else b""
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}") from error
    if not raw:
        raise DecodeError(f"{file}: empty, or larger than {MAX_CRL} octets")
    before = len(material.certificates)
    blocks = PEM.findall(raw)
    if blocks:
        for label, text in blocks:
            _take(base64.b64decode(text), file, material, is_crl=label != b"CERTIFICATE")
    else:
        _take(raw, file, material, is_crl=None)
    if len(material.certificates) - before > 1 and not unsigned:
        raise LifecycleError(f"{file} is a list that nobody signed: say --unsigned if you vouch for it")


def _take(raw: bytes, file: Path, material: _Material, *, is_crl: bool | None) -> None:
    defects: list[Defect] = []
    failure: DecodeError | None = None
    if is_crl is not True and len(raw) <= MAX_CERTIFICATE:
        try:
            decode_certificate(raw, defects)
        except DecodeError as error:
            failure = error
        else:
            material.certificates.append((raw, file.name))
            return
    if is_crl is not False:
        try:
            decode_crl(raw, defects)
        except DecodeError as error:
            failure = failure or error
        else:
            material.crls.append((raw, file.name))
            return
    what = failure.what if failure is not None else "too large"
    place = failure.offset if failure is not None else None
    raise DecodeError(f"{file}: neither a certificate nor a CRL: {what}", offset=place, clause="RFC 5280 4.1, 5.1")


# --- describing


def _describe_certificate(
    raw: bytes, source: str, now: datetime
) -> tuple[TrustedCertificate, tuple[tuple[str, str], ...]]:
    defects: list[Defect] = []
    certificate = decode_certificate(raw, defects)
    why = ""
    kind = "DS"
    try:
        certificate.extensions.check(defects)
        kind = _kind(certificate)
    except (DecodeError, VerificationError) as error:
        why = str(error)
    told = tuple((item.code.value, item.what) for item in defects) + ((("UNUSABLE", why),) if why else ())
    described = TrustedCertificate(
        hashlib.sha256(raw).digest(),
        kind,
        certificate.country or "",
        str(certificate.subject([])),
        certificate.extensions.subject_key_identifier,
        (source,),
        now,
        now,
        not why,
        tuple(code for code, _ in told),
    )
    return described, told


def _kind(certificate: Certificate) -> str:
    key = load_public_key(certificate.spki_raw)
    constraints = certificate.extensions.basic_constraints
    if constraints is None or not constraints.ca:
        return "DS"
    same_name = certificate.issuer([]).normalised == certificate.subject([]).normalised
    return "CSCA" if same_name and is_signed_by(certificate, key) else "LINK"


def _describe_crl(raw: bytes, source: str, now: datetime) -> tuple[TrustedCrl, tuple[tuple[str, str], ...]]:
    defects: list[Defect] = []
    crl: CertificateList = decode_crl(raw, defects)
    unknown = crl.extensions.unknown_critical
    why = f"critical extension {unknown[0]} is unknown" if unknown else ""
    told = tuple((item.code.value, item.what) for item in defects) + ((("UNUSABLE", why),) if why else ())
    described = TrustedCrl(
        hashlib.sha256(raw).digest(),
        crl.issuer_country or "",
        str(crl.issuer([])),
        crl.this_update,
        crl.next_update,
        (source,),
        now,
        now,
        not why,
        tuple(code for code, _ in told),
    )
    return described, told


def _imported(item: TrustedCertificate, is_new: bool, told: tuple[tuple[str, str], ...]) -> Imported:
    return Imported(item.fingerprint.hex(), item.kind, item.subject, item.sources[0], is_new, item.usable, told)


def _imported_crl(item: TrustedCrl, is_new: bool, told: tuple[tuple[str, str], ...]) -> Imported:
    return Imported(item.fingerprint.hex(), "CRL", item.issuer, item.sources[0], is_new, item.usable, told)
