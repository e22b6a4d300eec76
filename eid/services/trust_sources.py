"""Files of trust material, piece by piece: DER, PEM, signed lists, LDIF, directories; bounded before they are parsed.

Nothing is judged here. A piece says what the octets claim to be; what they are is found out where they are taken.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Final

from eid.codec import der, oid
from eid.codec.crl import MAX_CRL
from eid.codec.x509 import MAX_CERTIFICATE
from eid.errors import DecodeError
from eid.pki.ldif import LdifEntry, read_ldif
from eid.pki.master_list import MAX_LIST
from eid.pki.signed_list import is_signed_list
from eid.services.input_file import read_input

MAX_FILE: Final = MAX_LIST  # octets of one file to import that is no LDIF
MAX_FILES: Final = 100_000  # of one directory
PIECE: Final = 1 << 20  # octets of an LDIF that are read at once
PEM_BEGIN: Final = b"-----BEGIN "
# Possessive (++): nothing is tried twice, so that a block without its end takes no longer than one with it.
PEM: Final = re.compile(rb"-----BEGIN (CERTIFICATE|X509 CRL|CMS|PKCS7)-----([A-Za-z0-9+/=\s]++)-----END \1-----")
LDIF_BEGIN: Final = re.compile(rb"\s*(#[^\n]*\n\s*)*(version: *1\s|dn::? )", re.IGNORECASE)


class Claim(Enum):
    """What a piece claims to be."""

    CERTIFICATE = auto()
    CRL = auto()
    MASTER_LIST = auto()
    DEVIATION_LIST = auto()


@dataclass(frozen=True, slots=True)
class Piece:
    """One object. place: where in the file it stands, "" for the whole of it."""

    claim: Claim
    raw: bytes = field(repr=False)
    place: str = ""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file, or a directory's files together: what it is called, and whether it is an LDIF."""

    path: Path
    name: str
    is_ldif: bool = False

    def pieces(self) -> Iterator[Piece]:
        """The objects in it, one after the other.

        Raises:
            DecodeError: it holds something else, cannot be read, or is larger than files of its kind may be.
        """
        return _read_ldif_file(self.path) if self.is_ldif else iter(_read_file(self.path))


def find_sources(path: Path) -> tuple[SourceFile, ...]:
    """The files that a name on the command line means: itself, or all below a directory but hidden ones.

    Raises:
        DecodeError: there is no such file, or a directory holds none, or over 100,000.
    """
    if not path.is_dir():
        return (SourceFile(path, path.name, _is_ldif(path)),)
    found: list[Path] = []
    for item in path.rglob("*"):
        if item.is_file() and not any(part.startswith(".") for part in item.relative_to(path).parts):
            found.append(item)
        if len(found) > MAX_FILES:
            raise DecodeError(f"{path}: over {MAX_FILES} files")
    if not found:
        raise DecodeError(f"{path}: a directory without files")
    return tuple(SourceFile(item, str(item.relative_to(path)), _is_ldif(item)) for item in sorted(found))


def _is_ldif(path: Path) -> bool:
    if not path.is_file():  # what comes through a pipe can be read only once
        return False
    try:
        with path.open("rb") as file:
            return LDIF_BEGIN.match(file.read(4096)) is not None
    except (OSError, ValueError):  # said with its reason where the file is read
        return False


# --- single files -----------------------------------------------------------------------------------------------------


def _read_file(path: Path) -> list[Piece]:
    raw = read_input(path, MAX_FILE, "certificates, CRLs or lists")
    is_der = raw[:1] == b"\x30" and raw[1:2] >= b"\x80"  # a SEQUENCE of over 127 octets; not the digit 0 of a text
    if PEM_BEGIN in raw and not is_der:
        return list(_read_pem(raw, path))
    claim = _claim(raw)
    if claim is None:
        raise DecodeError(f"{path}: neither a certificate nor a CRL nor a list", clause="RFC 5280 4.1, 5.1")
    return [Piece(claim, raw)]


def _read_pem(raw: bytes, path: Path) -> Iterator[Piece]:
    """Every block of a PEM file (RFC 7468); one that cannot be read, or is of another kind, is not passed over."""
    blocks = PEM.findall(raw)
    if len(blocks) != raw.count(PEM_BEGIN):
        raise DecodeError(f"{path}: a PEM block is cut off, or is no certificate, CRL or list", clause="RFC 7468")
    for number, (label, text) in enumerate(blocks, start=1):
        try:
            content = base64.b64decode(b"".join(text.split()), validate=True)
        except binascii.Error as error:
            raise DecodeError(f"{path}: PEM block {number} is not base64", clause="RFC 7468") from error
        claim = _claim(content)
        if claim is None or _PEM_CLAIMS[label] not in (claim, None):
            raise DecodeError(f"{path}: PEM block {number} is not what its label says", clause="RFC 7468")
        yield Piece(claim, content, f"block {number}" if len(blocks) > 1 else "")


_PEM_CLAIMS: Final = {b"CERTIFICATE": Claim.CERTIFICATE, b"X509 CRL": Claim.CRL, b"CMS": None, b"PKCS7": None}


def _claim(raw: bytes) -> Claim | None:
    """What octets claim to be, by their outermost elements.

    TBSCertificate begins with [0] or an INTEGER of a serial number, TBSCertList with an INTEGER and a SEQUENCE or with
    a SEQUENCE; only the second has a time where the other has a name. To tell them apart both are tried.
    """
    if raw[:1] != b"\x30" or len(raw) < _LEAST:
        return None
    content_type = is_signed_list(raw)
    if content_type is not None:
        return Claim.DEVIATION_LIST if content_type == oid.DEVIATION_LIST else Claim.MASTER_LIST
    if _is_crl(raw):
        return Claim.CRL if len(raw) <= MAX_CRL else None
    return Claim.CERTIFICATE if len(raw) <= MAX_CERTIFICATE else None


_LEAST: Final = 32  # octets; there is no smaller certificate


def _is_crl(raw: bytes) -> bool:
    """Whether the third or fourth element of the signed part is a time, where a certificate has a SEQUENCE."""
    try:
        offset, stop = der.read_sequence(raw, "CertificateList", len(raw))
        offset, stop = der.enter(raw, offset, stop, der.SEQUENCE, "TBSCertList")
        tags: list[int] = []
        while offset < stop and len(tags) < 4:
            tag, _, offset = der.read_any(raw, offset, stop, "TBSCertList")
            tags.append(tag)
    except DecodeError:
        return False
    if tags[:1] == [der.INTEGER]:
        tags = tags[1:]
    return len(tags) > 2 and tags[:2] == [der.SEQUENCE] * 2 and tags[2] in (der.UTC_TIME, der.GENERALIZED_TIME)


# --- LDIF -------------------------------------------------------------------------------------------------------------

# Attribute types that have been met, in lower case and without options. What else begins as a signed list is one too:
# directories have renamed the attributes of lists before.
_CERTIFICATE_TYPES: Final = frozenset(("usercertificate", "cacertificate", "certificatevalue"))
_CRL_TYPES: Final = frozenset(("certificaterevocationlist", "authorityrevocationlist"))
_LIST_TYPES: Final = frozenset(("pkdmasterlistcontent", "cscamasterlistdata"))
_SIGNED_DATA: Final = bytes.fromhex("06092a864886f70d010702")


def _read_ldif_file(path: Path) -> Iterator[Piece]:
    for entry in read_ldif(_read_pieces(path)):
        if not entry.is_deletion:  # nothing that was there is taken away
            yield from _read_entry(entry)


def _read_pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece
    except OSError as failure:
        raise DecodeError(f"{path}: {failure.strerror}") from failure


def _read_entry(entry: LdifEntry) -> Iterable[Piece]:
    for name, value in entry.values:
        if name in _CERTIFICATE_TYPES:
            yield Piece(Claim.CERTIFICATE, value, entry.dn)
        elif name in _CRL_TYPES:
            yield Piece(Claim.CRL, value, entry.dn)
        elif name in _LIST_TYPES or _SIGNED_DATA in value[:32]:
            is_deviation_list = is_signed_list(value) == oid.DEVIATION_LIST
            yield Piece(Claim.DEVIATION_LIST if is_deviation_list else Claim.MASTER_LIST, value, entry.dn)
