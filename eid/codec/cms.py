"""CMS SignedData (RFC 5652 5, profiled by Doc 9303-10 4.6.2.2): its syntax, read and written. Nothing is verified here.

No signature covers the fields around the signed attributes. Each of them has one right value, and any other is refused:
versions, the set of digest algorithms, unsigned attributes, the order of sets. A single SignerInfo is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from struct import Struct
from typing import Final

from eid.codec import der, oid
from eid.codec.algorithm import AlgorithmIdentifier, read_algorithm
from eid.codec.ber import split_ber
from eid.codec.defect import DefectCode, Defects, tolerate
from eid.codec.x509 import read_serial
from eid.errors import DecodeError

MAX_ATTRIBUTES: Final = 32
MAX_CERTIFICATES: Final = 1024
_SIGNED_DATA_TYPE: Final = der.encode_oid(oid.SIGNED_DATA)
_HEADERS: Final = Struct(">2s H 11s 2s H 2s H")
_MANY_OCTETS: Final = _HEADERS.size + 0x100  # from here on DER gives each of those lengths two octets
_ATTRIBUTE_TYPES: Final = {
    der.encode_oid(name): name for name in (oid.CONTENT_TYPE, oid.MESSAGE_DIGEST, oid.SIGNING_TIME)
}
# Attribute of one of these types, short lengths; header of attrValues
_COMMON_ATTRIBUTE: Final = re.compile(
    rb"\x30[\x00-\x7f](" + b"|".join(map(re.escape, _ATTRIBUTE_TYPES)) + rb")\x31[\x00-\x7f]"
)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute: its type (dotted), its values, each one DER element."""

    oid: str
    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SignedAttributes:
    """The attributes that the signature covers.

    Args:
        stored: as SET OF (tag 31), in the order in which they stand.
        canonical: the same in DER order, which is what is hashed (RFC 5652 5.4).
        content_type: dotted. message_digest: octets. signing_time: UTC, None where it is absent.
        others: all further attributes.
    """

    stored: bytes = field(repr=False)
    canonical: bytes = field(repr=False)
    content_type: str
    message_digest: bytes
    signing_time: datetime | None
    others: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class SignerInfo:
    """Who signed, how, and the signature.

    Args:
        issuer_raw, serial: of the signer's certificate (version 1), or None; issuer_raw is DER.
        subject_key_identifier: of the signer's certificate (version 3), or None.
        signed_attributes: None only over content of type id-data.
    """

    version: int
    issuer_raw: bytes | None = field(repr=False)
    serial: int | None
    subject_key_identifier: bytes | None
    digest_algorithm: AlgorithmIdentifier
    signed_attributes: SignedAttributes | None
    signature_algorithm: AlgorithmIdentifier
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedData:
    """A ContentInfo with SignedData.

    Args:
        raw: the whole ContentInfo. content_type: eContentType, dotted; its meaning is the caller's to check.
        content: octets of eContent. certificates, crls: as they stand, each one DER element.
    """

    raw: bytes = field(repr=False)
    version: int
    digest_algorithms: tuple[AlgorithmIdentifier, ...]
    content_type: str
    content: bytes = field(repr=False)
    certificates: tuple[bytes, ...] = field(repr=False)
    crls: tuple[bytes, ...] = field(repr=False)
    signer_info: SignerInfo

    @property
    def signed_attributes_der(self) -> bytes | None:
        """What the signature is over, as SET OF in DER; None where it is over the content itself."""
        attributes = self.signer_info.signed_attributes
        return None if attributes is None else attributes.canonical


@dataclass(frozen=True, slots=True)
class _UsualForm:
    """Signed attributes as they are usually spelt: octets, the signing time (length 0: none), octets, the digest."""

    before: bytes
    time_length: int
    middle: bytes
    digest_length: int


def keep_stored_attributes(signed_data: SignedData, original: bytes) -> SignedData:
    """The SignedData that was made out of BER, with the signed attributes as they stood there.

    Their DER is what is signed (RFC 5652 5.4); whoever signed what he stored has signed these octets.

    Args:
        signed_data: decoded from the DER of `original`. original: BER, a ContentInfo, or a file that holds one.
    """
    attributes = signed_data.signer_info.signed_attributes
    stored = None if attributes is None else _find_attributes(original)
    if attributes is None or stored is None:
        return signed_data
    info = replace(signed_data.signer_info, signed_attributes=replace(attributes, stored=stored))
    return replace(signed_data, signer_info=info)


def _find_attributes(original: bytes) -> bytes | None:
    """The octets of signedAttrs in BER, its tag that of a SET (RFC 5652 5.4); None where they are not found."""
    try:
        place = (0, len(original))
        if original[:1] != b"\x30":
            (place,) = split_ber(original, *place)  # EF.SOD's own tag
        _, explicit = split_ber(original, *place)
        (signed,) = split_ber(original, *explicit)
        infos = split_ber(original, *signed)[-1]
        (info,) = split_ber(original, *infos)
        for start, behind in split_ber(original, *info):
            if original[start] == 0xA0:
                return b"\x31" + original[start + 1 : behind]
    except (DecodeError, ValueError, IndexError):  # another shape than the converter read: nothing is kept
        return None
    return None


def decode_signed_data(raw: bytes, defects: Defects = None, limit: int = der.MAX_INPUT) -> SignedData:
    """Decode a ContentInfo with SignedData that fills the input.

    Args:
        raw: DER, at most `limit` octets.
        defects: where tolerable departures are recorded; without it they are refused.

    Raises:
        DecodeError: malformed, not exactly one SignerInfo, a certificate of another kind than X.509, signed attributes
            missing, doubled or not for this content type; or a departure that is not tolerated.
    """
    offset, end = _enter_content_info(raw, limit)
    version_offset = offset
    version, offset = der.read_small(raw, offset, end, "SignedData version")
    digests_offset = offset
    digest_algorithms, offset = _read_digest_algorithms(raw, offset, end, defects)
    content_type, content, offset = _read_content(raw, offset, end)
    certificates: tuple[bytes, ...] = ()
    if offset < end and raw[offset] == 0xA0:
        certificates, offset = _read_certificates(raw, offset, end, defects)
    crls: tuple[bytes, ...] = ()
    if offset < end and raw[offset] == 0xA1:
        tolerate(defects, DefectCode.CRLS_PRESENT, "crls are present", offset, "Doc 9303-10 4.6.2.2")
        start, offset = der.enter(raw, offset, end, 0xA1, "crls")
        crls = tuple(raw[at:behind] for at, _, _, behind in der.split(raw, start, offset, "crls"))
    start, offset = der.enter(raw, offset, end, der.SET, "signerInfos")
    der.check_end(offset, end, "SignedData")
    signer_info, start = _read_signer_info(raw, start, offset, content_type, defects)
    if start != offset:
        raise DecodeError("more than one SignerInfo", offset=start, clause="Doc 9303-10 4.6.2.2")
    if version != (3 if content_type != oid.DATA or signer_info.version == 3 else 1):
        tolerate(defects, DefectCode.CMS_VERSION, "SignedData: wrong version", version_offset, "RFC 5652 5.1")
    if len(digest_algorithms) != 1 or digest_algorithms[0].oid != signer_info.digest_algorithm.oid:
        what = "digestAlgorithms is not the set of what the signer uses"
        tolerate(defects, DefectCode.DIGEST_ALGORITHMS, what, digests_offset, "RFC 5652 5.1")
    return SignedData(raw, version, digest_algorithms, content_type, content, certificates, crls, signer_info)


def _enter_content_info(raw: bytes, limit: int) -> tuple[int, int]:
    """Where SignedData starts and stops. Since all three headers end where the input does, its size tells them."""
    size = len(raw)
    if _MANY_OCTETS <= size <= min(limit, 0xFFFF) and raw.startswith(_spell_headers(size)):
        return _HEADERS.size, size
    return _read_content_info(raw, limit)


def _spell_headers(size: int) -> bytes:
    """ContentInfo, contentType, content and SignedData, each length in two octets, before an input of this size."""
    return _HEADERS.pack(b"\x30\x82", size - 4, _SIGNED_DATA_TYPE, b"\xa0\x82", size - 19, b"\x30\x82", size - 23)


def _read_content_info(raw: bytes, limit: int) -> tuple[int, int]:
    what = "ContentInfo"
    offset, stop = der.read_sequence(raw, what, limit)
    content_offset = offset + len(_SIGNED_DATA_TYPE)
    if raw[offset:content_offset] != _SIGNED_DATA_TYPE:
        raise DecodeError(f"{what}: contentType is not signedData", offset=offset, clause="RFC 5652 5.1")
    offset, behind = der.enter(raw, content_offset, stop, 0xA0, "content")
    der.check_end(behind, stop, what)
    offset, behind = der.enter(raw, offset, stop, der.SEQUENCE, "SignedData")
    der.check_end(behind, stop, "content")
    return offset, behind


def _read_digest_algorithms(
    data: bytes, offset: int, end: int, defects: Defects
) -> tuple[tuple[AlgorithmIdentifier, ...], int]:
    what = "digestAlgorithms"
    offset, stop = der.enter(data, offset, end, der.SET, what)
    algorithms = []
    while offset < stop:
        algorithm, offset = read_algorithm(data, offset, stop, what, defects)
        algorithms.append(algorithm)
    return tuple(algorithms), stop


def _read_content(data: bytes, offset: int, end: int) -> tuple[str, bytes, int]:
    what = "encapContentInfo"
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    content_type, offset = der.read_oid(data, offset, stop, "eContentType")
    offset, behind = der.enter(data, offset, stop, 0xA0, "eContent")
    der.check_end(behind, stop, what)
    content, offset = der.read_octet_string(data, offset, stop, "eContent")
    der.check_end(offset, stop, "eContent")
    return content_type, content, stop


def _read_certificates(data: bytes, offset: int, end: int, defects: Defects) -> tuple[tuple[bytes, ...], int]:
    offset, stop = der.enter(data, offset, end, 0xA0, "certificates")
    certificates: list[bytes] = []
    previous = b""
    while offset < stop:
        _, behind = der.enter(data, offset, stop, der.SEQUENCE, "certificate")
        current = data[offset:behind]
        if current <= previous:
            tolerate(defects, DefectCode.SET_ORDER, "certificates: SET OF out of order", offset, "X.690 11.6")
        if len(certificates) == MAX_CERTIFICATES:
            raise DecodeError(f"more than {MAX_CERTIFICATES} certificates", offset=offset)
        certificates.append(current)
        previous, offset = current, behind
    return tuple(certificates), stop


def _read_signer_info(
    data: bytes, offset: int, end: int, content_type: str, defects: Defects
) -> tuple[SignerInfo, int]:
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, "SignerInfo")
    version_offset = offset
    version, offset = der.read_small(data, offset, stop, "SignerInfo version")
    issuer_raw = serial = key_identifier = None
    if data[offset : offset + 1] == b"\x80":
        start, offset = der.enter(data, offset, stop, 0x80, "subjectKeyIdentifier")
        key_identifier = data[start:offset]
    else:
        issuer_raw, serial, offset = _read_issuer_and_serial(data, offset, stop, defects)
    if version != (3 if serial is None else 1):
        tolerate(defects, DefectCode.CMS_VERSION, "SignerInfo: wrong version", version_offset, "RFC 5652 5.3")
    digest_algorithm, offset = read_algorithm(data, offset, stop, "digestAlgorithm", defects)
    attributes = None
    if data[offset : offset + 1] == b"\xa0":
        attributes, offset = _read_signed_attributes(data, offset, stop, content_type, defects)
    elif content_type != oid.DATA:
        raise DecodeError("signedAttrs are missing", offset=offset, clause="RFC 5652 5.3")
    signature_algorithm, offset = read_algorithm(data, offset, stop, "signatureAlgorithm", defects)
    signature, offset = der.read_octet_string(data, offset, stop, "signature")
    if offset < stop:
        unsigned_offset = offset
        _, offset = der.enter(data, offset, stop, 0xA1, "unsignedAttrs")
        what = "unsignedAttrs are present"
        tolerate(defects, DefectCode.UNSIGNED_ATTRIBUTES, what, unsigned_offset, "Doc 9303-10 4.6.2.2")
    der.check_end(offset, stop, "SignerInfo")
    info = SignerInfo(
        version, issuer_raw, serial, key_identifier, digest_algorithm, attributes, signature_algorithm, signature
    )
    return info, stop


def _read_issuer_and_serial(data: bytes, offset: int, end: int, defects: Defects) -> tuple[bytes, int, int]:
    """Issuer and serial; the name is not looked into, for it must turn out to be that of a certificate."""
    what = "IssuerAndSerialNumber"
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    issuer_offset = offset
    _, offset = der.enter(data, offset, stop, der.SEQUENCE, "issuer")
    issuer_raw = data[issuer_offset:offset]
    serial, offset = read_serial(data, offset, stop, "serialNumber", defects)
    der.check_end(offset, stop, what)
    return issuer_raw, serial, stop


def _read_signed_attributes(
    data: bytes, offset: int, end: int, content_type: str, defects: Defects
) -> tuple[SignedAttributes, int]:
    if content_type == oid.LDS_SECURITY_OBJECT and offset + 1 < end:
        form = _USUAL_ATTRIBUTES.get(data[offset + 1])
        usual = None if form is None else _read_usual_attributes(data, offset, end, form)
        if usual is not None:
            return usual
    start, stop = der.enter(data, offset, end, 0xA0, "signedAttrs")
    stored = b"\x31" + data[offset + 1 : stop]
    places: dict[str, tuple[int, int]] = {}
    encoded: list[bytes] = []
    while start < stop:
        name, values, behind = _read_attribute(data, start, stop)
        if name in places or len(places) == MAX_ATTRIBUTES or values[0] == values[1] or values[1] != behind:
            raise DecodeError("Attribute: doubled, empty, malformed or too many", offset=start, clause="RFC 5652 5.3")
        places[name] = values
        encoded.append(data[start:behind])
        start = behind
    ordered = sorted(encoded)
    canonical = stored
    if ordered != encoded:
        tolerate(defects, DefectCode.SET_ORDER, "signedAttrs: SET OF out of order", offset, "X.690 11.6")
        canonical = der.encode(der.SET, b"".join(ordered))
    type_place, digest_place = places.pop(oid.CONTENT_TYPE, None), places.pop(oid.MESSAGE_DIGEST, None)
    if type_place is None or digest_place is None:
        raise DecodeError("signedAttrs: contentType or messageDigest is missing", offset=offset, clause="RFC 5652 5.3")
    _check_content_type(data, *type_place, content_type)
    digest = _read_message_digest(data, *digest_place)
    time = None
    if oid.SIGNING_TIME in places:
        time = _read_signing_time(data, *places.pop(oid.SIGNING_TIME))
    others = tuple(Attribute(name, _split_values(data, *place)) for name, place in places.items()) if places else ()
    return SignedAttributes(stored, canonical, content_type, digest, time, others), stop


def _read_usual_attributes(data: bytes, offset: int, end: int, form: _UsualForm) -> tuple[SignedAttributes, int] | None:
    """A shortcut for Passive Authentication: what is of this form reads the same the general way; None if it is not."""
    time_place = offset + len(form.before)
    middle_place = time_place + form.time_length
    digest_place = middle_place + len(form.middle)
    behind = digest_place + form.digest_length
    if behind > end or data[offset:time_place] != form.before or data[middle_place:digest_place] != form.middle:
        return None
    time = None
    if form.time_length:
        time = der.decode_time(der.UTC_TIME, data[time_place:middle_place], time_place, "signingTime")
    stored = b"\x31" + data[offset + 1 : behind]
    return SignedAttributes(stored, stored, oid.LDS_SECURITY_OBJECT, data[digest_place:behind], time), behind


def _read_attribute(data: bytes, offset: int, end: int) -> tuple[str, tuple[int, int], int]:
    """Read an Attribute: its type, where its values start and stop, and the offset behind it."""
    common = _COMMON_ATTRIBUTE.match(data, offset, end)
    if common is not None:  # a shortcut for Passive Authentication; the rest reads the same, and all others
        start = common.end()
        behind = start + data[start - 1]
        if behind == offset + 2 + data[offset + 1] and behind <= end:
            return _ATTRIBUTE_TYPES[common[1]], (start, behind), behind
    start, behind = der.enter(data, offset, end, der.SEQUENCE, "Attribute")
    name, start = der.read_oid(data, start, behind, "attrType")
    return name, der.enter(data, start, behind, der.SET, "attrValues"), behind


def _check_content_type(data: bytes, offset: int, end: int, content_type: str) -> None:
    signed_type, behind = der.read_oid(data, offset, end, "contentType")
    if signed_type != content_type or behind != end:
        raise DecodeError("contentType is not the eContentType", offset=offset, clause="RFC 5652 11.1")


def _read_message_digest(data: bytes, offset: int, end: int) -> bytes:
    digest, behind = der.read_octet_string(data, offset, end, "messageDigest")
    der.check_end(behind, end, "messageDigest")
    return digest


def _read_signing_time(data: bytes, offset: int, end: int) -> datetime:
    time, behind = der.read_time(data, offset, end, "signingTime")
    der.check_end(behind, end, "signingTime")
    return time


def _split_values(data: bytes, start: int, stop: int) -> tuple[bytes, ...]:
    return tuple(data[at:behind] for at, _, _, behind in der.split(data, start, stop, "attrValues"))


# --- writing --------------------------------------------------------------------------------------------------------


def encode_signed_attributes(
    content_type: str, message_digest: bytes, signing_time: datetime | None = None, others: Iterable[Attribute] = ()
) -> bytes:
    """SignedAttributes as SET OF in DER: what is to be signed.

    Args:
        content_type: eContentType, dotted. message_digest: hash of eContent. signing_time: aware, whole seconds.
    """
    items = [
        _encode_attribute(oid.CONTENT_TYPE, (der.encode_oid(content_type),)),
        _encode_attribute(oid.MESSAGE_DIGEST, (der.encode_octet_string(message_digest),)),
        *(_encode_attribute(item.oid, item.values) for item in others),
    ]
    if signing_time is not None:
        items.append(_encode_attribute(oid.SIGNING_TIME, (der.encode_time(signing_time),)))
    return der.encode_set_of(items)


def _encode_attribute(attribute_type: str, values: Iterable[bytes]) -> bytes:
    return der.encode_sequence(der.encode_oid(attribute_type), der.encode_set_of(values))


def encode_signer_info(
    *,
    signer: tuple[bytes, int] | bytes,
    digest_algorithm: AlgorithmIdentifier,
    signed_attributes: bytes,
    signature_algorithm: AlgorithmIdentifier,
    signature: bytes,
) -> bytes:
    """SignerInfo.

    Args:
        signer: issuer (DER) and serial of the certificate (version 1), or its subject key identifier (version 3).
        signed_attributes: as `encode_signed_attributes` returned them.
    """
    if isinstance(signer, bytes):
        version, identifier = 3, der.encode(0x80, signer)
    else:
        version, identifier = 1, der.encode_sequence(signer[0], der.encode_integer(signer[1]))
    return der.encode_sequence(
        der.encode_integer(version),
        identifier,
        digest_algorithm.encode(),
        b"\xa0" + signed_attributes[1:],
        signature_algorithm.encode(),
        der.encode_octet_string(signature),
    )


def encode_signed_data(
    *,
    content_type: str,
    content: bytes,
    digest_algorithm: AlgorithmIdentifier,
    certificates: Iterable[bytes],
    signer_info: bytes,
) -> bytes:
    """ContentInfo with SignedData version 3 (a content type other than id-data) and one signer; sets in DER order."""
    algorithms = der.encode_set_of((digest_algorithm.encode(),))
    content_info = der.encode_sequence(
        der.encode_oid(content_type), der.encode_explicit(0, der.encode_octet_string(content))
    )
    certificate_set = der.encode_set_of(certificates, 0xA0)
    signed_data = der.encode_sequence(
        der.encode_integer(3),
        algorithms,
        content_info,
        certificate_set if len(certificate_set) > 2 else b"",
        der.encode_set_of((signer_info,)),
    )
    return der.encode_sequence(_SIGNED_DATA_TYPE, der.encode_explicit(0, signed_data))


# --- the usual signed attributes of EF.SOD --------------------------------------------------------------------------


def _usual_forms() -> dict[int, _UsualForm]:
    """By the length of the whole: contentType, perhaps signingTime, and messageDigest as this module writes them."""
    forms = {}
    time = datetime(2000, 1, 1, tzinfo=UTC)
    time_content = der.encode_time(time)[2:]
    for length in oid.HASH_LENGTHS.values():
        digest = b"\xff" * length
        for signing_time in (None, time):
            spelt = encode_signed_attributes(oid.LDS_SECURITY_OBJECT, digest, signing_time)
            if spelt[1] < 0x80:
                before, found, middle = spelt.removesuffix(digest).partition(time_content)
                forms[spelt[1]] = _UsualForm(b"\xa0" + before[1:], len(found), middle, length)
    return forms


_USUAL_ATTRIBUTES: Final = _usual_forms()
