"""EF.COM: LDS version, Unicode version, list of data groups (Doc 9303-10 4.6.1).

Nothing signs this file; what a chip holds is said by EF.SOD.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import Tlv, decode_tlv, encode_tlv, require_tlv
from eid.errors import DecodeError
from eid.lds.files import DATA_GROUPS
from eid.lds.tag_list import TAG_LIST, decode_tag_list, encode_tag_list

CLAUSE: Final = "Doc 9303-10 4.6.1"
TAG: Final = 0x60
LDS_VERSION: Final = 0x5F01
UNICODE_VERSION: Final = 0x5F36


@dataclass(frozen=True, slots=True)
class EfCom:
    """EF.COM.

    Args:
        lds_version: four digits, "0107" or "0108". unicode_version: six digits, "040000".
        tags: tags of the data groups, as listed.
    """

    tags: tuple[int, ...]
    lds_version: str = "0107"
    unicode_version: str = "040000"
    raw: bytes = field(default=b"", repr=False, compare=False)

    @property
    def data_groups(self) -> tuple[int, ...]:
        """Numbers of the data groups that are listed; unknown tags are passed over."""
        numbers = {file.tag: file.number for file in DATA_GROUPS}
        return tuple(number for tag in self.tags if (number := numbers.get(tag)) is not None)

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode_tlv(
            TAG,
            encode_tlv(LDS_VERSION, self.lds_version.encode("ascii"))
            + encode_tlv(UNICODE_VERSION, self.unicode_version.encode("ascii"))
            + encode_tag_list(self.tags),
        )


def decode_ef_com(raw: bytes) -> EfCom:
    """Decode EF.COM.

    Raises:
        DecodeError: an object is missing or malformed (Doc 9303-10 4.6.1).
    """
    objects = decode_tlv(raw, TAG).children()
    return EfCom(
        tags=decode_tag_list(require_tlv(objects, TAG_LIST).value),
        lds_version=_decode_version(objects, LDS_VERSION, 4, "LDS version"),
        unicode_version=_decode_version(objects, UNICODE_VERSION, 6, "Unicode version"),
        raw=raw,
    )


def _decode_version(objects: tuple[Tlv, ...], tag: int, digits: int, what: str) -> str:
    value = require_tlv(objects, tag).value
    if len(value) != digits or not value.isdigit():
        raise DecodeError(f"{what} is not of {digits} digits", clause=CLAUSE)
    return value.decode("ascii")
