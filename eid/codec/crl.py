"""Certificate revocation lists (RFC 5280 5, profiled by Doc 9303-12 7.1.4): their syntax, read and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from eid.codec import der, oid
from eid.codec.algorithm import AlgorithmIdentifier, read_algorithm
from eid.codec.defect import DefectCode, Defects, tolerate
from eid.codec.extensions import Extension, Extensions, read_extensions
from eid.codec.name import Name, decode_name, read_name
from eid.codec.x509 import MAX_SERIAL, read_certificate_time, read_serial, read_signature
from eid.errors import DecodeError

MAX_CRL: Final = 1 << 23  # octets; over 100,000 entries
_NO_EXTENSIONS: Final = Extensions()


@dataclass(frozen=True, slots=True)
class RevokedCertificate:
    """One entry: serial, when it was revoked (UTC), why (RFC 5280 5.3.1, None if not said), all entry extensions."""

    serial: int
    revoked_at: datetime
    reason: int | None = None
    extensions: tuple[Extension, ...] = ()

    @property
    def unknown_critical(self) -> tuple[str, ...]:
        """Critical entry extensions that this system does not know; certificateIssuer is one (indirect CRL)."""
        return tuple(item.oid for item in self.extensions if item.critical and item.oid not in _ENTRY_EXTENSIONS)


_ENTRY_EXTENSIONS: Final = (oid.REASON_CODE, oid.INVALIDITY_DATE)


@dataclass(frozen=True, slots=True)
class CertificateList:
    """A CRL as it stands.

    Args:
        raw: the whole, DER. tbs_raw: what is signed. issuer_raw: DER. issuer_country: C in upper case or None.
        this_update, next_update: UTC; next_update None where it is absent. revoked: entries by serial.
        signature: content of signatureValue, octets.
    """

    raw: bytes = field(repr=False)
    tbs_raw: bytes = field(repr=False)
    version: int
    signature_algorithm: AlgorithmIdentifier
    issuer_raw: bytes = field(repr=False)
    issuer_country: str | None
    this_update: datetime
    next_update: datetime | None
    revoked: RevokedCertificates = field(repr=False, hash=False)
    extensions: Extensions = field(repr=False)
    signature: bytes = field(repr=False)

    def issuer(self, defects: Defects = None) -> Name:
        """The issuer's name.

        Raises:
            DecodeError: see `decode_name`.
        """
        return decode_name(self.issuer_raw, "issuer", defects)


def decode_crl(raw: bytes, defects: Defects = None) -> CertificateList:
    """Decode a CRL that fills the input.

    Args:
        raw: DER, at most 8 MiB.
        defects: where tolerable departures are recorded; without it they are refused.

    Raises:
        DecodeError: malformed, a serial listed twice, or a departure that is not tolerated.
    """
    offset, stop = der.read_sequence(raw, "CertificateList", MAX_CRL)
    tbs_offset = offset
    offset, tbs_stop = der.enter(raw, offset, stop, der.SEQUENCE, "TBSCertList")
    version, offset = _read_version(raw, offset, tbs_stop)
    signature_offset = offset
    algorithm, offset = read_algorithm(raw, offset, tbs_stop, "signature", defects)
    algorithm_raw = raw[signature_offset:offset]
    issuer_offset = offset
    country, offset = read_name(raw, offset, tbs_stop, "issuer")
    issuer_raw = raw[issuer_offset:offset]
    this_update, offset = read_certificate_time(raw, offset, tbs_stop, "thisUpdate", defects)
    next_update = None
    if offset < tbs_stop and raw[offset] in (der.UTC_TIME, der.GENERALIZED_TIME):
        next_update, offset = read_certificate_time(raw, offset, tbs_stop, "nextUpdate", defects)
    revoked = _NO_ENTRIES
    if offset < tbs_stop and raw[offset] == der.SEQUENCE:
        start, offset = der.enter(raw, offset, tbs_stop, der.SEQUENCE, "revokedCertificates")
        revoked = _read_entries(raw, start, offset, defects)
    extensions = _NO_EXTENSIONS
    if offset < tbs_stop:
        start, offset = der.enter(raw, offset, tbs_stop, 0xA0, "crlExtensions")
        extensions = read_extensions(raw, start, offset, defects)
    der.check_end(offset, tbs_stop, "TBSCertList")
    signature = read_signature(raw, tbs_stop, stop, algorithm_raw, defects)
    return CertificateList(
        raw,
        raw[tbs_offset:tbs_stop],
        version,
        algorithm,
        issuer_raw,
        country,
        this_update,
        next_update,
        revoked,
        extensions,
        signature,
    )


def _read_version(data: bytes, offset: int, end: int) -> tuple[int, int]:
    if data[offset : offset + 1] != b"\x02":
        return 1, offset
    version, offset = der.read_unsigned(data, offset, end, "version")
    if version != 1:
        raise DecodeError("CRL version is not v2", offset=offset, clause="RFC 5280 5.1.2.1")
    return 2, offset


class RevokedCertificates(Mapping[int, RevokedCertificate]):
    """The entries of a CRL by serial: all of them read once and found sound, made into values when asked for.

    A CRL may have hundreds of thousands; a verification asks for one.

    Args:
        data: the CRL. offsets: where in it the entry of a serial starts.
        unknown_critical: critical entry extensions that this system does not know.
    """

    __slots__ = ("_data", "_offsets", "unknown_critical")

    def __init__(self, data: bytes, offsets: dict[int, int], unknown_critical: tuple[str, ...] = ()) -> None:
        self._data = data
        self._offsets = offsets
        self.unknown_critical = unknown_critical

    def __getitem__(self, serial: int) -> RevokedCertificate:
        start, stop = der.enter(self._data, self._offsets[serial], len(self._data), der.SEQUENCE, "revokedCertificate")
        return _read_entry(self._data, start, stop, [])  # what is tolerable was judged when the list was read

    def find(self, serial: int) -> RevokedCertificate | None:
        """The entry of this serial; None: it is not revoked. Like `get`, for those who ask once a document."""
        return self[serial] if serial in self._offsets else None

    def __iter__(self) -> Iterator[int]:
        return iter(self._offsets)

    def __len__(self) -> int:
        return len(self._offsets)


_NO_ENTRIES: Final = RevokedCertificates(b"", {})
_REASON: Final = bytes.fromhex("300c300a0603551d1504030a01")  # reasonCode, not critical, up to its value
_REASONS: Final = frozenset((0, 1, 2, 3, 4, 5, 6, 8, 9, 10))


def _read_entries(data: bytes, offset: int, end: int, defects: Defects) -> RevokedCertificates:
    if offset == end:
        tolerate(defects, DefectCode.EMPTY_LIST, "revokedCertificates: empty", offset, "RFC 5280 5.1.2.6")
    offsets: dict[int, int] = {}
    unknown: tuple[str, ...] = ()
    dates: set[bytes] = set()
    while offset < end:
        serial, stop = _read_common_entry(data, offset, end, dates)
        if not stop:
            start, stop = der.enter(data, offset, end, der.SEQUENCE, "revokedCertificate")
            entry = _read_entry(data, start, stop, defects)
            serial, unknown = entry.serial, unknown or entry.unknown_critical
        if serial in offsets:
            raise DecodeError("serial number is listed twice", offset=offset, clause="RFC 5280 5.1.2.6")
        offsets[serial] = offset
        offset = stop
    return RevokedCertificates(data, offsets, unknown)


def _read_common_entry(data: bytes, offset: int, end: int, dates: set[bytes]) -> tuple[int, int]:
    """Serial and end of an entry of the common shape: UTCTime, no extension but the reason; (0, 0) for any other.

    A shortcut: what it passes, `_read_entry` passes too.

    Args:
        dates: days that are known to be some, YYMMDD.
    """
    if offset + 20 > end or data[offset] != der.SEQUENCE or data[offset + 2] != der.INTEGER:
        return 0, 0
    stop, size = offset + 2 + data[offset + 1], data[offset + 3]
    at = offset + 4 + size  # of the time
    behind = at + 15
    if stop > end or data[offset + 1] > 0x7F or not 1 <= size <= MAX_SERIAL or behind > stop:
        return 0, 0
    serial = data[offset + 4 : at]
    if serial[0] > 0x7F or (serial[0] == 0 and (size == 1 or serial[1] < 0x80)):
        return 0, 0
    time, tail = data[at:behind], data[behind:stop]
    if time[:2] != b"\x17\x0d" or time[14] != 0x5A or not time[2:14].isdigit():
        return 0, 0
    if time[2:8] not in dates:
        der.decode_time(der.UTC_TIME, time[2:], at, "revocationDate")
        dates.add(time[2:8])
    if time[8:10] > b"23" or time[10:12] > b"59" or time[12:14] > b"59":
        return 0, 0
    if tail and (tail[:-1] != _REASON or tail[-1] not in _REASONS):
        return 0, 0
    return int.from_bytes(serial, "big"), stop


def _read_entry(data: bytes, offset: int, end: int, defects: Defects) -> RevokedCertificate:
    serial, offset = read_serial(data, offset, end, "userCertificate", defects)
    revoked_at, offset = read_certificate_time(data, offset, end, "revocationDate", defects)
    if offset == end:
        return RevokedCertificate(serial, revoked_at)
    extensions = read_extensions(data, offset, end, defects)
    return RevokedCertificate(serial, revoked_at, _reason(extensions.find(oid.REASON_CODE), offset), extensions.all)


def _reason(extension: Extension | None, offset: int) -> int | None:
    if extension is None:
        return None
    value = extension.value
    if len(value) != 3 or value[:2] != b"\x0a\x01" or value[2] > 10 or value[2] == 7:
        raise DecodeError("malformed CRLReason", offset=offset, clause="RFC 5280 5.3.1")
    return value[2]


# --- writing --------------------------------------------------------------------------------------------------------


def encode_tbs_crl(
    *,
    signature_algorithm: AlgorithmIdentifier,
    issuer: bytes,
    this_update: datetime,
    next_update: datetime,
    revoked: Sequence[RevokedCertificate],
    extensions: Sequence[Extension],
) -> bytes:
    """TBSCertList v2; the issuer's name is DER already, times aware and in whole seconds."""
    entries = b"".join(_encode_entry(entry) for entry in revoked)
    return der.encode_sequence(
        der.encode_integer(1),
        signature_algorithm.encode(),
        issuer,
        der.encode_time(this_update),
        der.encode_time(next_update),
        der.encode(der.SEQUENCE, entries) if entries else b"",
        der.encode_explicit(0, der.encode_sequence(*(item.encode() for item in extensions))),
    )


def _encode_entry(entry: RevokedCertificate) -> bytes:
    extensions = list(entry.extensions)
    if entry.reason is not None and not any(item.oid == oid.REASON_CODE for item in extensions):
        extensions.append(Extension(oid.REASON_CODE, False, der.encode_integer(entry.reason, der.ENUMERATED)))
    tail = der.encode_sequence(*(item.encode() for item in extensions)) if extensions else b""
    return der.encode_sequence(der.encode_integer(entry.serial), der.encode_time(entry.revoked_at), tail)


def encode_crl(tbs: bytes, signature_algorithm: AlgorithmIdentifier, signature: bytes) -> bytes:
    """CertificateList from its signed part and the signature over it."""
    return der.encode_sequence(tbs, signature_algorithm.encode(), der.encode_bit_string(signature))
