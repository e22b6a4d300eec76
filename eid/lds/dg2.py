"""DG2: the encoded face (Doc 9303-10 4.7.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import decode_tlv, encode_tlv
from eid.lds.cbeff import (
    DATA_BLOCK,
    DATA_BLOCK_CONSTRUCTED,
    TYPE_ISO_39794_5,
    BiometricHeader,
    BiometricTemplate,
    decode_biometric_group,
    encode_biometric_group,
)
from eid.lds.extensible import is_extensible
from eid.lds.face_image_data import (
    JPEG,
    JPEG2000_LOSSY,
    FaceImageDataBlock,
    build_face_image_data,
    decode_face_image_data,
)
from eid.lds.facial_record import FacialImage, FacialRecord, ImageDataType, decode_facial_record, image_data_type

TAG: Final = 0x75


@dataclass(frozen=True, slots=True)
class FaceInstance:
    """One biometric information template: its header and its facial record, of ISO/IEC 19794-5 or 39794-5."""

    record: FacialRecord | FaceImageDataBlock
    header: BiometricHeader = field(default=BiometricHeader())


@dataclass(frozen=True, slots=True)
class DG2:
    """DG2: one or several facial records."""

    instances: tuple[FaceInstance, ...]
    raw: bytes = field(default=b"", repr=False, compare=False)

    @property
    def images(self) -> tuple[FacialImage, ...]:
        """All images of all records, in order."""
        return tuple(image for instance in self.instances for image in instance.record.images)

    @property
    def defects(self) -> tuple[str, ...]:
        """What the issuer got wrong without making the file unreadable."""
        return tuple(defect for instance in self.instances for defect in instance.record.defects)

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode_tlv(TAG, encode_biometric_group(tuple(map(_build_template, self.instances))))


def build_dg2(portrait: bytes, width: int, height: int, created: bytes | None = None) -> DG2:
    """DG2 around one portrait, full frontal, 24 bit colour.

    Args:
        portrait: JPEG or JPEG 2000. width, height: pixels. created: YYYYMMDDhhmmss, packed BCD, 7 octets.

    Raises:
        ValueError: the portrait is neither JPEG nor JPEG 2000; the caller's mistake.
    """
    data_type = image_data_type(portrait)
    if data_type is None:
        raise ValueError("a portrait must be JPEG or JPEG 2000")
    image = FacialImage(portrait, data_type, width, height)
    return DG2((FaceInstance(FacialRecord((image,)), BiometricHeader(created=created)),))


def build_extensible_dg2(portrait: bytes, width: int, height: int, created: bytes | None = None) -> DG2:
    """DG2 around one portrait in the format of ISO/IEC 39794-5; arguments and errors are those of `build_dg2`."""
    data_type = image_data_type(portrait)
    if data_type is None:
        raise ValueError("a portrait must be JPEG or JPEG 2000")
    data_format = JPEG if data_type is ImageDataType.JPEG else JPEG2000_LOSSY
    record = build_face_image_data(portrait, data_format, width, height)
    return DG2((FaceInstance(record, BiometricHeader(created=created, format_type=TYPE_ISO_39794_5)),))


def decode_dg2(raw: bytes) -> DG2:
    """Decode DG2.

    Raises:
        DecodeError: the CBEFF structure or a facial record is broken.
    """
    templates = decode_biometric_group(decode_tlv(raw, TAG).value)
    return DG2(tuple(FaceInstance(_decode_record(item.data), item.header) for item in templates), raw)


def _decode_record(data: bytes) -> FacialRecord | FaceImageDataBlock:
    return decode_face_image_data(data) if is_extensible(data) else decode_facial_record(data)


def _build_template(instance: FaceInstance) -> BiometricTemplate:
    tag = DATA_BLOCK_CONSTRUCTED if isinstance(instance.record, FaceImageDataBlock) else DATA_BLOCK
    return BiometricTemplate(instance.header, instance.record.encode(), tag)
