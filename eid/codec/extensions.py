"""Extensions of certificates and CRLs: RFC 5280 4.2, 5.2 and Doc 9303-12 7.1.1, tables 6 to 8."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, IntFlag
from typing import Any, Final, TypeVar

from eid.codec import der, oid
from eid.codec.defect import DefectCode, Defects, tolerate
from eid.codec.name import read_name
from eid.errors import DecodeError

T = TypeVar("T")


class KeyUsage(IntFlag):
    """Named bits of RFC 5280 4.2.1.3."""

    DIGITAL_SIGNATURE = 1 << 0
    NON_REPUDIATION = 1 << 1
    KEY_ENCIPHERMENT = 1 << 2
    DATA_ENCIPHERMENT = 1 << 3
    KEY_AGREEMENT = 1 << 4
    KEY_CERT_SIGN = 1 << 5
    CRL_SIGN = 1 << 6
    ENCIPHER_ONLY = 1 << 7
    DECIPHER_ONLY = 1 << 8


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension: object identifier (dotted), criticality, content octets of extnValue."""

    oid: str
    critical: bool
    value: bytes

    def encode(self) -> bytes:
        """DER; the default FALSE is left out."""
        critical = der.encode_boolean(True) if self.critical else b""
        return der.encode_sequence(der.encode_oid(self.oid), critical, der.encode_octet_string(self.value))


@dataclass(frozen=True, slots=True)
class BasicConstraints:
    """RFC 5280 4.2.1.9."""

    ca: bool = False
    path_length: int | None = None


@dataclass(frozen=True, slots=True)
class AuthorityKeyIdentifier:
    """RFC 5280 4.2.1.1; `issuer` as GeneralNames."""

    key_identifier: bytes | None = None
    issuer: tuple[GeneralName, ...] = ()
    serial: int | None = None


@dataclass(frozen=True, slots=True)
class PrivateKeyUsagePeriod:
    """RFC 3280 4.2.1.4: between which times the private key signs."""

    not_before: datetime | None = None
    not_after: datetime | None = None


class GeneralNameKind(IntEnum):
    """Choices of GeneralName, by their number (RFC 5280 4.2.1.6); those that have a use here."""

    OTHER_NAME = 0
    RFC822_NAME = 1
    DNS_NAME = 2
    DIRECTORY_NAME = 4
    URI = 6


@dataclass(frozen=True, slots=True)
class GeneralName:
    """RFC 5280 4.2.1.6: number of the choice (`GeneralNameKind`) and its content octets."""

    kind: int
    content: bytes

    @property
    def text(self) -> str | None:
        """The text of an e-mail address, DNS name or URI; None for the other choices."""
        return self.content.decode("ascii") if self.kind in (1, 2, 6) else None

    def encode(self) -> bytes:
        """DER."""
        return der.encode(
            der.constructed(self.kind) if self.kind in _CONSTRUCTED_NAMES else der.context(self.kind), self.content
        )


@dataclass(frozen=True, slots=True)
class DistributionPoint:
    """RFC 5280 4.2.1.13."""

    full_name: tuple[GeneralName, ...] = ()
    reasons: int | None = None
    crl_issuer: tuple[GeneralName, ...] = ()


@dataclass(frozen=True, slots=True)
class Extensions:
    """The extensions of a certificate or CRL.

    Those that a path is decided by are read with the certificate; the others, which Passive Authentication does
    without, on request. `check` reads them all.

    Args:
        data: the input that holds them. places: by object identifier (dotted): criticality, and where in `data` the
            content of extnValue starts and stops.
        key_usage: bits of `KeyUsage`. unknown_critical: critical ones that this system does not know or cannot read.
    """

    data: bytes = field(default=b"", repr=False)
    places: Mapping[str, tuple[bool, int, int]] = field(default_factory=dict, hash=False)
    basic_constraints: BasicConstraints | None = None
    key_usage: int | None = None
    extended_key_usage: tuple[str, ...] | None = None
    subject_key_identifier: bytes | None = None
    authority_key_identifier: AuthorityKeyIdentifier | None = None
    unknown_critical: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[Extension, ...]:
        """Every extension as it stands."""
        return tuple(
            Extension(name, critical, self.data[start:stop]) for name, (critical, start, stop) in self.places.items()
        )

    def find(self, dotted: str) -> Extension | None:
        """The extension with this object identifier."""
        place = self.places.get(dotted)
        return None if place is None else Extension(dotted, place[0], self.data[place[1] : place[2]])

    @property
    def name_change(self) -> bool:
        """Whether NameChange is there: a link certificate between two names (Doc 9303-12 7.1.1)."""
        return oid.NAME_CHANGE in self.places

    def private_key_usage_period(self, defects: Defects = None) -> PrivateKeyUsagePeriod | None:
        """Between which times the private key signs; DecodeError if malformed."""
        return self._read(oid.PRIVATE_KEY_USAGE_PERIOD, _read_private_key_usage_period, defects)

    def subject_alternative_name(self, defects: Defects = None) -> tuple[GeneralName, ...]:
        """Further names of the subject; DecodeError if malformed."""
        return self._read(oid.SUBJECT_ALTERNATIVE_NAME, _read_general_names, defects) or ()

    def issuer_alternative_name(self, defects: Defects = None) -> tuple[GeneralName, ...]:
        """Further names of the issuer; DecodeError if malformed."""
        return self._read(oid.ISSUER_ALTERNATIVE_NAME, _read_general_names, defects) or ()

    def crl_distribution_points(self, defects: Defects = None) -> tuple[DistributionPoint, ...]:
        """Where the CRL is published; DecodeError if malformed."""
        return self._read(oid.CRL_DISTRIBUTION_POINTS, _read_distribution_points, defects) or ()

    def document_types(self, defects: Defects = None) -> tuple[str, ...] | None:
        """Document types that the key may sign (Doc 9303-12 7.1.1), None if not said; DecodeError if malformed."""
        return self._read(oid.DOCUMENT_TYPE_LIST, _read_document_types, defects)

    def crl_number(self, defects: Defects = None) -> int | None:
        """Number of the CRL; DecodeError if malformed."""
        return self._read(oid.CRL_NUMBER, _read_crl_number, defects)

    def _read(self, dotted: str, read: Callable[[bytes, int, int, Defects], T], defects: Defects) -> T | None:
        place = self.places.get(dotted)
        return None if place is None else read(self.data, place[1], place[2], defects)

    def check(self, defects: Defects = None) -> None:
        """Read every extension that this system knows.

        Raises:
            DecodeError: one is malformed (tolerable: MALFORMED_EXTENSION).
        """
        for dotted, read in _LATER.items():
            try:
                self._read(dotted, read, defects)
            except DecodeError as error:
                _tolerate_malformed(defects, error, self.places[dotted][1])


# --- reading --------------------------------------------------------------------------------------------------------


def read_extensions(data: bytes, offset: int, end: int, defects: Defects = None) -> Extensions:
    """Read Extensions that fill offset..end.

    Raises:
        DecodeError: malformed; empty; an extension twice, with a malformed value, or with FALSE written out (tolerable:
            EMPTY_LIST, DUPLICATE_EXTENSION, MALFORMED_EXTENSION, ENCODED_DEFAULT). A malformed critical one counts as
            unknown.
    """
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, "Extensions")
    der.check_end(stop, end, "Extensions")
    if offset == stop:
        tolerate(defects, DefectCode.EMPTY_LIST, "Extensions: empty", offset, "RFC 5280 4.1.2.9")
    places: dict[str, tuple[bool, int, int]] = {}
    known: dict[str, Any] = {}
    unknown: list[str] = []
    while offset < stop:
        name, critical, start, behind = _read_extension(data, offset, stop, defects)
        if name in places:
            tolerate(defects, DefectCode.DUPLICATE_EXTENSION, "extension occurs twice", offset, "RFC 5280 4.2")
        places[name] = (critical, start, behind)
        at_once = _AT_ONCE.get(name)
        if at_once is not None:
            try:
                known[name] = at_once(data, start, behind, defects)
            except DecodeError as error:
                _tolerate_malformed(defects, error, start)
                unknown.extend((name,) if critical else ())
        elif critical and name not in _LATER:
            unknown.append(name)
        offset = behind
    return Extensions(
        data,
        places,
        known.get(oid.BASIC_CONSTRAINTS),
        known.get(oid.KEY_USAGE),
        known.get(oid.EXTENDED_KEY_USAGE),
        known.get(oid.SUBJECT_KEY_IDENTIFIER),
        known.get(oid.AUTHORITY_KEY_IDENTIFIER),
        tuple(unknown),
    )


def _tolerate_malformed(defects: Defects, error: DecodeError, offset: int) -> None:
    if defects is None:
        raise error
    place = offset if error.offset is None else error.offset
    tolerate(defects, DefectCode.MALFORMED_EXTENSION, error.what, place, error.clause or "RFC 5280 4.2")


def _read_extension(data: bytes, offset: int, end: int, defects: Defects) -> tuple[str, bool, int, int]:
    """Object identifier, criticality, where extnValue's content starts and stops; the last is the end of the whole."""
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, "Extension")
    name, offset = der.read_oid(data, offset, stop, "extnID")
    critical = False
    if data[offset : offset + 1] == b"\x01":
        critical, behind = der.read_boolean(data, offset, stop, "critical")
        if not critical:
            tolerate(defects, DefectCode.ENCODED_DEFAULT, "critical: FALSE is written out", offset, "X.690 11.5")
        offset = behind
    start, behind = der.enter(data, offset, stop, der.OCTET_STRING, "extnValue")
    der.check_end(behind, stop, "Extension")
    return name, critical, start, behind


_MAX_PATH_LENGTH: Final = (1 << 31) - 1  # some write the largest number that they have for "any"


def _read_basic_constraints(data: bytes, offset: int, end: int, defects: Defects) -> BasicConstraints:
    what = "BasicConstraints"
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    der.check_end(stop, end, what)
    ca, path_length = False, None
    if offset < stop and data[offset] == der.BOOLEAN:
        ca, behind = der.read_boolean(data, offset, stop, "cA")
        if not ca:
            tolerate(defects, DefectCode.ENCODED_DEFAULT, "cA: FALSE is written out", offset, "X.690 11.5")
        offset = behind
    if offset < stop:
        path_length, behind = der.read_unsigned(data, offset, stop, "pathLenConstraint")
        if path_length > _MAX_PATH_LENGTH:
            raise DecodeError("pathLenConstraint: no number of certificates", offset=offset, clause="RFC 5280 4.2.1.9")
        offset = behind
    der.check_end(offset, stop, what)
    return BasicConstraints(ca, path_length)


def _read_key_usage(data: bytes, offset: int, end: int, defects: Defects) -> int:
    usual = _USUAL_KEY_USAGES.get(data[offset:end])
    if usual is not None:
        return usual
    try:
        bits, stop = der.read_named_bits(data, offset, end, "KeyUsage")
    except DecodeError as error:
        if defects is None:
            raise
        bits, stop = _read_padded_bits(data, offset, end)
        tolerate(defects, DefectCode.NAMED_BITS, error.what, offset, "X.690 11.2.2")
    der.check_end(stop, end, "KeyUsage")
    return bits


def _read_padded_bits(data: bytes, offset: int, end: int) -> tuple[int, int]:
    """Named bits as BER allows them, with trailing zero bits; one is set at least, and none that counts as unused."""
    start, stop = der.enter(data, offset, end, der.BIT_STRING, "KeyUsage")
    bits = data[start + 1 : stop]
    if not 1 <= len(bits) <= 4 or not any(bits) or data[start] > 7 or bits[-1] & ((1 << data[start]) - 1):
        raise DecodeError("KeyUsage: malformed BIT STRING", offset=start, clause="X.690 8.6.2")
    return sum(1 << place for place in range(8 * len(bits)) if bits[place // 8] & 0x80 >> place % 8), stop


def _read_extended_key_usage(data: bytes, offset: int, end: int, defects: Defects) -> tuple[str, ...]:
    what = "ExtKeyUsageSyntax"
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    der.check_end(stop, end, what)
    purposes = []
    while offset < stop:
        purpose, offset = der.read_oid(data, offset, stop, what)
        purposes.append(purpose)
    return tuple(purposes)


def _read_key_identifier(data: bytes, offset: int, end: int, defects: Defects) -> bytes:
    if data[offset : offset + 2] == _SHA1_OCTETS and offset + 22 == end:
        return data[offset + 2 : end]
    value, stop = der.read_octet_string(data, offset, end, "SubjectKeyIdentifier")
    der.check_end(stop, end, "SubjectKeyIdentifier")
    return value


def _read_authority_key_identifier(data: bytes, offset: int, end: int, defects: Defects) -> AuthorityKeyIdentifier:
    if data[offset : offset + 4] == _SHA1_AUTHORITY and offset + 24 == end:
        return AuthorityKeyIdentifier(data[offset + 4 : end])
    what = "AuthorityKeyIdentifier"
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    der.check_end(stop, end, what)
    key_identifier = serial = None
    issuer: tuple[GeneralName, ...] = ()
    if offset < stop and data[offset] == 0x80:
        start, offset = der.enter(data, offset, stop, 0x80, "keyIdentifier")
        key_identifier = data[start:offset]
    if offset < stop and data[offset] == 0xA1:
        start, offset = der.enter(data, offset, stop, 0xA1, "authorityCertIssuer")
        issuer = _read_names(data, start, offset)
    if offset < stop:
        serial, offset = der.read_integer(data, offset, stop, "authorityCertSerialNumber", 0x82)
    der.check_end(offset, stop, what)
    return AuthorityKeyIdentifier(key_identifier, issuer, serial)


def _read_private_key_usage_period(data: bytes, offset: int, end: int, defects: Defects) -> PrivateKeyUsagePeriod:
    what = "PrivateKeyUsagePeriod"
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    der.check_end(stop, end, what)
    times: list[datetime | None] = [None, None]
    for number in (0, 1):
        if offset < stop and data[offset] == der.context(number):
            start, offset = der.enter(data, offset, stop, der.context(number), what)
            times[number] = der.decode_time(der.GENERALIZED_TIME, data[start:offset], start, what)
    der.check_end(offset, stop, what)
    return PrivateKeyUsagePeriod(*times)


def _read_general_names(data: bytes, offset: int, end: int, defects: Defects) -> tuple[GeneralName, ...]:
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, "GeneralNames")
    der.check_end(stop, end, "GeneralNames")
    return _read_names(data, offset, stop)


_CONSTRUCTED_NAMES: Final = (0, 3, 4, 5)


def _read_names(data: bytes, offset: int, end: int) -> tuple[GeneralName, ...]:
    names = []
    for at, tag, start, stop in der.split(data, offset, end, "GeneralName"):
        kind = tag & 0x1F
        if tag != (der.constructed(kind) if kind in _CONSTRUCTED_NAMES else der.context(kind)) or kind > 8:
            raise DecodeError("GeneralName: unknown choice", offset=at, clause="RFC 5280 4.2.1.6")
        if kind == GeneralNameKind.DIRECTORY_NAME:
            _, behind = read_name(data, start, stop, "directoryName")
            der.check_end(behind, stop, "directoryName")
        content = data[start:stop]
        if kind in (1, 2, 6) and not content.isascii():
            raise DecodeError("GeneralName: not an IA5String", offset=start, clause="RFC 5280 4.2.1.6")
        names.append(GeneralName(kind, content))
    return tuple(names)


def _read_distribution_points(data: bytes, offset: int, end: int, defects: Defects) -> tuple[DistributionPoint, ...]:
    what = "CRLDistributionPoints"
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    der.check_end(stop, end, what)
    points = []
    while offset < stop:
        start, offset = der.enter(data, offset, stop, der.SEQUENCE, "DistributionPoint")
        points.append(_read_distribution_point(data, start, offset))
    return tuple(points)


def _read_distribution_point(data: bytes, offset: int, end: int) -> DistributionPoint:
    what = "DistributionPoint"
    full_name: tuple[GeneralName, ...] = ()
    crl_issuer: tuple[GeneralName, ...] = ()
    reasons = None
    if offset < end and data[offset] == 0xA0:
        start, offset = der.enter(data, offset, end, 0xA0, "distributionPoint")
        if data[start : start + 1] == b"\xa0":
            inner, behind = der.enter(data, start, offset, 0xA0, "fullName")
            full_name = _read_names(data, inner, behind)
        else:
            _, behind = der.enter(data, start, offset, 0xA1, "nameRelativeToCRLIssuer")
        der.check_end(behind, offset, what)
    if offset < end and data[offset] == 0x81:
        reasons, offset = der.read_named_bits(data, offset, end, "reasons", 0x81)
    if offset < end:
        start, offset = der.enter(data, offset, end, 0xA2, "cRLIssuer")
        crl_issuer = _read_names(data, start, offset)
    der.check_end(offset, end, what)
    return DistributionPoint(full_name, reasons, crl_issuer)


def _read_document_types(data: bytes, offset: int, end: int, defects: Defects) -> tuple[str, ...]:
    """DocumentTypeListSyntax, Doc 9303-12 7.1.1."""
    what = "DocumentTypeList"
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    der.check_end(stop, end, what)
    version, offset = der.read_unsigned(data, offset, stop, f"{what} version")
    if version:
        raise DecodeError(f"{what}: version is not 0", offset=offset, clause="Doc 9303-12 7.1.1")
    offset, set_stop = der.enter(data, offset, stop, der.SET, what)
    der.check_end(set_stop, stop, what)
    types = []
    previous = b""
    while offset < set_stop:
        start, behind = der.enter(data, offset, set_stop, der.PRINTABLE_STRING, "DocumentType")
        if data[offset:behind] < previous:
            tolerate(defects, DefectCode.SET_ORDER, f"{what}: SET OF out of order", offset, "X.690 11.6")
        types.append(der.decode_string(der.PRINTABLE_STRING, data[start:behind], start, "DocumentType"))
        previous, offset = data[offset:behind], behind
    return tuple(types)


def _read_name_change(data: bytes, offset: int, end: int, defects: Defects) -> bool:
    der.check_end(der.read_null(data, offset, end, "nameChange"), end, "nameChange")
    return True


_MAX_CRL_NUMBER: Final = 160  # bits


def _read_crl_number(data: bytes, offset: int, end: int, defects: Defects) -> int:
    number, stop = der.read_unsigned(data, offset, end, "CRLNumber")
    der.check_end(stop, end, "CRLNumber")
    if number.bit_length() > _MAX_CRL_NUMBER:
        raise DecodeError("CRLNumber: over 20 octets", offset=offset, clause="RFC 5280 5.2.3")
    return number


_AT_ONCE: Final[dict[str, Callable[[bytes, int, int, Defects], Any]]] = {
    oid.BASIC_CONSTRAINTS: _read_basic_constraints,
    oid.KEY_USAGE: _read_key_usage,
    oid.EXTENDED_KEY_USAGE: _read_extended_key_usage,
    oid.SUBJECT_KEY_IDENTIFIER: _read_key_identifier,
    oid.AUTHORITY_KEY_IDENTIFIER: _read_authority_key_identifier,
}
_LATER: Final[dict[str, Callable[[bytes, int, int, Defects], Any]]] = {
    oid.PRIVATE_KEY_USAGE_PERIOD: _read_private_key_usage_period,
    oid.SUBJECT_ALTERNATIVE_NAME: _read_general_names,
    oid.ISSUER_ALTERNATIVE_NAME: _read_general_names,
    oid.CRL_DISTRIBUTION_POINTS: _read_distribution_points,
    oid.DOCUMENT_TYPE_LIST: _read_document_types,
    oid.NAME_CHANGE: _read_name_change,
    oid.CRL_NUMBER: _read_crl_number,
}
# extnID of the extensions of X.509 itself (2.5.29.x), five octets of DER each
_USUAL_KEY_USAGES: Final[dict[bytes, int]] = {
    der.encode_named_bits(bits): int(bits)
    for bits in (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN)
}
# What stands before the SHA-1 of a key, the usual identifier (RFC 5280 4.2.1.2), and nothing behind it
_SHA1_OCTETS: Final = bytes((der.OCTET_STRING, 20))
_SHA1_AUTHORITY: Final = bytes((der.SEQUENCE, 22, der.context(0), 20))
