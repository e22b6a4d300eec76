"""Deviation lists: what an issuing state says is wrong with documents that it issued (Doc 9303-3 7, Doc 9303-12 10).

A deviation excuses nothing by itself. It tells the person who judges a document that the issuer knows of the departure,
and that a key of Active Authentication is not to be relied upon.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum, unique
from typing import Final

from eid.codec import der, oid
from eid.codec.algorithm import read_algorithm
from eid.codec.x509 import Certificate, read_serial
from eid.crypto.hashes import digest
from eid.errors import DecodeError

MAX_LIST: Final = 1 << 20  # octets
MAX_DEVIATIONS: Final = 4096
MAX_NUMBER: Final = 255  # of a data group, or of a field of the MRZ
_CLAUSE: Final = "Doc 9303-12 10.2"


@unique
class DeviationKind(StrEnum):
    """What a deviation is about (Doc 9303-3 7.3.5); the generic ones stand for what no detailed one says."""

    CERTIFICATE_OR_KEY = "CERTIFICATE_OR_KEY"
    DS_SIGNATURE = "DS_SIGNATURE"
    DS_ENCODING = "DS_ENCODING"
    CSCA_ENCODING = "CSCA_ENCODING"
    AA_KEY_COMPROMISED = "AA_KEY_COMPROMISED"
    LDS = "LDS"
    DG_MALFORMED = "DG_MALFORMED"
    DG_HASH_WRONG = "DG_HASH_WRONG"
    SOD_SIGNATURE_WRONG = "SOD_SIGNATURE_WRONG"
    COM_INCONSISTENT = "COM_INCONSISTENT"
    MRZ = "MRZ"
    MRZ_WRONG_DATA = "MRZ_WRONG_DATA"
    MRZ_WRONG_CHECK_DIGIT = "MRZ_WRONG_CHECK_DIGIT"
    CHIP = "CHIP"
    OTHER = "OTHER"


KIND_OIDS: Final[dict[DeviationKind, str]] = {
    DeviationKind.CERTIFICATE_OR_KEY: f"{oid.DEVIATION_LIST}.1",
    DeviationKind.DS_SIGNATURE: f"{oid.DEVIATION_LIST}.1.1",
    DeviationKind.DS_ENCODING: f"{oid.DEVIATION_LIST}.1.2",
    DeviationKind.CSCA_ENCODING: f"{oid.DEVIATION_LIST}.1.3",
    DeviationKind.AA_KEY_COMPROMISED: f"{oid.DEVIATION_LIST}.1.4",
    DeviationKind.LDS: f"{oid.DEVIATION_LIST}.2",
    DeviationKind.DG_MALFORMED: f"{oid.DEVIATION_LIST}.2.1",
    DeviationKind.DG_HASH_WRONG: f"{oid.DEVIATION_LIST}.2.2",
    DeviationKind.SOD_SIGNATURE_WRONG: f"{oid.DEVIATION_LIST}.2.3",
    DeviationKind.COM_INCONSISTENT: f"{oid.DEVIATION_LIST}.2.4",
    DeviationKind.MRZ: f"{oid.DEVIATION_LIST}.3",
    DeviationKind.MRZ_WRONG_DATA: f"{oid.DEVIATION_LIST}.3.1",
    DeviationKind.MRZ_WRONG_CHECK_DIGIT: f"{oid.DEVIATION_LIST}.3.2",
    DeviationKind.CHIP: f"{oid.DEVIATION_LIST}.4",
}
_KINDS: Final = {dotted: kind for kind, dotted in KIND_OIDS.items()}


@dataclass(frozen=True, slots=True)
class DeviantDocuments:
    """Which documents a deviation is about; all that is said must hold together (Doc 9303-3 7.3.6).

    Args:
        document_type: as in the MRZ. issuer_raw, serial: of the document signer, or key_identifier, or
            certificate_digest (by the hash of the list's digestAlgorithm).
        first_issued, last_issued: UTC. numbers: document numbers.
    """

    document_type: str | None = None
    issuer_raw: bytes | None = None
    serial: int | None = None
    key_identifier: bytes | None = None
    certificate_digest: bytes | None = None
    first_issued: datetime | None = None
    last_issued: datetime | None = None
    numbers: tuple[str, ...] = ()

    @property
    def names_signer(self) -> bool:
        """Whether a document signer is named."""
        return any(item is not None for item in (self.issuer_raw, self.key_identifier, self.certificate_digest))


@dataclass(frozen=True, slots=True)
class Deviation:
    """One deviation of some documents.

    Args:
        kind: OTHER for a type that Doc 9303 does not know. type_oid: dotted. number: data group, field of the MRZ or of
            the certificate that it is about, where one is given. description: the issuer's own words.
    """

    kind: DeviationKind
    type_oid: str
    description: str = ""
    number: int | None = None

    def describe(self) -> str:
        """One line for a report."""
        number = "" if self.number is None else f" {self.number}"
        words = f": {self.description}" if self.description else ""
        return f"known deviation {self.kind.value}{number}{words}"


@dataclass(frozen=True, slots=True)
class DeviationList:
    """The content of a list, and whose it is.

    Args:
        country: of its signer, upper case; "" until the list was verified. digest_name: hash of certificate digests.
        entries: documents, and what is wrong with them.
    """

    country: str
    digest_name: str
    entries: tuple[tuple[DeviantDocuments, tuple[Deviation, ...]], ...]

    def find(
        self,
        signer: Certificate,
        *,
        document_type: str | None = None,
        document_number: str | None = None,
        issued_on: date | None = None,
    ) -> tuple[Deviation, ...]:
        """Deviations of the documents that this signer signed and that are of this type, number and date of issue.

        What is not known of a document counts as a match of what is said of it: a deviation warns.
        """
        if self.country != (signer.country or signer.issuer_country):
            return ()  # a state speaks of its own documents
        number = None if document_number is None else document_number.replace("<", "").upper()
        return tuple(
            deviation
            for documents, deviations in self.entries
            if _matches(documents, signer, self.digest_name, document_type, number, issued_on)
            for deviation in deviations
        )


def _matches(
    documents: DeviantDocuments,
    signer: Certificate,
    digest_name: str,
    document_type: str | None,
    number: str | None,
    issued_on: date | None,
) -> bool:
    if documents.names_signer and not _is_signer(documents, signer, digest_name):
        return False
    stated = documents.document_type
    if stated is not None and document_type is not None and stated.rstrip("<") != document_type.rstrip("<"):
        return False
    if documents.numbers and number is not None and number not in documents.numbers:
        return False
    if issued_on is None or documents.first_issued is None or documents.last_issued is None:
        return True
    return documents.first_issued.date() <= issued_on <= documents.last_issued.date()


def _is_signer(documents: DeviantDocuments, signer: Certificate, digest_name: str) -> bool:
    if documents.certificate_digest is not None:
        return documents.certificate_digest == digest(digest_name, signer.raw)
    if documents.key_identifier is not None:
        return documents.key_identifier == signer.extensions.subject_key_identifier
    return (documents.issuer_raw, documents.serial) == (signer.issuer_raw, signer.serial)


# --- reading --------------------------------------------------------------------------------------------------------


def decode_deviation_list(raw: bytes, country: str = "", digest_name: str = "sha256") -> DeviationList:
    """Decode the content of a deviation list.

    Args:
        raw: DER, at most 1 MiB, of at most 4,096 deviations.
        country: of the signer. digest_name: hash of the list's own signature, which certificate digests are made with
            where the list does not say otherwise (Doc 9303-3 7.3.6).

    Raises:
        DecodeError: malformed, or another version than v0.
    """
    what = "DeviationList"
    offset, stop = der.read_sequence(raw, what, MAX_LIST)
    version, offset = der.read_unsigned(raw, offset, stop, f"{what} version")
    if version:
        raise DecodeError(f"{what}: version is not v0", offset=offset, clause=_CLAUSE)
    if offset < stop and raw[offset] == der.SEQUENCE:
        algorithm, offset = read_algorithm(raw, offset, stop, "digestAlgorithm")
        digest_name = oid.HASH_NAMES.get(algorithm.oid, "")
        if not digest_name:
            raise DecodeError(f"{what}: unknown digestAlgorithm", offset=offset, clause=_CLAUSE)
    start, offset = der.enter(raw, offset, stop, der.SET, "deviations")
    der.check_end(offset, stop, what)
    entries: list[tuple[DeviantDocuments, tuple[Deviation, ...]]] = []
    while start < offset:
        if len(entries) == MAX_DEVIATIONS:
            raise DecodeError(f"{what}: more than {MAX_DEVIATIONS} deviations", offset=start)
        inner, start = der.enter(raw, start, offset, der.SEQUENCE, "Deviation")
        entries.append(_read_deviation(raw, inner, start))
    return DeviationList(country, digest_name, tuple(entries))


def _read_deviation(data: bytes, offset: int, end: int) -> tuple[DeviantDocuments, tuple[Deviation, ...]]:
    start, offset = der.enter(data, offset, end, der.SEQUENCE, "DeviationDocuments")
    documents = _read_documents(data, start, offset)
    start, stop = der.enter(data, offset, end, der.SET, "descriptions")
    der.check_end(stop, end, "Deviation")
    deviations = []
    while start < stop:
        inner, start = der.enter(data, start, stop, der.SEQUENCE, "DeviationDescription")
        deviations.append(_read_description(data, inner, start))
    return documents, tuple(deviations)


def _read_documents(data: bytes, offset: int, end: int) -> DeviantDocuments:
    what = "DeviationDocuments"
    found: dict[str, object] = {}
    previous = -1
    for at, tag, start, stop in der.split(data, offset, end, what):
        place = 1 if tag & 0x1F in (1, 2, 3) else tag & 0x1F
        if tag & 0xC0 != 0x80 or place <= previous or tag & 0x1F > 5:
            raise DecodeError(f"{what}: unexpected field", offset=at, clause=_CLAUSE)
        found |= _read_document_field(data, tag, start, stop)
        previous = place
    return DeviantDocuments(**found)  # type: ignore[arg-type]  # the fields are typed where they are read


def _read_document_field(data: bytes, tag: int, start: int, stop: int) -> dict[str, object]:
    if tag == 0x80:
        return {"document_type": der.decode_string(der.PRINTABLE_STRING, data[start:stop], start, "documentType")}
    if tag == 0xA1:
        _, behind = der.enter(data, start, stop, der.SEQUENCE, "issuer")
        serial, at = read_serial(data, behind, stop, "serialNumber", [])
        der.check_end(at, stop, "issuerAndSerialNumber")
        return {"issuer_raw": data[start:behind], "serial": serial}
    if tag in (0x82, 0x83):
        return {"key_identifier" if tag == 0x82 else "certificate_digest": data[start:stop]}
    if tag == 0xA4:
        first, offset = _read_moment(data, start, stop, "firstIssued")
        last, offset = _read_moment(data, offset, stop, "lastIssued")
        der.check_end(offset, stop, "issuingDate")
        return {"first_issued": first, "last_issued": last}
    if tag == 0xA5:
        numbers = []
        while start < stop:
            text, start = der.read_string(data, start, stop, "documentNumbers")
            numbers.append(text.replace("<", "").upper())
        return {"numbers": tuple(numbers)}
    raise DecodeError("DeviationDocuments: unexpected field", offset=start, clause=_CLAUSE)


def _read_moment(data: bytes, offset: int, end: int, what: str) -> tuple[datetime, int]:
    start, stop = der.enter(data, offset, end, der.GENERALIZED_TIME, what)
    return der.decode_time(der.GENERALIZED_TIME, data[start:stop], start, what), stop


def _read_description(data: bytes, offset: int, end: int) -> Deviation:
    description = ""
    if offset < end and data[offset] == der.PRINTABLE_STRING:
        description, offset = der.read_string(data, offset, end, "description")
    dotted, offset = der.read_oid(data, offset, end, "deviationType")
    number = None
    if offset < end and data[offset] == 0xA0:
        start, offset = der.enter(data, offset, end, 0xA0, "parameters")
        if data[start : start + 1] == b"\x02":
            number, behind = der.read_unsigned(data, start, offset, "parameters")
            if number > MAX_NUMBER:
                raise DecodeError("parameters: no number of a data group or field", offset=start, clause=_CLAUSE)
            start = behind
        else:
            _, _, start = der.read_any(data, start, offset, "parameters")
        der.check_end(start, offset, "parameters")
    if offset < end:
        _, offset = der.enter(data, offset, end, 0xA1, "nationalUse")
    der.check_end(offset, end, "DeviationDescription")
    return Deviation(_KINDS.get(dotted, DeviationKind.OTHER), dotted, description, number)


# --- writing --------------------------------------------------------------------------------------------------------


def encode_deviation_list(value: DeviationList) -> bytes:
    """DeviationList, sets in DER order; what a deviation list signer signs."""
    entries = (
        der.encode_sequence(_encode_documents(documents), der.encode_set_of(map(_encode_description, deviations)))
        for documents, deviations in value.entries
    )
    algorithm = der.encode_sequence(der.encode_oid(oid.HASH_OIDS[value.digest_name]))
    return der.encode_sequence(der.encode_integer(0), algorithm, der.encode_set_of(entries))


def _encode_documents(documents: DeviantDocuments) -> bytes:
    fields = b""
    if documents.document_type is not None:
        fields += der.encode(0x80, documents.document_type.encode("ascii"))
    if documents.issuer_raw is not None and documents.serial is not None:
        fields += der.encode(0xA1, documents.issuer_raw + der.encode_integer(documents.serial))
    elif documents.key_identifier is not None:
        fields += der.encode(0x82, documents.key_identifier)
    elif documents.certificate_digest is not None:
        fields += der.encode(0x83, documents.certificate_digest)
    if documents.first_issued is not None and documents.last_issued is not None:
        times = (documents.first_issued, documents.last_issued)
        fields += der.encode(
            0xA4, b"".join(der.encode(der.GENERALIZED_TIME, der.format_generalized_time(item)) for item in times)
        )
    if documents.numbers:
        numbers = (der.encode_string(der.PRINTABLE_STRING, item) for item in documents.numbers)
        fields += der.encode_set_of(numbers, 0xA5)
    return der.encode_sequence(fields)


def _encode_description(deviation: Deviation) -> bytes:
    description = der.encode_string(der.PRINTABLE_STRING, deviation.description) if deviation.description else b""
    number = b"" if deviation.number is None else der.encode_explicit(0, der.encode_integer(deviation.number))
    return der.encode_sequence(description, der.encode_oid(deviation.type_oid), number)
