"""DG4: the encoded irises (Doc 9303-10 4.7.4); the records of ISO/IEC 19794-6 are kept as they stand."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from eid.lds.cbeff import BiometricHeader, BiometricTemplate
from eid.lds.optional_group import RANDOM_OCTETS, OptionalGroup, decode_optional_group, encode_optional_group

TAG: Final = 0x76
IRIS: Final = b"\x10"
RIGHT: Final = b"\x01"
LEFT: Final = b"\x02"
TYPE_ISO_19794_6: Final = bytes.fromhex("0009")


@dataclass(frozen=True, slots=True)
class IrisInstance:
    """One biometric information template: its header and its iris record, octets."""

    record: bytes = field(repr=False)
    header: BiometricHeader = field(default=BiometricHeader(biometric_type=IRIS, format_type=TYPE_ISO_19794_6))


@dataclass(frozen=True, slots=True)
class DG4:
    """DG4: iris records, none where the issuer wrote the file without biometrics, and then content of its own."""

    instances: tuple[IrisInstance, ...] = ()
    discretionary: bytes | None = field(default=None, repr=False)
    raw: bytes = field(default=b"", repr=False, compare=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        templates = tuple(BiometricTemplate(item.header, item.record) for item in self.instances)
        return encode_optional_group(OptionalGroup(templates, self.discretionary), TAG)


def build_empty_dg4(random: Callable[[int], bytes] = os.urandom) -> DG4:
    """DG4 without an iris; a random number keeps its hash from telling so."""
    return DG4(discretionary=random(RANDOM_OCTETS))


def decode_dg4(raw: bytes) -> DG4:
    """Decode DG4.

    Raises:
        DecodeError: the CBEFF structure is broken.
    """
    group = decode_optional_group(raw, TAG)
    return DG4(tuple(IrisInstance(item.data, item.header) for item in group.templates), group.discretionary, raw)
