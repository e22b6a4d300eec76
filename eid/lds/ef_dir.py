"""EF.DIR: the applications of a chip (Doc 9303-10 3.11.2, ISO/IEC 7816-4 8.2.1.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import Tlv, decode_tlvs, encode_tlv, encode_tlvs, require_tlv
from eid.errors import DecodeError

CLAUSE: Final = "ISO/IEC 7816-4 8.2.1.1"
APPLICATION_TEMPLATE: Final = 0x61
APPLICATION_IDENTIFIER: Final = 0x4F
APPLICATION_LABEL: Final = 0x50
MAX_APPLICATIONS: Final = 64


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One application template: the application's identifier, 1 to 16 octets, and what else it says, in order."""

    aid: bytes
    other: tuple[Tlv, ...] = ()

    @property
    def label(self) -> str | None:
        """The application's label; None where it is absent or no UTF-8."""
        value = next((item.value for item in self.other if item.tag == APPLICATION_LABEL), None)
        try:
            return None if value is None else value.decode("utf-8")
        except UnicodeDecodeError:
            return None


@dataclass(frozen=True, slots=True)
class EfDir:
    """EF.DIR: the applications in the order in which they stand."""

    entries: tuple[DirectoryEntry, ...]
    raw: bytes = field(default=b"", repr=False, compare=False)

    @property
    def aids(self) -> tuple[bytes, ...]:
        """The identifiers of all applications."""
        return tuple(entry.aid for entry in self.entries)

    def encode(self) -> bytes:
        """The file's bytes."""
        return b"".join(map(_encode_entry, self.entries))


def build_ef_dir(aids: Iterable[bytes]) -> EfDir:
    """EF.DIR that names these applications and says nothing else of them."""
    return EfDir(tuple(DirectoryEntry(aid) for aid in aids))


def decode_ef_dir(raw: bytes) -> EfDir:
    """Decode EF.DIR: application templates, or application identifiers alone.

    Raises:
        DecodeError: another data object, no application, more than 64, or an identifier that is not 1 to 16 octets.
    """
    objects = decode_tlvs(raw)
    if not 1 <= len(objects) <= MAX_APPLICATIONS:
        raise DecodeError(f"{len(objects)} applications", offset=0, clause=CLAUSE)
    return EfDir(tuple(map(_decode_entry, objects)), raw)


def _decode_entry(item: Tlv) -> DirectoryEntry:
    if item.tag == APPLICATION_IDENTIFIER:
        return DirectoryEntry(_check_aid(item.value))
    if item.tag != APPLICATION_TEMPLATE:
        raise DecodeError(f"data object {item.tag:X} in EF.DIR", clause=CLAUSE)
    objects = item.children()
    aid = _check_aid(require_tlv(objects, APPLICATION_IDENTIFIER).value)
    return DirectoryEntry(aid, tuple(part for part in objects if part.tag != APPLICATION_IDENTIFIER))


def _check_aid(aid: bytes) -> bytes:
    if not 1 <= len(aid) <= 16:  # ISO/IEC 7816-4 8.2.1.2
        raise DecodeError(f"application identifier of {len(aid)} octets", clause=CLAUSE)
    return aid


def _encode_entry(entry: DirectoryEntry) -> bytes:
    content = encode_tlv(APPLICATION_IDENTIFIER, entry.aid) + encode_tlvs(entry.other)
    return encode_tlv(APPLICATION_TEMPLATE, content)
