"""DG3: the encoded fingers (Doc 9303-10 4.7.3)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from eid.lds.cbeff import DATA_BLOCK, DATA_BLOCK_CONSTRUCTED, TYPE_ISO_39794_4, BiometricHeader, BiometricTemplate
from eid.lds.extensible import is_extensible
from eid.lds.finger_image_data import FingerImageDataBlock, decode_finger_image_data
from eid.lds.finger_record import FingerImage, FingerPosition, FingerRecord, decode_finger_record
from eid.lds.optional_group import RANDOM_OCTETS, OptionalGroup, decode_optional_group, encode_optional_group

TAG: Final = 0x63
FINGER: Final = b"\x08"
TYPE_ISO_19794_4: Final = bytes.fromhex("0007")
# Biometric subtype (ISO/IEC 7816-11 table C.2): 01 right, 10 left in bits 2 and 1; the finger, 1 to 5, in bits 5 to 3
SUBTYPES: Final[dict[int, int]] = {
    int(position): ((position - 1) % 5 + 1) << 2 | (1 if position <= FingerPosition.RIGHT_LITTLE else 2)
    for position in FingerPosition
    if position is not FingerPosition.UNKNOWN
}


@dataclass(frozen=True, slots=True)
class FingerInstance:
    """One biometric information template: its header and its finger record, of ISO/IEC 19794-4 or 39794-4."""

    record: FingerRecord | FingerImageDataBlock
    header: BiometricHeader


@dataclass(frozen=True, slots=True)
class DG3:
    """DG3: finger records, none where the issuer wrote the file without biometrics, and then content of its own."""

    instances: tuple[FingerInstance, ...] = ()
    discretionary: bytes | None = field(default=None, repr=False)
    raw: bytes = field(default=b"", repr=False, compare=False)

    @property
    def images(self) -> tuple[FingerImage, ...]:
        """All images of all records, in order."""
        return tuple(image for instance in self.instances for image in instance.record.images)

    @property
    def defects(self) -> tuple[str, ...]:
        """What the issuer got wrong without making the file unreadable."""
        return tuple(defect for instance in self.instances for defect in instance.record.defects)

    def encode(self) -> bytes:
        """The file's bytes."""
        templates = tuple(map(_build_template, self.instances))
        return encode_optional_group(OptionalGroup(templates, self.discretionary), TAG)


def build_dg3(records: Iterable[FingerRecord | FingerImageDataBlock], created: bytes | None = None) -> DG3:
    """DG3 of finger records, a template for each, as Doc 9303-10 4.7.3 wants one finger in each.

    Args:
        records: each of one finger. created: YYYYMMDDhhmmss, packed BCD, 7 octets.

    Raises:
        ValueError: no record, or a record of no finger or of several; the caller's mistake.
    """
    instances = tuple(FingerInstance(record, _build_header(record, created)) for record in records)
    if not instances:
        raise ValueError("a DG3 without fingers is built with `build_empty_dg3`")
    return DG3(instances)


def build_empty_dg3(random: Callable[[int], bytes] = os.urandom) -> DG3:
    """DG3 without a finger; a random number keeps its hash from telling so."""
    return DG3(discretionary=random(RANDOM_OCTETS))


def decode_dg3(raw: bytes) -> DG3:
    """Decode DG3.

    Raises:
        DecodeError: the CBEFF structure or a finger record is broken.
    """
    group = decode_optional_group(raw, TAG)
    instances = tuple(FingerInstance(_decode_record(item.data), item.header) for item in group.templates)
    return DG3(instances, group.discretionary, raw)


def _decode_record(data: bytes) -> FingerRecord | FingerImageDataBlock:
    return decode_finger_image_data(data) if is_extensible(data) else decode_finger_record(data)


def _build_template(instance: FingerInstance) -> BiometricTemplate:
    tag = DATA_BLOCK_CONSTRUCTED if isinstance(instance.record, FingerImageDataBlock) else DATA_BLOCK
    return BiometricTemplate(instance.header, instance.record.encode(), tag)


def _build_header(record: FingerRecord | FingerImageDataBlock, created: bytes | None) -> BiometricHeader:
    positions = {image.position for image in record.images}
    if len(positions) != 1:
        raise ValueError("a finger record of DG3 holds one finger")
    subtype = SUBTYPES.get(positions.pop(), 0)
    format_type = TYPE_ISO_39794_4 if isinstance(record, FingerImageDataBlock) else TYPE_ISO_19794_4
    return BiometricHeader(biometric_type=FINGER, subtype=bytes((subtype,)), created=created, format_type=format_type)
