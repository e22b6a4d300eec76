"""The biometric group of DG3 and DG4, which may be empty (Doc 9303-10 4.7.3, 4.7.4).

A State that issues a document without these biometrics may still write the file: the group states no instance, and data
object 53 holds content of the issuer's, such as a random number, so that the file's hash does not tell its emptiness.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import decode_tlv, encode_tlv, find_tlv, require_tlv
from eid.errors import DecodeError
from eid.lds.cbeff import GROUP_TEMPLATE, BiometricTemplate, decode_biometric_group, encode_biometric_group

CLAUSE: Final = "Doc 9303-10 4.7.3"
DISCRETIONARY_DATA: Final = 0x53
RANDOM_OCTETS: Final = 16
_EMPTY_GROUP: Final = bytes.fromhex("020100")


@dataclass(frozen=True, slots=True)
class OptionalGroup:
    """What stands in the file: the templates, none where it is empty, and the issuer's own content."""

    templates: tuple[BiometricTemplate, ...]
    discretionary: bytes | None = field(default=None, repr=False)


def decode_optional_group(raw: bytes, tag: int) -> OptionalGroup:
    """Decode a data group, DG3 or DG4 by its tag, down to the biometric data blocks.

    Raises:
        DecodeError: the structure is broken, or the number of instances is wrong.
    """
    objects = decode_tlv(raw, tag).children()
    if any(item.tag not in (GROUP_TEMPLATE, DISCRETIONARY_DATA) for item in objects):
        raise DecodeError("something else than a biometric group and discretionary data", clause=CLAUSE)
    group = require_tlv(objects, GROUP_TEMPLATE)
    discretionary = find_tlv(objects, DISCRETIONARY_DATA)
    templates = () if group.value == _EMPTY_GROUP else decode_biometric_group(group.encode())
    return OptionalGroup(templates, None if discretionary is None else discretionary.value)


def encode_optional_group(group: OptionalGroup, tag: int) -> bytes:
    """Encode a data group, DG3 or DG4 by its tag."""
    content = encode_biometric_group(group.templates)
    if group.discretionary is not None:
        content += encode_tlv(DISCRETIONARY_DATA, group.discretionary)
    return encode_tlv(tag, content)
