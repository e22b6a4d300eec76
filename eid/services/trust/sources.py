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
MAX_SPOILED: Final = 1000  # PEM blocks of one file that are passed over; a file with more is none
PIECE: Final = 1 << 20  # octets of an LDIF that are read at once
PEM_BEGIN: Final = b"-----BEGIN "
# Possessive (++): nothing is tried twice, so that a block without its end takes no longer than one with it.
PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----([A-Za-z0-9+/=\s]++)-----END \1-----")
PEM_LABEL: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")
LDIF_BEGIN: Final = re.compile(rb"(?:version:|dn::?)", re.IGNORECASE)
LDIF_HEAD: Final = 1 << 20  # octets of comments before the first line of an LDIF
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"  # of UTF-8, which some editors write before the first line


class Claim(Enum):
    """What a piece claims to be."""

    CERTIFICATE = auto()
    CRL = auto()
    MASTER_LIST = auto()
    DEVIATION_LIST = auto()


@dataclass(frozen=True, slots=True)
class Piece:
    """One object.

    Args:
        place: where in the file it stands, "" for the whole of it.
        skipped: why nothing is taken from it, "" where something is.
    """

    claim: Claim
    raw: bytes = field(repr=False)
    place: str = ""
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: what it is called, whether it is an LDIF, and whether it is one of a directory's.

    What stands among others keeps them out of nothing: what cannot be used of it is told with its reason.
    """

    path: Path
    name: str
    is_ldif: bool = False
    is_one_of_many: bool = False

    def pieces(self) -> Iterator[Piece]:
        """The objects in it, one after the other.

        Raises:
            DecodeError: it was named itself and holds something else, cannot be read, or is larger than files of its
                kind may be; an LDIF is malformed.
        """
        if self.is_ldif:
            return _read_ldif_file(self.path)
        try:
            return iter(_read_file(self.path))
        except DecodeError as failure:
            if not self.is_one_of_many:
                raise
            return iter((_skip(b"", "", failure.what.removeprefix(f"{self.path}: ")),))


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
    return tuple(
        SourceFile(item, str(item.relative_to(path)), _is_ldif(item), is_one_of_many=True) for item in sorted(found)
    )


def _is_ldif(path: Path) -> bool:
    if not path.is_file():  # what comes through a pipe can be read only once
        return False
    try:
        with path.open("rb") as file:
            return _begins_ldif(file.read(LDIF_HEAD))
    except (OSError, ValueError):  # said with its reason where the file is read
        return False


def _begins_ldif(head: bytes) -> bool:
    """Whether the first line that says something is one of an LDIF (RFC 2849); comments may be folded."""
    is_comment = False
    for line in head.removeprefix(BYTE_ORDER_MARK).split(b"\n"):
        if line.startswith(b" ") and is_comment:
            continue  # the comment goes on
        is_comment = line.startswith(b"#")
        if not is_comment and line.strip():
            return LDIF_BEGIN.match(line) is not None
    return False


# --- single files -----------------------------------------------------------------------------------------------------


def _read_file(path: Path) -> list[Piece]:
    raw = read_input(path, MAX_FILE, "certificates, CRLs or lists")
    is_der = raw[:1] == b"\x30" and raw[1:2] >= b"\x80"  # a SEQUENCE of over 127 octets; not the digit 0 of a text
    if PEM_BEGIN in raw and not is_der:
        return _read_pem(raw, path)
    claim = _claim(raw)
    if claim is None or (claim is Claim.CERTIFICATE and not _resembles_certificate(raw)):
        raise DecodeError(f"{path}: neither a certificate nor a CRL nor a list", clause="RFC 5280 4.1, 5.1")
    return [Piece(claim, raw)]


def _resembles_certificate(raw: bytes) -> bool:
    """Whether octets begin as a certificate does, however damaged: encoded private keys, too, are SEQUENCEs.

    TBSCertificate is a SEQUENCE that begins with [0] or an INTEGER; an encrypted private key begins with a SEQUENCE
    that begins with an object identifier, one in the clear with an INTEGER.
    """
    inner = _skip_header(raw, 0)
    first = _skip_header(raw, inner)
    return raw[inner : inner + 1] == b"\x30" and raw[first : first + 1] in (b"\xa0", b"\x02")


def _skip_header(raw: bytes, offset: int) -> int:
    """The offset behind a tag of one octet and its length, which need not be true."""
    length = raw[offset + 1] if offset + 1 < len(raw) else 0
    return offset + 2 + (length & 0x7F if length & 0x80 else 0)


def _skip(raw: bytes, place: str, why: str) -> Piece:
    return Piece(Claim.CERTIFICATE, raw, place, why)


def _read_pem(raw: bytes, path: Path) -> list[Piece]:
    """Every block of a PEM file (RFC 7468); of several, one that cannot be used is told and keeps no other out.

    Raises:
        DecodeError: none of them can be used, or too many cannot.
    """
    starts = [found.start() for found in re.finditer(re.escape(PEM_BEGIN), raw)]
    pieces: list[Piece] = []
    spoiled = 0
    for number, (start, stop) in enumerate(zip(starts, (*starts[1:], len(raw)), strict=True), start=1):
        place = f"block {number}" if len(starts) > 1 else ""
        try:
            pieces.append(_read_pem_block(raw, start, stop, place))
        except DecodeError as failure:
            spoiled += 1
            if spoiled == min(len(starts), MAX_SPOILED):
                raise DecodeError(f"{path}: PEM block {number} {failure.what}", clause="RFC 7468") from failure
            pieces.append(_skip(raw[start:stop], place, failure.what))
    return pieces


def _read_pem_block(raw: bytes, start: int, stop: int, place: str) -> Piece:
    label = PEM_LABEL.match(raw, start, stop)
    if label is None or label[1] not in _PEM_CLAIMS:
        raise DecodeError("is no certificate, CRL or list")
    block = PEM.match(raw, start, stop)
    if block is None:
        raise DecodeError("is cut off, or holds what is no base64")
    try:
        content = base64.b64decode(b"".join(block[2].split()), validate=True)
    except binascii.Error as error:
        raise DecodeError("is not base64") from error
    meant, claim = _PEM_CLAIMS[block[1]], _claim(content)
    if meant is Claim.CERTIFICATE and claim in (Claim.CERTIFICATE, None) and place and content:
        return Piece(meant, content, place)  # it is kept, whatever is wrong with it
    if claim is None or meant not in (claim, None):
        raise DecodeError("is not what its label says")
    return Piece(claim, content, place)


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
            if file.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
                file.seek(0)
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
