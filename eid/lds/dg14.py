"""DG14: security options, the signed announcement of the chip's protocols (Doc 9303-10 4.7.14)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import decode_tlv, encode_tlv
from eid.lds.security_infos import SecurityInfo, decode_security_infos, encode_security_infos, find_security_infos

TAG: Final = 0x6E


@dataclass(frozen=True, slots=True)
class DG14:
    """DG14: SecurityInfos in the order in which they stand."""

    security_infos: tuple[SecurityInfo, ...]
    raw: bytes = field(default=b"", repr=False, compare=False)

    def encode(self) -> bytes:
        """The file's bytes; the SET is sorted (X.690 11.6)."""
        return encode_tlv(TAG, encode_security_infos(self.security_infos))


def find_in_dg14(raw: bytes, protocols: Collection[str]) -> tuple[SecurityInfo, ...]:
    """The SecurityInfos of these protocols (dotted) alone.

    Raises:
        DecodeError: see `find_security_infos`.
    """
    return find_security_infos(decode_tlv(raw, TAG).value, protocols)


def decode_dg14(raw: bytes) -> DG14:
    """Decode DG14.

    Raises:
        DecodeError: see `decode_security_infos`.
    """
    return DG14(decode_security_infos(decode_tlv(raw, TAG).value), raw)
