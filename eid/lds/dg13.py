"""DG13: optional details, whose content the issuer defines (Doc 9303-10 4.7.13); ours is `docs/formats/dg13.md`.

Another state's DG13 is opaque and is refused here with a DecodeError.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import Tlv, decode_tlv, encode_tlv, find_tlv, require_tlv
from eid.errors import DecodeError

FORMAT: Final = "docs/formats/dg13.md"
TAG: Final = 0x6D
VERSION: Final = 0x80
FATHER: Final = 0xA1
MOTHER: Final = 0xA2
CIVIL_STATUS_NUMBER: Final = 0x83
STATUS_LIST: Final = 0xA4
PARTNER: Final = 0xA5
DETAILS: Final = 0xA6
DETAIL: Final = 0xA0
DETAIL_CODE: Final = 0x80
DETAIL_TEXT: Final = 0x81
NATIVE: Final = 0x80
LATIN: Final = 0x81
STATUS_LIST_URI: Final = 0x80
STATUS_LIST_INDEX: Final = 0x81
FORMAT_VERSION: Final = 1
MAX_TEXT: Final = 512
MAX_INDEX_OCTETS: Final = 8


@dataclass(frozen=True, slots=True)
class PersonName:
    """A person's name in the country's own script, "" where it has none but Latin, and in Latin script."""

    native: str = field(repr=False)
    latin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StatusListReference:
    """Where the document's status is published: URI of the list, index in it."""

    uri: str
    index: int


@dataclass(frozen=True, slots=True)
class DG13:
    """DG13: parents, partner, civil status number, place in a status list; each is optional.

    Args:
        details: the issuing country's own values, code and text of each.
    """

    father: PersonName | None = None
    mother: PersonName | None = None
    partner: PersonName | None = None
    civil_status_number: str | None = field(default=None, repr=False)
    status_list: StatusListReference | None = None
    details: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    raw: bytes = field(default=b"", repr=False, compare=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        content = encode_tlv(VERSION, bytes((FORMAT_VERSION,)))
        content += _encode_person(FATHER, self.father) + _encode_person(MOTHER, self.mother)
        if self.civil_status_number is not None:
            content += encode_tlv(CIVIL_STATUS_NUMBER, self.civil_status_number.encode("utf-8"))
        if self.status_list is not None:
            content += _encode_status_list(self.status_list)
        content += _encode_person(PARTNER, self.partner)
        return encode_tlv(TAG, content + _encode_details(self.details))


def decode_dg13(raw: bytes) -> DG13:
    """Decode DG13 of our format; data objects of a later version of it are passed over.

    Raises:
        DecodeError: another state's content, or a malformed element.
    """
    objects = decode_tlv(raw, TAG).children()
    if require_tlv(objects, VERSION).value != bytes((FORMAT_VERSION,)):
        raise DecodeError("DG13 of an unknown format", clause=FORMAT)
    number = find_tlv(objects, CIVIL_STATUS_NUMBER)
    return DG13(
        father=_decode_person(objects, FATHER),
        mother=_decode_person(objects, MOTHER),
        partner=_decode_person(objects, PARTNER),
        civil_status_number=None if number is None else _decode_text(number),
        status_list=_decode_status_list(objects),
        details=_decode_details(objects),
        raw=raw,
    )


def _decode_text(item: Tlv) -> str:
    try:
        text = item.value.decode("utf-8")
    except UnicodeDecodeError:
        raise DecodeError(f"data object {item.tag:X} of DG13 is not UTF-8", clause=FORMAT) from None
    if len(item.value) > MAX_TEXT:
        raise DecodeError(f"data object {item.tag:X} of DG13 is over {MAX_TEXT} octets", clause=FORMAT)
    return text


def _decode_person(objects: tuple[Tlv, ...], tag: int) -> PersonName | None:
    item = find_tlv(objects, tag)
    if item is None:
        return None
    names = item.children()
    native = find_tlv(names, NATIVE)
    return PersonName("" if native is None else _decode_text(native), _decode_text(require_tlv(names, LATIN)))


def _encode_person(tag: int, person: PersonName | None) -> bytes:
    if person is None:
        return b""
    native = encode_tlv(NATIVE, person.native.encode("utf-8")) if person.native else b""
    return encode_tlv(tag, native + encode_tlv(LATIN, person.latin.encode("utf-8")))


def _decode_details(objects: tuple[Tlv, ...]) -> tuple[tuple[str, str], ...]:
    item = find_tlv(objects, DETAILS)
    if item is None:
        return ()
    found = []
    for part in item.children():
        if part.tag != DETAIL:
            raise DecodeError("details of DG13 are malformed", clause=FORMAT)
        pair = part.children()
        found.append((_decode_text(require_tlv(pair, DETAIL_CODE)), _decode_text(require_tlv(pair, DETAIL_TEXT))))
    return tuple(found)


def _encode_details(details: tuple[tuple[str, str], ...]) -> bytes:
    if not details:
        return b""
    texts = ((code.encode("ascii"), text.encode("utf-8")) for code, text in details)
    pairs = (encode_tlv(DETAIL_CODE, code) + encode_tlv(DETAIL_TEXT, text) for code, text in texts)
    return encode_tlv(DETAILS, b"".join(encode_tlv(DETAIL, pair) for pair in pairs))


def _decode_status_list(objects: tuple[Tlv, ...]) -> StatusListReference | None:
    item = find_tlv(objects, STATUS_LIST)
    if item is None:
        return None
    parts = item.children()
    uri = _decode_text(require_tlv(parts, STATUS_LIST_URI))
    index = require_tlv(parts, STATUS_LIST_INDEX).value
    if not uri.isascii() or not uri.isprintable() or " " in uri:
        raise DecodeError("status list URI of DG13 is malformed", clause=FORMAT)
    if not 1 <= len(index) <= MAX_INDEX_OCTETS or (len(index) > 1 and index[0] == 0):
        raise DecodeError("status list index of DG13 is malformed", clause=FORMAT)
    return StatusListReference(uri, int.from_bytes(index, "big"))


def _encode_status_list(reference: StatusListReference) -> bytes:
    size = max(1, (reference.index.bit_length() + 7) // 8)
    return encode_tlv(
        STATUS_LIST,
        encode_tlv(STATUS_LIST_URI, reference.uri.encode("ascii"))
        + encode_tlv(STATUS_LIST_INDEX, reference.index.to_bytes(size, "big")),
    )
