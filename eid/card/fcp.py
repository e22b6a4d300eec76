"""File control parameters, template 62 or 6F (ISO/IEC 7816-4 7.4.3), decoded for CREATE FILE and encoded for SELECT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eid.card.memory import MF_FID, Directory, TransparentFile
from eid.codec.tlv import Tlv, decode_tlv, decode_tlvs, encode_tlv, find_tlv, require_tlv
from eid.errors import DecodeError
from eid.profile.card_image import AccessCondition
from eid.protocols.access_rules import decode_access_rule, decode_condition, encode_access_rule

TAG_FCP: Final = 0x62
TAG_FCI: Final = 0x6F
DESCRIPTOR_DF: Final = b"\x38"
DESCRIPTOR_TRANSPARENT: Final = b"\x01"
CREATION: Final = b"\x01"
ACTIVATED: Final = b"\x05"
BAC_FLAG: Final = 0x01
_CLAUSE: Final = "ISO/IEC 7816-4 7.4.3"


@dataclass(frozen=True, slots=True)
class FileParameters:
    """What CREATE FILE says of an EF. size: octets. sfi: 1..30 or None."""

    fid: int
    size: int
    sfi: int | None
    read: AccessCondition
    update: AccessCondition

    def encode(self) -> bytes:
        """The FCP template for CREATE FILE."""
        return encode_tlv(
            TAG_FCP,
            encode_tlv(0x80, self.size.to_bytes(max(2, (self.size.bit_length() + 7) // 8), "big"))
            + encode_tlv(0x82, DESCRIPTOR_TRANSPARENT)
            + encode_tlv(0x83, self.fid.to_bytes(2, "big"))
            + encode_tlv(0x88, b"" if self.sfi is None else bytes((self.sfi << 3,)))
            + encode_tlv(0x8A, CREATION)
            + encode_tlv(0x8C, encode_access_rule(self.read, self.update)),
        )


@dataclass(frozen=True, slots=True)
class DirectoryParameters:
    """What CREATE FILE says of a DF."""

    aid: bytes
    fid: int | None
    basic_access_control: bool

    def encode(self) -> bytes:
        """The FCP template for CREATE FILE."""
        fid = b"" if self.fid is None else encode_tlv(0x83, self.fid.to_bytes(2, "big"))
        flags = bytes((BAC_FLAG if self.basic_access_control else 0,))
        return encode_tlv(
            TAG_FCP,
            encode_tlv(0x82, DESCRIPTOR_DF)
            + fid
            + encode_tlv(0x84, self.aid)
            + encode_tlv(0x8A, CREATION)
            + encode_tlv(0xA5, encode_tlv(0x80, flags)),
        )


def decode_fcp(raw: bytes) -> FileParameters | DirectoryParameters:
    """Read the data field of CREATE FILE.

    Raises:
        DecodeError: malformed, or a parameter that this card does not know.
    """
    objects = decode_tlv(raw, TAG_FCP).children()
    descriptor = require_tlv(objects, 0x82).value
    status = find_tlv(objects, 0x8A)
    if status is not None and status.value != CREATION:
        raise DecodeError("a file is created in creation state", clause=_CLAUSE)
    if descriptor[:1] == DESCRIPTOR_DF:
        _refuse_unknown(objects, {0x82, 0x83, 0x84, 0x8A, 0xA5})
        return _decode_directory(objects)
    if descriptor[:1] == DESCRIPTOR_TRANSPARENT:
        _refuse_unknown(objects, {0x80, 0x81, 0x82, 0x83, 0x88, 0x8A, 0x8C, 0xAB})
        return _decode_file(objects)
    raise DecodeError("file descriptor is neither a DF nor a transparent EF", clause=_CLAUSE)


def _decode_directory(objects: tuple[Tlv, ...]) -> DirectoryParameters:
    aid = require_tlv(objects, 0x84).value
    if not 5 <= len(aid) <= 16:
        raise DecodeError(f"AID of {len(aid)} octets is not 5 to 16 long", clause="ISO/IEC 7816-4 12.2.3")
    fid = find_tlv(objects, 0x83)
    return DirectoryParameters(aid, None if fid is None else _decode_fid(fid.value), _decode_flags(objects))


def _decode_flags(objects: tuple[Tlv, ...]) -> bool:
    proprietary = find_tlv(objects, 0xA5)
    if proprietary is None:
        return False
    flags = decode_tlv(proprietary.value, 0x80).value
    if flags not in (b"\x00", bytes((BAC_FLAG,))):
        raise DecodeError("unknown application flags", clause=_CLAUSE)
    return bool(flags[0])


def _decode_file(objects: tuple[Tlv, ...]) -> FileParameters:
    size = find_tlv(objects, 0x80) or require_tlv(objects, 0x81)
    if not 1 <= len(size.value) <= 4:
        raise DecodeError("file size has 1 to 4 octets", clause=_CLAUSE)
    read, update = _decode_rules(objects)
    return FileParameters(
        fid=_decode_fid(require_tlv(objects, 0x83).value),
        size=int.from_bytes(size.value, "big"),
        sfi=_decode_sfi(find_tlv(objects, 0x88)),
        read=read,
        update=update,
    )


def _decode_fid(value: bytes) -> int:
    fid = int.from_bytes(value, "big")
    if len(value) != 2 or fid in (MF_FID, 0x3FFF, 0xFFFF, 0x0000):  # ISO/IEC 7816-4 7.3.1.2
        raise DecodeError("not a file identifier that a file can have", clause=_CLAUSE)
    return fid


def _decode_sfi(item: Tlv | None) -> int | None:
    if item is None or item.value in (b"", b"\x00"):
        return None
    if len(item.value) != 1 or item.value[0] & 0x07 or not 1 <= item.value[0] >> 3 <= 30:
        raise DecodeError("not a short EF identifier", clause=_CLAUSE)
    return item.value[0] >> 3


def _decode_rules(objects: tuple[Tlv, ...]) -> tuple[AccessCondition, AccessCondition]:
    compact, expanded = find_tlv(objects, 0x8C), find_tlv(objects, 0xAB)
    if compact is not None and expanded is not None:
        raise DecodeError("two access rules", clause=_CLAUSE)
    if compact is not None:
        return decode_access_rule(compact.value)
    if expanded is not None:
        return _decode_expanded(expanded.value)
    return AccessCondition.BAC_OR_PACE, AccessCondition.NEVER


def _decode_expanded(value: bytes) -> tuple[AccessCondition, AccessCondition]:
    """7.4.3.3.3: pairs of an access mode (80) and a condition (90, 97, 9E)."""
    items = decode_tlvs(value)
    if len(items) != 4 or items[0].tag != 0x80 or items[2].tag != 0x80:
        raise DecodeError("the access rule must be two modes with one condition each", clause=_CLAUSE)
    rules = {items[0].value: _expanded_condition(items[1]), items[2].value: _expanded_condition(items[3])}
    if set(rules) != {b"\x01", b"\x02"}:
        raise DecodeError("the access rule must say read and update", clause=_CLAUSE)
    return rules[b"\x01"], rules[b"\x02"]


def _expanded_condition(item: Tlv) -> AccessCondition:
    match item.tag, item.value:
        case 0x90, b"":
            return AccessCondition.ALWAYS
        case 0x97, b"":
            return AccessCondition.NEVER
        case 0x9E, value if len(value) == 1:
            return decode_condition(value[0])
    raise DecodeError("unknown security condition", clause=_CLAUSE)


def _refuse_unknown(objects: tuple[Tlv, ...], known: set[int]) -> None:
    for item in objects:
        if item.tag not in known:
            raise DecodeError(f"parameter {item.tag:X} is unknown", clause=_CLAUSE)


def encode_file_control(tag: int, entry: TransparentFile | Directory, *, activated: bool) -> bytes:
    """The answer to SELECT: FCP (62) or FCI (6F) of an EF or a DF."""
    status = encode_tlv(0x8A, ACTIVATED if activated else CREATION)
    if isinstance(entry, Directory):
        fid = b"" if entry.fid is None else encode_tlv(0x83, entry.fid.to_bytes(2, "big"))
        aid = encode_tlv(0x84, entry.aid) if entry.aid else b""
        return encode_tlv(tag, encode_tlv(0x82, DESCRIPTOR_DF) + fid + aid + status)
    size = len(entry.content)
    return encode_tlv(
        tag,
        encode_tlv(0x80, size.to_bytes(max(2, (size.bit_length() + 7) // 8), "big"))
        + encode_tlv(0x82, DESCRIPTOR_TRANSPARENT)
        + encode_tlv(0x83, entry.fid.to_bytes(2, "big"))
        + encode_tlv(0x88, b"" if entry.sfi is None else bytes((entry.sfi << 3,)))
        + status
        + encode_tlv(0x8C, encode_access_rule(entry.read, entry.update)),
    )
