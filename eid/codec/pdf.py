"""What a PDF file is made of (ISO 32000-1), as far as must be known of it before anybody opens it.

No page is drawn. The file must begin and end as a PDF does and point at its cross-reference; its pages are counted;
names of what acts by itself (scripts, programs, files inside) are looked for everywhere, also in compressed object
streams and in names written with escapes. A stream of objects that cannot be looked into makes the file unfit.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from eid.errors import DecodeError

CLAUSE: Final = "ISO 32000-1 7.5"
TAIL: Final = 1024  # octets at the end in which startxref and %%EOF stand (Annex H, note 18)
MAX_OBJECT_STREAMS: Final = 2000
MAX_STREAMS: Final = 20_000
MAX_EXPANDED: Final = 32 << 20  # octets of all object streams together
PIECE: Final = 1 << 14  # octets that are unpacked at a time
MAX_DICTIONARY: Final = 4096  # octets before the keyword stream

ACTIVE: Final = frozenset(
    (
        "JavaScript",
        "Launch",
        "EmbeddedFile",
        "EmbeddedFiles",
        "RichMedia",
        "GoToE",
        "SubmitForm",
        "ImportData",
        "XFA",
    )
)
_HEADER: Final = re.compile(rb"%PDF-([12]\.[0-9])[\r\n \t]")
_END: Final = re.compile(rb"startxref[\r\n \t]+([0-9]{1,10})[\r\n \t]+%%EOF[\r\n \t\x00]*\Z")
_REFERENCE: Final = re.compile(rb"(?:xref[\r\n \t]|[0-9]{1,10}[ \t\r\n]+[0-9]{1,5}[ \t\r\n]+obj)")
_NAME: Final = re.compile(rb"/([^\x00\t\n\x0c\r ()<>\[\]{}/%]{1,127})")
_ESCAPE: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM: Final = re.compile(rb"(?<!end)stream\r?\n")
_PAGE: Final = re.compile(rb"/Type[\r\n \t]*/Page(?![A-Za-z0-9_#])")


@dataclass(frozen=True, slots=True)
class PdfInfo:
    """Version, number of pages, whether it is encrypted, and the names of what acts by itself (of `ACTIVE`)."""

    version: str
    pages: int
    is_encrypted: bool
    active: frozenset[str]


def inspect_pdf(raw: bytes) -> PdfInfo:
    """Look at the structure of a PDF file.

    Raises:
        DecodeError: it does not begin or end as a PDF, its cross-reference is elsewhere, it has no page, or it holds
            objects that cannot be looked at.
    """
    header = _HEADER.match(raw)
    if header is None:
        raise DecodeError("PDF does not begin with its header", offset=0, clause=f"{CLAUSE}.2")
    end = _END.search(raw, max(0, len(raw) - TAIL))
    if end is None:
        raise DecodeError("PDF does not end with startxref and %%EOF", clause=f"{CLAUSE}.5")
    offset = int(end[1])
    if _REFERENCE.match(raw, offset) is None:
        raise DecodeError("PDF has no cross-reference where it says", offset=offset, clause=f"{CLAUSE}.5")
    bodies = (raw, *_object_streams(raw))
    names = {name for body in bodies for name in _find_names(body)}
    if "Encrypt" in names:  # then nothing in it can be read, nor need it be
        return PdfInfo(header[1].decode("ascii"), 0, True, frozenset(names & ACTIVE))
    pages = sum(len(_PAGE.findall(_plain(body))) for body in bodies)
    if not pages:
        raise DecodeError("PDF has no page", clause="ISO 32000-1 7.7.3")
    return PdfInfo(header[1].decode("ascii"), pages, False, frozenset(names & ACTIVE))


_LOOKED_FOR: Final = ACTIVE | {"Encrypt"}


def _find_names(body: bytes) -> set[str]:
    """The names of those looked for that stand anywhere, escapes resolved (ISO 32000-1 7.3.5)."""
    found = set()
    for written in _NAME.finditer(body):
        name = _ESCAPE.sub(_unescape, written[1]) if b"#" in written[1] else written[1]
        if len(name) <= 16:
            found.add(name.decode("latin-1"))
    return found & _LOOKED_FOR


def _plain(body: bytes) -> bytes:
    return _ESCAPE.sub(_unescape, body) if b"#" in body else body


def _unescape(written: re.Match[bytes]) -> bytes:
    return bytes((int(written[1], 16),))


def _object_streams(raw: bytes) -> Iterator[bytes]:
    """The content of every stream that may hold objects (ISO 32000-1 7.5.7)."""
    room, count = MAX_EXPANDED, 0
    for number, keyword in enumerate(_STREAM.finditer(raw)):
        if number >= MAX_STREAMS:
            raise DecodeError("PDF has too many streams", offset=keyword.start(), clause=f"{CLAUSE}.7")
        before = raw[max(0, keyword.start() - MAX_DICTIONARY) : keyword.start()]
        dictionary = _plain(before[before.rfind(b"obj") + 3 :])
        if b"/ObjStm" not in dictionary and b"/First" not in dictionary:
            continue
        count += 1
        if count > MAX_OBJECT_STREAMS or b"/DecodeParms" in dictionary:
            raise DecodeError("PDF has objects that are not looked into", offset=keyword.end(), clause=f"{CLAUSE}.7")
        content = _expand(raw, keyword.end(), dictionary, room)
        room -= len(content)
        yield content


def _expand(raw: bytes, start: int, dictionary: bytes, room: int) -> bytes:
    """A stream's content; at most `room` octets, which bounds what a small file can grow to."""
    if b"/Filter" not in dictionary:
        return raw[start : max(start, raw.find(b"endstream", start))][:room]
    unpacker, content = zlib.decompressobj(), bytearray()
    try:
        for offset in range(start, len(raw), PIECE):  # piece by piece: what lies behind the stream is not copied
            content += unpacker.decompress(raw[offset : offset + PIECE], room + 1 - len(content))
            if unpacker.eof or len(content) > room:
                break
    except zlib.error:
        raise DecodeError("PDF has objects under an unknown filter", offset=start, clause=f"{CLAUSE}.7") from None
    if len(content) > room or not unpacker.eof:
        raise DecodeError("PDF has objects that expand too much or are cut", offset=start, clause=f"{CLAUSE}.7")
    return bytes(content)
