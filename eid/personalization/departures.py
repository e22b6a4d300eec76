"""Files other than the specifications have them, as a profile's quirks say (`eid.profile.quirks`): EF.SOD, data groups.

What a signature covers only the signer can depart in: such an EF.SOD is insisted on, not made here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from eid.codec import der
from eid.codec.defect import Defect
from eid.codec.tlv import Tlv, decode_tlv, encode_tlv, encode_tlvs, read_header
from eid.errors import ProfileError
from eid.lds.details import NAMES_TEMPLATE
from eid.lds.dg2 import DG2, FaceInstance, decode_dg2
from eid.lds.facial_record import FacialRecord
from eid.lds.sod import SecurityObject, decode_ef_sod
from eid.profile.quirks import NO_QUIRKS, Quirks

UNKNOWN_ELEMENT: Final = 0x5F8501
_DATES: Final = frozenset((0x5F2B, 0x5F26))  # of birth, of issue
_NAME: Final = 0x5F0E
_OTHER_NAME: Final = 0x5F0F
_TELEPHONE: Final = 0x5F12


def depart_groups(groups: Mapping[str, bytes], quirks: Quirks) -> dict[str, bytes]:
    """The data groups by name, each as the chip has it."""
    if quirks == NO_QUIRKS:
        return dict(groups)
    return {name: _DEPARTURES[name](raw, quirks) if name in _DEPARTURES else raw for name, raw in groups.items()}


def depart_sod(sod: bytes, quirks: Quirks) -> bytes:
    """EF.SOD with all departures that no signature covers.

    Raises:
        ProfileError: it does not have those that its signature covers; such a signer does not serve this profile.
    """
    if quirks == NO_QUIRKS:
        return sod
    defects: list[Defect] = []
    decoded = decode_ef_sod(sod, defects)
    _require_signed(decoded, quirks)
    if quirks.sod_attributes == "unordered":
        sod = _rebuild_signer_info(sod, lambda fields: [*fields[:3], order_otherwise(fields[3]), *fields[4:]])
    if quirks.sod_foreign_signer:
        sod = _rebuild_signer_info(sod, lambda fields: [fields[0], _rename_signer(fields[1]), *fields[2:]])
    if not quirks.sod_certificate:
        sod = _rebuild_signed_data(sod, lambda fields: [item for item in fields if item[0] != 0xA0])
    return _with_indefinite_length(sod) if quirks.sod_indefinite_length else sod


def order_otherwise(attributes: bytes) -> bytes:
    """Signed attributes, DER under any tag, in the order that X.690 11.6 does not give them."""
    return _join(attributes[0], _split(attributes)[::-1])


def _require_signed(sod: SecurityObject, quirks: Quirks) -> None:
    attributes = sod.signed_data.signer_info.signed_attributes
    if sod.signed_data.content_type != quirks.sod_content_type:
        raise ProfileError("quirks.sod_content_type is not what the document signer signs")
    if attributes is None or (attributes.signing_time is not None) != quirks.sod_signing_time:
        raise ProfileError("quirks.sod_signing_time is not what the document signer signs")
    if (attributes.stored != attributes.canonical) != (quirks.sod_attributes == "signed-as-stored"):
        raise ProfileError("quirks.sod_attributes is not how the document signer signs")


def _with_indefinite_length(data_object: bytes) -> bytes:
    """A constructed data object of one tag octet, its length left open until two zero octets (X.690 8.1.3.6)."""
    _, start, _ = read_header(data_object)
    return data_object[:1] + b"\x80" + data_object[start:] + b"\x00\x00"


def _rename_signer(identifier: bytes) -> bytes:
    """IssuerAndSerialNumber with another serial number, or another subject key identifier, of the same length."""
    return identifier[:-1] + bytes((identifier[-1] ^ 1,))


def _rebuild_signer_info(sod: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    def rebuild(fields: list[bytes]) -> list[bytes]:
        (signer_info,) = _split(fields[-1])
        return [*fields[:-1], _join(der.SET, [_join(der.SEQUENCE, change(_split(signer_info)))])]

    return _rebuild_signed_data(sod, rebuild)


def _rebuild_signed_data(sod: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    """EF.SOD with the fields of SignedData changed; all lengths stay right."""
    (content_info,) = _split(sod)
    content_type, content = _split(content_info)
    (signed_data,) = _split(content)
    changed = _join(der.SEQUENCE, change(_split(signed_data)))
    return _join(sod[0], [_join(der.SEQUENCE, [content_type, _join(0xA0, [changed])])])


def _split(raw: bytes) -> list[bytes]:
    """The elements inside of one DER element."""
    _, _, start, stop = next(iter(der.split(raw, 0, len(raw), "EF.SOD")))
    return [raw[at:behind] for at, _, _, behind in der.split(raw, start, stop, "EF.SOD")]


def _join(tag: int, elements: list[bytes]) -> bytes:
    return der.encode(tag, b"".join(elements))


def _depart_dg2(raw: bytes, quirks: Quirks) -> bytes:
    if quirks.portraits > 1:
        raw = DG2(decode_dg2(raw).instances * quirks.portraits).encode()
    if quirks.portrait_feature_points:
        instances = decode_dg2(raw).instances
        raw = DG2(tuple(_mark_features(item, quirks.portrait_feature_points) for item in instances)).encode()
    return _shorten_facial_record(raw) if quirks.facial_record_short else raw


def _mark_features(instance: FaceInstance, count: int) -> FaceInstance:
    """The same face with so many feature points, all of them at the image's corner (ISO/IEC 19794-5)."""
    record = instance.record
    if not isinstance(record, FacialRecord):  # ISO/IEC 39794-5 has landmarks instead
        return instance
    points = b"".join(struct.pack(">BBHHH", 1, number, 0, 0, 0) for number in range(1, count + 1))
    images = tuple(replace(image, feature_points=points) for image in record.images)
    return replace(instance, record=replace(record, images=images))


def _shorten_facial_record(encoded: bytes) -> bytes:
    """The length of an ISO/IEC 19794-5 record without the eight octets that stand before it."""
    place = encoded.find(b"FAC\x00010\x00") + 8
    if place < 8:
        return encoded
    length = int.from_bytes(encoded[place : place + 4], "big") - 8
    return encoded[:place] + length.to_bytes(4, "big") + encoded[place + 4 :]


def _depart_details(raw: bytes, quirks: Quirks) -> bytes:
    """DG11 and DG12. The tag list stays as it is: issuers who depart here do not keep it, either."""
    template = decode_tlv(raw)
    objects = [_pack_date(item) if quirks.details_dates_in_bcd else item for item in template.children()]
    names = [item for item in objects if item.tag == _NAME]
    if quirks.details_bare_other_name and names:
        objects = [item for item in objects if item.tag != NAMES_TEMPLATE]
        objects.append(Tlv(_OTHER_NAME, names[0].value))
    if quirks.details_empty and names and all(item.tag != _TELEPHONE for item in objects):
        objects.append(Tlv(_TELEPHONE, b""))
    if quirks.details_in_latin_1:
        objects = [_rewrite_in_latin_1(item) for item in objects]
    if quirks.details_unknown:
        objects.append(Tlv(UNKNOWN_ELEMENT, b""))
    return encode_tlv(template.tag, encode_tlvs(objects))


def _rewrite_in_latin_1(item: Tlv) -> Tlv:
    """Text of these elements; what has letters of another script, and the template of names, stay as they are."""
    if item.tag == NAMES_TEMPLATE:
        return item
    try:
        return Tlv(item.tag, item.value.decode("utf-8").encode("latin-1"))
    except UnicodeError:
        return item


def _pack_date(item: Tlv) -> Tlv:
    return Tlv(item.tag, bytes.fromhex(item.value.decode("ascii"))) if item.tag in _DATES else item


def _depart_dg14(raw: bytes, quirks: Quirks) -> bytes:
    if not quirks.security_infos_unordered:
        return raw
    template = decode_tlv(raw)
    return encode_tlv(template.tag, order_otherwise(template.value))


_DEPARTURES: Final[Mapping[str, Callable[[bytes, Quirks], bytes]]] = {
    "DG2": _depart_dg2,
    "DG11": _depart_details,
    "DG12": _depart_details,
    "DG14": _depart_dg14,
}
