"""X.509 certificates (RFC 5280 4.1, profiled by Doc 9303-12 7.1): their syntax, read and written, nothing verified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from eid.codec import der
from eid.codec.algorithm import AlgorithmIdentifier, read_algorithm
from eid.codec.defect import DefectCode, Defects, tolerate
from eid.codec.extensions import Extension, Extensions, read_extensions
from eid.codec.name import Name, decode_name, read_name
from eid.errors import DecodeError

MAX_CERTIFICATE: Final = 1 << 16  # octets
MAX_SERIAL: Final = 20  # octets, RFC 5280 4.1.2.2
_UTC_TIMES: Final = bytes((der.SEQUENCE, 30, der.UTC_TIME, 13))  # before the first of two, the last half before each
_V3: Final = b"\xa0\x03\x02\x01\x02"
_NO_EXTENSIONS: Final = Extensions()


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as it stands.

    Args:
        raw: the whole, DER. tbs_raw: what is signed. issuer_raw, subject_raw, spki_raw: one DER element each.
        version: 1, 2 or 3. serial: positive unless a defect was tolerated. not_before, not_after: UTC.
        issuer_country, subject_country: C in upper case, None where there is none.
        signature: content of signatureValue, octets.
    """

    raw: bytes = field(repr=False)
    tbs_raw: bytes = field(repr=False)
    version: int
    serial: int
    signature_algorithm: AlgorithmIdentifier
    issuer_raw: bytes = field(repr=False)
    subject_raw: bytes = field(repr=False)
    issuer_country: str | None
    subject_country: str | None
    not_before: datetime
    not_after: datetime
    spki_raw: bytes = field(repr=False)
    extensions: Extensions = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def country(self) -> str | None:
        """The subject's country code in upper case."""
        return self.subject_country

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are the same octets."""
        return self.issuer_raw == self.subject_raw

    def issuer(self, defects: Defects = None) -> Name:
        """The issuer's name.

        Raises:
            DecodeError: see `decode_name`.
        """
        return decode_name(self.issuer_raw, "issuer", defects)

    def subject(self, defects: Defects = None) -> Name:
        """The subject's name.

        Raises:
            DecodeError: see `decode_name`.
        """
        return decode_name(self.subject_raw, "subject", defects)


def decode_certificate(raw: bytes, defects: Defects = None) -> Certificate:
    """Decode a certificate that fills the input.

    Args:
        raw: DER, at most 65,536 octets.
        defects: where tolerable departures are recorded; without it they are refused.

    Raises:
        DecodeError: malformed, or a departure that is not tolerated.
    """
    offset, stop = der.read_sequence(raw, "Certificate", MAX_CERTIFICATE)
    tbs_offset = offset
    offset, tbs_stop = der.enter(raw, offset, stop, der.SEQUENCE, "TBSCertificate")
    version, offset = _read_version(raw, offset, tbs_stop, defects)
    serial, offset = read_serial(raw, offset, tbs_stop, "serialNumber", defects)
    signature_offset = offset
    algorithm, offset = read_algorithm(raw, offset, tbs_stop, "signature", defects)
    algorithm_raw = raw[signature_offset:offset]
    issuer_offset = offset
    issuer_country, offset = read_name(raw, offset, tbs_stop, "issuer")
    issuer_raw = raw[issuer_offset:offset]
    not_before, not_after, offset = _read_validity(raw, offset, tbs_stop, defects)
    subject_offset = offset
    subject_country, offset = read_name(raw, offset, tbs_stop, "subject")
    subject_raw = raw[subject_offset:offset]
    spki_offset = offset
    _, offset = der.enter(raw, offset, tbs_stop, der.SEQUENCE, "SubjectPublicKeyInfo")
    spki_raw = raw[spki_offset:offset]
    extensions = _NO_EXTENSIONS
    if offset < tbs_stop:
        extensions = _read_tail(raw, offset, tbs_stop, version, defects)
    signature = read_signature(raw, tbs_stop, stop, algorithm_raw, defects)
    return Certificate(
        raw,
        raw[tbs_offset:tbs_stop],
        version,
        serial,
        algorithm,
        issuer_raw,
        subject_raw,
        issuer_country,
        subject_country,
        not_before,
        not_after,
        spki_raw,
        extensions,
        signature,
    )


def _read_version(data: bytes, offset: int, end: int, defects: Defects) -> tuple[int, int]:
    if data[offset : offset + 5] == _V3:
        return 3, offset + 5
    if data[offset : offset + 1] != b"\xa0":
        return 1, offset
    start, stop = der.enter(data, offset, end, 0xA0, "version")
    version, behind = der.read_unsigned(data, start, stop, "version")
    der.check_end(behind, stop, "version")
    if version not in (0, 1):
        raise DecodeError("version is none of v1, v2, v3", offset=start, clause="RFC 5280 4.1.2.1")
    if version == 0:
        tolerate(defects, DefectCode.ENCODED_DEFAULT, "version: v1 is written out", offset, "X.690 11.5")
    return version + 1, stop


def read_serial(data: bytes, offset: int, end: int, what: str, defects: Defects) -> tuple[int, int]:
    """Read a CertificateSerialNumber: positive, at most 20 octets (RFC 5280 4.1.2.2), both tolerable."""
    try:
        serial, stop = der.read_integer(data, offset, end, what)
    except DecodeError as error:
        start, stop = der.enter(data, offset, end, der.INTEGER, what)
        if start == stop:
            raise
        tolerate(defects, DefectCode.SERIAL_NOT_MINIMAL, error.what, offset, "X.690 8.3.2")
        serial = int.from_bytes(data[start:stop], "big", signed=True)
    if serial <= 0:
        tolerate(defects, DefectCode.SERIAL_NOT_POSITIVE, f"{what} is not positive", offset, "RFC 5280 4.1.2.2")
    if stop - offset > MAX_SERIAL + 2:
        tolerate(defects, DefectCode.SERIAL_TOO_LONG, f"{what} is over 20 octets", offset, "RFC 5280 4.1.2.2")
    return serial, stop


def format_serial(serial: int) -> str:
    """A serial number in hexadecimal, upper case, whole octets: as other programs print it."""
    digits = f"{abs(serial):X}"
    return "-" * (serial < 0) + "0" * (len(digits) % 2) + digits


def _read_validity(data: bytes, offset: int, end: int, defects: Defects) -> tuple[datetime, datetime, int]:
    if (
        offset + 32 <= end
        and data[offset : offset + 4] == _UTC_TIMES
        and data[offset + 17 : offset + 19] == _UTC_TIMES[2:]
    ):
        not_before = der.decode_time(der.UTC_TIME, data[offset + 4 : offset + 17], offset + 4, "notBefore")
        not_after = der.decode_time(der.UTC_TIME, data[offset + 19 : offset + 32], offset + 19, "notAfter")
        return not_before, not_after, offset + 32
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, "Validity")
    not_before, offset = read_certificate_time(data, offset, stop, "notBefore", defects)
    not_after, offset = read_certificate_time(data, offset, stop, "notAfter", defects)
    der.check_end(offset, stop, "Validity")
    return not_before, not_after, stop


def read_certificate_time(data: bytes, offset: int, end: int, what: str, defects: Defects) -> tuple[datetime, int]:
    """Read a Time; GeneralizedTime before 2050 is tolerable (TIME_FORM)."""
    if defects is None:
        return der.read_time(data, offset, end, what)
    try:
        return der.read_time(data, offset, end, what)
    except DecodeError:
        start, stop = der.enter(data, offset, end, der.GENERALIZED_TIME, what)
        time = der.decode_time(der.GENERALIZED_TIME, data[start:stop], start, what)
        tolerate(defects, DefectCode.TIME_FORM, f"{what}: GeneralizedTime before 2050", offset, "RFC 5280 4.1.2.5")
        return time, stop


def _read_tail(data: bytes, offset: int, end: int, version: int, defects: Defects) -> Extensions:
    """Read what may follow the key: unique identifiers, which nobody should use, and extensions."""
    extensions = _NO_EXTENSIONS
    for tag in (0x81, 0x82):
        if offset < end and data[offset] == tag:
            clause = "RFC 5280 4.1.2.8"
            tolerate(defects, DefectCode.UNIQUE_IDENTIFIER, "unique identifier is present", offset, clause)
            _, offset = der.enter(data, offset, end, tag, "unique identifier")
    if offset < end:
        start, stop = der.enter(data, offset, end, 0xA3, "extensions")
        extensions = read_extensions(data, start, stop, defects)
        if version != 3:
            clause = "RFC 5280 4.1.2.9"
            tolerate(defects, DefectCode.CERTIFICATE_VERSION, "extensions in a certificate not v3", offset, clause)
        offset = stop
    der.check_end(offset, end, "TBSCertificate")
    return extensions


def read_signature(data: bytes, offset: int, end: int, algorithm_raw: bytes, defects: Defects) -> bytes:
    """Read signatureAlgorithm and signatureValue, which fill offset..end.

    No signature covers the outer algorithm: it must be the inner one, octet by octet (RFC 5280 4.1.1.2).
    """
    behind = offset + len(algorithm_raw)
    if data[offset:behind] != algorithm_raw:
        what = "signatureAlgorithm is not the algorithm that is signed"
        tolerate(defects, DefectCode.SIGNATURE_ALGORITHM_MISMATCH, what, offset, "RFC 5280 4.1.1.2")
        _, behind = read_algorithm(data, offset, end, "signatureAlgorithm", defects)
    signature, behind = der.read_bit_string(data, behind, end, "signatureValue")
    der.check_end(behind, end, "signed structure")
    return signature


# --- writing --------------------------------------------------------------------------------------------------------


def encode_tbs_certificate(
    *,
    serial: int,
    signature_algorithm: AlgorithmIdentifier,
    issuer: bytes,
    not_before: datetime,
    not_after: datetime,
    subject: bytes,
    spki: bytes,
    extensions: Sequence[Extension],
) -> bytes:
    """TBSCertificate v3; names and key are DER already, times aware and in whole seconds.

    Raises:
        ValueError: a serial number that is not positive or over 20 octets; the caller's mistake.
    """
    if not 0 < serial < 1 << 8 * MAX_SERIAL - 1:
        raise ValueError("a serial number is positive and of at most 20 octets (RFC 5280 4.1.2.2)")
    return der.encode_sequence(
        _V3,
        der.encode_integer(serial),
        signature_algorithm.encode(),
        issuer,
        der.encode_sequence(der.encode_time(not_before), der.encode_time(not_after)),
        subject,
        spki,
        der.encode_explicit(3, der.encode_sequence(*(item.encode() for item in extensions))),
    )


def encode_certificate(tbs: bytes, signature_algorithm: AlgorithmIdentifier, signature: bytes) -> bytes:
    """Certificate from its signed part and the signature over it."""
    return der.encode_sequence(tbs, signature_algorithm.encode(), der.encode_bit_string(signature))
