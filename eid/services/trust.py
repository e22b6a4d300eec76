"""The trust store on disk: certificates and CRLs as files, an index of them in a database beside.

The files are what verification loads; the index is what people look at. A file appears whole or not at all, under its
SHA-256 as its name. What is usable is asked of the very store that verification would build.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from sqlalchemy import Connection, Engine

from eid.codec.crl import CertificateList, decode_crl
from eid.codec.defect import Defect
from eid.codec.x509 import MAX_CERTIFICATE, Certificate, decode_certificate
from eid.crypto.public_key import load_public_key
from eid.errors import DecodeError, LifecycleError, StoreError, VerificationError
from eid.pki.trust_store import build_trust_store, is_signed_by
from eid.services.input_file import read_input
from eid.services.trust_files import CERTIFICATES, CRLS, INDEX, load_trust_files
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

UNUSABLE: Final = "UNUSABLE"  # a defect's code
MAX_NAME: Final = 1024  # characters that the index holds
MAX_FILE: Final = 4 << 20  # octets of one file to import; CRLs of countries are far smaller
PEM_BEGIN: Final = b"-----BEGIN "
# Possessive (++): nothing is tried twice, so that a block without its end takes no longer than one with it.
PEM: Final = re.compile(rb"-----BEGIN (CERTIFICATE|X509 CRL)-----([A-Za-z0-9+/=\s]++)-----END \1-----")


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
    try:
        present = load_trust_files(directory)
        store = build_trust_store(
            (*present[CERTIFICATES], *(raw for raw, _ in material.certificates)),
            (*present[CRLS], *(raw for raw, _ in material.crls)),
        )
        reasons = {item.fingerprint: item.why for item in store.unusable}
        seen = [_describe_certificate(raw, source, now, reasons) for raw, source in material.certificates]
        lists = [_describe_crl(raw, source, now, reasons) for raw, source in material.crls]
        written = _write_all(directory, material)

        def note(connection: Connection) -> tuple[Imported, ...]:
            certificates = [_imported(item, note_certificate(connection, item), told) for item, told in seen]
            crls = [_imported_crl(item, note_crl(connection, item), told) for item, told in lists]
            _renew_crls(connection, reasons)
            return (*certificates, *crls)

        try:
            return in_transaction(engine, note)
        except StoreError:
            for path in written:
                path.unlink(missing_ok=True)
            raise
    finally:
        engine.dispose()


def _renew_crls(connection: Connection, reasons: Mapping[str, str]) -> None:
    """An issuer that came with this import makes CRLs usable that were there before it."""
    for item in list_crls(connection):
        usable = item.fingerprint.hex() not in reasons
        if usable and not item.usable:
            defects = tuple(code for code in item.defects if code != UNUSABLE)
            note_crl(connection, replace(item, usable=True, defects=defects))


def list_trust(directory: Path) -> tuple[tuple[TrustedCertificate, ...], tuple[TrustedCrl, ...]]:
    """What the index says of a trust store.

    Raises:
        StoreError: the directory is no trust store.
    """
    if not (directory / INDEX).is_file():
        raise StoreError(f"{directory} is no trust store")
    engine = _open_index(directory)
    try:
        return in_transaction(engine, lambda connection: (list_certificates(connection), list_crls(connection)))
    finally:
        engine.dispose()


def _open_index(directory: Path) -> Engine:
    try:
        for folder in (CERTIFICATES, CRLS):
            (directory / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"trust store {directory}: {error.strerror}") from error
    engine = open_database(f"sqlite:///{directory / INDEX}")
    upgrade(engine)
    return engine


def _write_all(directory: Path, material: _Material) -> list[Path]:
    """Write what is not there yet; all, or after a failure nothing. The paths that are new."""
    wanted = [
        (directory / folder / f"{hashlib.sha256(raw).hexdigest()}.der", raw)
        for folder, items in ((CERTIFICATES, material.certificates), (CRLS, material.crls))
        for raw, _ in items
    ]
    new = {path: raw for path, raw in wanted if not path.exists()}
    staged = [path.with_suffix(".part") for path in new]
    try:
        for unfinished, raw in zip(staged, new.values(), strict=True):
            with unfinished.open("wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
        for unfinished, path in zip(staged, new, strict=True):
            unfinished.replace(path)
    except OSError as error:
        for path in (*staged, *new):
            path.unlink(missing_ok=True)
        raise StoreError(f"trust store {directory}: {error.strerror}") from error
    return list(new)


# --- reading files


def _read(file: Path, material: _Material, unsigned: bool) -> None:
    raw = read_input(file, MAX_FILE, "certificates or CRLs")
    before = len(material.certificates)
    is_der = raw[:1] == b"\x30" and raw[1:2] >= b"\x80"  # a SEQUENCE of over 127 octets; not the digit 0 of a text
    if PEM_BEGIN in raw and not is_der:
        _take_pem(raw, file, material)
    else:
        _take(raw, file, material, is_crl=None)
    if len(material.certificates) - before > 1 and not unsigned:
        raise LifecycleError(f"{file} is a list that nobody signed: say --unsigned if you vouch for it")


def _take_pem(raw: bytes, file: Path, material: _Material) -> None:
    """Every block of a PEM file (RFC 7468); one that cannot be read, or is of another kind, is not passed over."""
    blocks = PEM.findall(raw)
    if len(blocks) != raw.count(PEM_BEGIN):
        raise DecodeError(f"{file}: a PEM block is cut off, or is neither a certificate nor a CRL", clause="RFC 7468")
    for number, (label, text) in enumerate(blocks, start=1):
        try:
            content = base64.b64decode(b"".join(text.split()), validate=True)
        except binascii.Error as error:
            raise DecodeError(f"{file}: PEM block {number} is not base64", clause="RFC 7468") from error
        _take(content, file, material, is_crl=label != b"CERTIFICATE")


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


Told: TypeAlias = tuple[tuple[str, str], ...]


def _describe_certificate(
    raw: bytes, source: str, now: datetime, reasons: Mapping[str, str]
) -> tuple[TrustedCertificate, Told]:
    defects: list[Defect] = []
    certificate = decode_certificate(raw, defects)
    fingerprint = hashlib.sha256(raw)
    why = reasons.get(fingerprint.hexdigest(), "")
    try:
        subject = str(certificate.subject(defects))
        certificate.extensions.check(defects)
    except DecodeError as error:
        subject, why = "", why or str(error)
    told = _tell(defects, why)
    described = TrustedCertificate(
        fingerprint.digest(),
        _kind(certificate),
        certificate.country or "",
        subject[:MAX_NAME],
        certificate.extensions.subject_key_identifier,
        (source,),
        now,
        now,
        not why,
        tuple(code for code, _ in told),
    )
    return described, told


def _kind(certificate: Certificate) -> str:
    """What a certificate is by its extensions; self-signed makes the difference between CSCA and link certificate."""
    constraints = certificate.extensions.basic_constraints
    if constraints is None or not constraints.ca:
        return "DS"
    try:
        if certificate.issuer([]).normalised != certificate.subject([]).normalised:
            return "LINK"
        return "CSCA" if is_signed_by(certificate, load_public_key(certificate.spki_raw)) else "LINK"
    except (DecodeError, VerificationError):  # of a curve or an algorithm that cannot be tried
        return "CSCA"


def _describe_crl(raw: bytes, source: str, now: datetime, reasons: Mapping[str, str]) -> tuple[TrustedCrl, Told]:
    defects: list[Defect] = []
    crl: CertificateList = decode_crl(raw, defects)
    fingerprint = hashlib.sha256(raw)
    why = reasons.get(fingerprint.hexdigest(), "")
    try:
        issuer = str(crl.issuer(defects))
    except DecodeError as error:
        issuer, why = "", why or str(error)
    told = _tell(defects, why)
    described = TrustedCrl(
        fingerprint.digest(),
        crl.issuer_country or "",
        issuer[:MAX_NAME],
        crl.this_update,
        crl.next_update,
        (source,),
        now,
        now,
        not why,
        tuple(code for code, _ in told),
    )
    return described, told


def _tell(defects: list[Defect], why: str) -> Told:
    return (*((item.code.value, item.what) for item in defects), *(((UNUSABLE, why),) if why else ()))


def _imported(item: TrustedCertificate, is_new: bool, told: Told) -> Imported:
    return Imported(item.fingerprint.hex(), item.kind, item.subject, item.sources[0], is_new, item.usable, told)


def _imported_crl(item: TrustedCrl, is_new: bool, told: Told) -> Imported:
    return Imported(item.fingerprint.hex(), "CRL", item.issuer, item.sources[0], is_new, item.usable, told)
