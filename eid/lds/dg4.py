"""DG4: the encoded irises (Doc 9303-10 4.7.4)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from eid.lds.cbeff import DATA_BLOCK, BiometricHeader, BiometricTemplate
from eid.lds.iris_record import IrisImage, IrisRecord, decode_iris_record
from eid.lds.optional_group import RANDOM_OCTETS, OptionalGroup, decode_optional_group, encode_optional_group

TAG: Final = 0x76
IRIS: Final = b"\x10"
TYPE_ISO_19794_6: Final = bytes.fromhex("0009")


@dataclass(frozen=True, slots=True)
class IrisInstance:
    """One biometric information template: its header, and its iris record of ISO/IEC 19794-6.

    A record of another format (88 in the header) is kept as it stands, octets, with the tag of its data block.
    """

    record: IrisRecord | bytes = field(repr=False)
    header: BiometricHeader = field(default=BiometricHeader(biometric_type=IRIS, format_type=TYPE_ISO_19794_6))
    data_tag: int = DATA_BLOCK


@dataclass(frozen=True, slots=True)
class DG4:
    """DG4: iris records, none where the issuer wrote the file without biometrics, and then content of its own."""

    instances: tuple[IrisInstance, ...] = ()
    discretionary: bytes | None = field(default=None, repr=False)
    raw: bytes = field(default=b"", repr=False, compare=False)

    @property
    def images(self) -> tuple[IrisImage, ...]:
        """All images of all records of ISO/IEC 19794-6, in order."""
        return tuple(image for record in self._records() for image in record.images)

    @property
    def defects(self) -> tuple[str, ...]:
        """What the issuer got wrong without making the file unreadable."""
        return tuple(defect for record in self._records() for defect in record.defects)

    def encode(self) -> bytes:
        """The file's bytes."""
        templates = tuple(map(_build_template, self.instances))
        return encode_optional_group(OptionalGroup(templates, self.discretionary), TAG)

    def _records(self) -> tuple[IrisRecord, ...]:
        return tuple(item.record for item in self.instances if isinstance(item.record, IrisRecord))


def build_dg4(records: Iterable[IrisRecord], created: bytes | None = None) -> DG4:
    """DG4 of iris records, a template for each, with one iris in each as Doc 9303-10 4.7.4 wants it.

    Args:
        records: each of one eye. created: YYYYMMDDhhmmss, packed BCD, 7 octets.

    Raises:
        ValueError: no record, or a record of no eye or of both; the caller's mistake.
    """
    instances = tuple(IrisInstance(record, _build_header(record, created)) for record in records)
    if not instances:
        raise ValueError("a DG4 without irises is built with `build_empty_dg4`")
    return DG4(instances)


def build_empty_dg4(random: Callable[[int], bytes] = os.urandom) -> DG4:
    """DG4 without an iris; a random number keeps its hash from telling so."""
    return DG4(discretionary=random(RANDOM_OCTETS))


def decode_dg4(raw: bytes) -> DG4:
    """Decode DG4.

    Raises:
        DecodeError: the CBEFF structure or an iris record is broken.
    """
    group = decode_optional_group(raw, TAG)
    return DG4(tuple(map(_decode_instance, group.templates)), group.discretionary, raw)


def _decode_instance(template: BiometricTemplate) -> IrisInstance:
    is_known = template.data_tag == DATA_BLOCK and template.header.format_type in (TYPE_ISO_19794_6, None)
    record = decode_iris_record(template.data) if is_known else template.data
    return IrisInstance(record, template.header, template.data_tag)


def _build_template(instance: IrisInstance) -> BiometricTemplate:
    record = instance.record
    data = record.encode() if isinstance(record, IrisRecord) else record
    return BiometricTemplate(instance.header, data, instance.data_tag)


def _build_header(record: IrisRecord, created: bytes | None) -> BiometricHeader:
    eyes = {image.eye for image in record.images}
    if len(eyes) != 1:
        raise ValueError("an iris record of DG4 holds one eye")
    # Biometric subtype (ISO/IEC 7816-11 table C.2): 01 right, 10 left in bits 2 and 1, as `Eye` has it.
    return BiometricHeader(
        biometric_type=IRIS, subtype=bytes((eyes.pop() & 0b11,)), created=created, format_type=TYPE_ISO_19794_6
    )
