"""LDIF (RFC 2849) as directories of certificates publish it: a stream of entries, read piece by piece.

Files of hundreds of megabytes go through in constant memory: no more than one entry is held, and an entry is bounded.
Nothing is fetched: a value by URL is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from eid.errors import DecodeError

MAX_ENTRY: Final = 24 << 20  # octets; a master list of 16 MiB in base64
_CLAUSE: Final = "RFC 2849"
_SEPARATOR: Final = re.compile(rb"\r?\n\r?\n[\r\n]*")
_LINE: Final = re.compile(rb"([A-Za-z0-9][A-Za-z0-9.;_-]*):(:|<)? *(.*)")
_CHANGES: Final = ("add", "modify")  # changes that bring something; nothing that was there is ever taken away


@dataclass(frozen=True, slots=True)
class LdifEntry:
    """One entry.

    Args:
        dn: distinguished name as it is written. values: attribute type without its options, in lower case, and octets.
        is_deletion: a change record that takes something away.
    """

    dn: str
    values: tuple[tuple[str, bytes], ...] = field(repr=False)
    is_deletion: bool = False

    def find(self, attribute_type: str) -> bytes | None:
        """The first value of an attribute."""
        return next((value for name, value in self.values if name == attribute_type), None)


def read_ldif(pieces: Iterable[bytes]) -> Iterator[LdifEntry]:
    """Read the entries of an LDIF file.

    Args:
        pieces: the file in pieces of any size.

    Raises:
        DecodeError: no LDIF, a value that is not base64 or stands at a URL, or an entry of over 24 MiB.
    """
    buffer, scanned, number = bytearray(), 0, 0
    for piece in pieces:
        buffer += piece
        start = 0
        while found := _SEPARATOR.search(buffer, max(start, scanned - 3)):
            if found.end() == len(buffer):
                break  # the separator may go on in the next piece
            number += 1
            yield from _read_entry(bytes(buffer[start : found.start()]), number)
            start = scanned = found.end()
        del buffer[:start]
        scanned = max(len(buffer) - 4, 0)
        if len(buffer) > MAX_ENTRY:
            raise DecodeError(f"LDIF: entry {number + 1} is over {MAX_ENTRY} octets", clause=_CLAUSE)
    yield from _read_entry(bytes(buffer), number + 1)


def _read_entry(raw: bytes, number: int) -> Iterator[LdifEntry]:
    """The entry in `raw`, none where there are but comments."""
    if raw.startswith(b"dn:") and b"\n" not in raw:
        return  # a name without attributes, of which directories have many, brings nothing
    unfolded = raw.replace(b"\r\n", b"\n").replace(b"\n ", b"")  # RFC 2849 note 2
    lines = (line for line in unfolded.split(b"\n") if line and not line.startswith(b"#") and line != b"-")
    values = [_read_line(line, number) for line in lines]
    if values and values[0][0] == "version":
        values = values[1:]
    if not values:
        return
    if values[0][0] != "dn":
        raise DecodeError(f"LDIF: entry {number} does not begin with dn", clause=_CLAUSE)
    dn = values[0][1].decode("utf-8", "replace")
    change = next((value for name, value in values if name == "changetype"), b"add").decode("latin-1").strip()
    yield LdifEntry(dn, tuple(values[1:]), change not in _CHANGES)


def _read_line(line: bytes, number: int) -> tuple[str, bytes]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise DecodeError(f"LDIF: entry {number} has a line that is no attribute", clause=_CLAUSE)
    name = found[1].split(b";", 1)[0].decode("ascii").lower()  # options such as ";binary" do not change the value
    if found[2] == b"<":
        raise DecodeError(f"LDIF: entry {number}: a value at a URL is not fetched", clause=_CLAUSE)
    if found[2] is None:
        return name, bytes(found[3])
    try:
        return name, base64.b64decode(found[3].strip(), validate=True)
    except binascii.Error as error:
        raise DecodeError(f"LDIF: entry {number}: {name} is not base64", clause=_CLAUSE) from error
