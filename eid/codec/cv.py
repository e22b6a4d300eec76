"""Card-verifiable certificates and requests (TR-03110-3 C and D): their syntax; nothing is verified here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from typing import Final, TypeAlias

from eid.codec import cv_tags as tags
from eid.codec.bcd import decode_unpacked_bcd
from eid.codec.oid import decode_oid_content
from eid.codec.spki import EcParameters
from eid.codec.tlv import Tlv, decode_tlv, decode_tlvs, encode_tlv, encode_tlvs, read_header
from eid.errors import DecodeError

MAX_CERTIFICATE: Final = 1 << 14  # octets
MAX_REFERENCE: Final = 16  # octets, TR-03110-3 D.2.1.2
_CLAUSE: Final = "TR-03110-3 C.1"


class Role(IntEnum):
    """Certificate holder's role: the two high bits of the authorization (TR-03110-3 C.1.5)."""

    TERMINAL = 0
    FOREIGN_DV = 1
    DOMESTIC_DV = 2
    CVCA = 3


@dataclass(frozen=True, slots=True)
class CvEcPublicKey:
    """EC key (D.3.3): object identifier of the algorithm, public point; domain parameters in CVCA certificates only."""

    oid: str
    public_point: bytes
    parameters: EcParameters | None = None


@dataclass(frozen=True, slots=True)
class CvRsaPublicKey:
    """RSA key (D.3.1)."""

    oid: str
    modulus: int
    public_exponent: int


CvPublicKey: TypeAlias = CvEcPublicKey | CvRsaPublicKey


@dataclass(frozen=True, slots=True)
class Chat:
    """Certificate holder authorization template (C.1.5): terminal type (dotted), relative authorization."""

    oid: str
    authorization: bytes

    @property
    def role(self) -> Role:
        """The holder's role."""
        return Role(self.authorization[0] >> 6)


@dataclass(frozen=True, slots=True)
class CvExtension:
    """Discretionary data template (C.3): object identifier (dotted), and the data objects that follow it."""

    oid: str
    content: bytes


@dataclass(frozen=True, slots=True)
class CvCertificate:
    """A CV certificate as it stands.

    Args:
        raw: the whole (7F21). body_raw: the body (7F4E) with its header: what is signed.
        authority_reference, holder_reference: CAR and CHR, ISO 8859-1. signature: plain r | s, or an RSA signature.
        effective_date, expiration_date: inclusive, UTC.
    """

    raw: bytes = field(repr=False)
    body_raw: bytes = field(repr=False)
    authority_reference: str
    public_key: CvPublicKey
    holder_reference: str
    chat: Chat
    effective_date: date
    expiration_date: date
    extensions: tuple[CvExtension, ...]
    signature: bytes = field(repr=False)

    @property
    def is_self_signed(self) -> bool:
        """Whether it names itself as its issuer."""
        return self.authority_reference == self.holder_reference


@dataclass(frozen=True, slots=True)
class CvRequest:
    """A certificate request (C.2), signed by its own key; authority_reference where the sender proposes one."""

    raw: bytes = field(repr=False)
    body_raw: bytes = field(repr=False)
    authority_reference: str | None
    public_key: CvPublicKey
    holder_reference: str
    extensions: tuple[CvExtension, ...]
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CvAuthenticatedRequest:
    """A request signed once more (C.2.2), by the key that `authority_reference` names; `signed_raw` is signed."""

    raw: bytes = field(repr=False)
    signed_raw: bytes = field(repr=False)
    request: CvRequest
    authority_reference: str
    signature: bytes = field(repr=False)


class _Objects:
    """Data objects of a template, taken in the order that the specification fixes."""

    def __init__(self, content: bytes, what: str) -> None:
        self._objects = list(decode_tlvs(content))
        self._what = what
        if encode_tlvs(self._objects) != content:
            raise DecodeError(f"{what}: length field is not minimal", clause="TR-03110-3 D.2")

    def find(self, tag: int) -> bytes | None:
        """Value of the next data object if it has this tag."""
        if self._objects and self._objects[0].tag == tag:
            return self._objects.pop(0).value
        return None

    def take(self, tag: int) -> bytes:
        """Value of the next data object, which must have this tag."""
        value = self.find(tag)
        if value is None:
            raise DecodeError(f"{self._what}: data object {tag:X} is missing or out of place", clause=_CLAUSE)
        return value

    def take_with_header(self, tag: int) -> bytes:
        """The next data object with its header."""
        return encode_tlv(tag, self.take(tag))

    def close(self) -> None:
        """Insist that nothing is left."""
        if self._objects:
            raise DecodeError(f"{self._what}: data object {self._objects[0].tag:X} is out of place", clause=_CLAUSE)


def decode_cv_certificate(raw: bytes) -> CvCertificate:
    """Decode a CV certificate that fills the input.

    Raises:
        DecodeError: malformed, or a data object missing, doubled or out of order.
    """
    outer, body = _open(raw, "CV certificate")
    _check_profile(body)
    authority_reference = decode_reference(body.take(tags.AUTHORITY_REFERENCE))
    public_key = decode_cv_public_key(body.take(tags.PUBLIC_KEY))
    holder_reference = decode_reference(body.take(tags.HOLDER_REFERENCE))
    chat = decode_chat(body.take_with_header(tags.CHAT))
    effective_date = decode_cv_date(body.take(tags.EFFECTIVE_DATE))
    expiration_date = decode_cv_date(body.take(tags.EXPIRATION_DATE))
    extensions = _decode_extensions(body.find(tags.EXTENSIONS))
    body.close()
    body_raw, signature = outer
    return CvCertificate(
        raw,
        body_raw,
        authority_reference,
        public_key,
        holder_reference,
        chat,
        effective_date,
        expiration_date,
        extensions,
        signature,
    )


def decode_cv_request(raw: bytes) -> CvRequest:
    """Decode a certificate request (7F21) that fills the input.

    Raises:
        DecodeError: malformed, or a data object missing, doubled or out of order (TR-03110-3 C.2.1).
    """
    outer, body = _open(raw, "CV certificate request")
    _check_profile(body)
    reference = body.find(tags.AUTHORITY_REFERENCE)
    public_key = decode_cv_public_key(body.take(tags.PUBLIC_KEY))
    holder_reference = decode_reference(body.take(tags.HOLDER_REFERENCE))
    extensions = _decode_extensions(body.find(tags.EXTENSIONS))
    body.close()
    authority_reference = None if reference is None else decode_reference(reference)
    return CvRequest(raw, outer[0], authority_reference, public_key, holder_reference, extensions, outer[1])


def decode_cv_authenticated_request(raw: bytes) -> CvAuthenticatedRequest:
    """Decode an authenticated request (67) that fills the input.

    Raises:
        DecodeError: malformed, or a data object missing, doubled or out of order (TR-03110-3 C.2.2).
    """
    what = "authenticated CV certificate request"
    objects = _Objects(_decode_outer(raw, tags.AUTHENTICATION, what), what)
    request_raw = objects.take_with_header(tags.CV_CERTIFICATE)
    reference_raw = objects.take(tags.AUTHORITY_REFERENCE)
    signature = objects.take(tags.SIGNATURE)
    objects.close()
    signed_raw = request_raw + encode_tlv(tags.AUTHORITY_REFERENCE, reference_raw)
    request = decode_cv_request(request_raw)
    return CvAuthenticatedRequest(raw, signed_raw, request, decode_reference(reference_raw), signature)


def _decode_outer(raw: bytes, tag: int, what: str) -> bytes:
    if len(raw) > MAX_CERTIFICATE:
        raise DecodeError(f"{what} is over {MAX_CERTIFICATE} octets", offset=0)
    outer = decode_tlv(raw, tag)
    if outer.encode() != raw:
        raise DecodeError(f"{what}: length field is not minimal", offset=0, clause="TR-03110-3 D.2")
    return outer.value


def _open(raw: bytes, what: str) -> tuple[tuple[bytes, bytes], _Objects]:
    """Body with its header and signature, and the body's data objects."""
    objects = _Objects(_decode_outer(raw, tags.CV_CERTIFICATE, what), what)
    body_raw = objects.take_with_header(tags.BODY)
    signature = objects.take(tags.SIGNATURE)
    objects.close()
    return (body_raw, signature), _Objects(body_raw[read_header(body_raw)[1] :], f"{what} body")


def _check_profile(body: _Objects) -> None:
    if body.take(tags.PROFILE) != b"\x00":
        raise DecodeError("certificate profile identifier is not version 1", clause="TR-03110-3 C.1.1")


def decode_reference(value: bytes) -> str:
    """CAR or CHR: country code, mnemonic of at most nine characters, five characters of sequence number.

    Raises:
        DecodeError: anything else.
    """
    if not 7 <= len(value) <= MAX_REFERENCE or not (value[:2].isalpha() and value[:2].isupper()):
        raise DecodeError("CV certificate reference is malformed", clause="TR-03110-3 D.2.1.2")
    if not value[-5:].isalnum():
        raise DecodeError("CV certificate reference has a malformed sequence number", clause="TR-03110-3 D.2.1.2")
    return value.decode("latin-1")


def decode_cv_date(value: bytes) -> date:
    """Date of six unpacked BCD digits YYMMDD, in 2000..2099.

    Raises:
        DecodeError: not six digits, or no such date.
    """
    digits = decode_unpacked_bcd(value)
    try:
        if len(digits) == 6:
            return date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:]))
    except ValueError:  # no such date
        pass
    raise DecodeError("CV certificate date is malformed", clause="TR-03110-3 D.2.1.3")


def decode_chat(raw: bytes) -> Chat:
    """Decode a CHAT with its tag 7F4C.

    Raises:
        DecodeError: malformed or without authorization.
    """
    objects = _Objects(_decode_outer(raw, tags.CHAT, "CHAT"), "CHAT")
    terminal_type = decode_oid_content(objects.take(tags.OID))
    authorization = objects.take(tags.DISCRETIONARY_DATA)
    objects.close()
    if not authorization:
        raise DecodeError("CHAT: authorization is empty", clause="TR-03110-3 C.1.5")
    return Chat(terminal_type, authorization)


def decode_cv_public_key(content: bytes) -> CvPublicKey:
    """Decode the content of a public key data object (7F49).

    Raises:
        DecodeError: malformed, domain parameters incomplete, or neither RSA nor EC (TR-03110-3 D.3).
    """
    objects = _Objects(content, "CV public key")
    algorithm = decode_oid_content(objects.take(tags.OID))
    first, second = objects.find(0x81), objects.find(0x82)
    third = objects.find(0x83)
    if first is not None and second is not None and third is None:
        objects.close()
        return CvRsaPublicKey(algorithm, _unsigned(first), _unsigned(second))
    parameters = None
    if first is not None and second is not None and third is not None:
        generator, order = objects.take(0x84), objects.take(0x85)
        public_point, cofactor = objects.take(0x86), objects.take(0x87)
        p, a, b = _unsigned(first), _unsigned(second), _unsigned(third)
        parameters = EcParameters(p, a, b, generator, _unsigned(order), _unsigned(cofactor))
    elif first is None and second is None and third is None:
        public_point = objects.take(0x86)
    else:
        raise DecodeError("CV public key: domain parameters are incomplete", clause="TR-03110-3 D.3.3")
    objects.close()
    return CvEcPublicKey(algorithm, public_point, parameters)


def _unsigned(value: bytes) -> int:
    if not value:
        raise DecodeError("CV public key: empty number", clause="TR-03110-3 D.2.1.1")
    return int.from_bytes(value, "big")


def _decode_extensions(content: bytes | None) -> tuple[CvExtension, ...]:
    if content is None:
        return ()
    extensions = []
    for item in decode_tlvs(content):
        if item.tag != tags.DISCRETIONARY_TEMPLATE:
            raise DecodeError("certificate extension is no discretionary data template", clause="TR-03110-3 C.3")
        first, *others = decode_tlvs(item.value) or (Tlv(0, b""),)
        if first.tag != tags.OID:
            raise DecodeError("certificate extension without object identifier", clause="TR-03110-3 C.3")
        extensions.append(CvExtension(decode_oid_content(first.value), encode_tlvs(others)))
    return tuple(extensions)
