"""Files out of evidence: as the chip gave them, and the pictures that stand in them as they were stored.

Nothing is judged: what comes out is as true as the evidence is, which `eid verify` tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from eid.errors import DecodeError
from eid.evidence import Evidence
from eid.imaging.header import CODESTREAM_SIGNATURE, JP2_SIGNATURE, JPEG_SIGNATURE, PNG_SIGNATURE
from eid.lds.dg2 import decode_dg2
from eid.lds.dg3 import decode_dg3
from eid.lds.dg4 import decode_dg4
from eid.lds.dg5 import decode_dg5
from eid.lds.dg7 import decode_dg7
from eid.lds.files import by_name
from eid.services.reading.holder import decode_portrait

PORTRAIT: Final = "portrait.png"
UNKNOWN: Final = "bin"
_ENDINGS: Final = (
    (JPEG_SIGNATURE, "jpg"),
    (JP2_SIGNATURE, "jp2"),
    (CODESTREAM_SIGNATURE, "j2k"),
    (PNG_SIGNATURE, "png"),
    (b"\xff\xa0", "wsq"),  # SOI of WSQ
)


@dataclass(frozen=True, slots=True)
class Extracted:
    """A file to be written: its name, and its octets."""

    name: str
    content: bytes = field(repr=False)


def extract_files(evidence: Evidence) -> tuple[Extracted, ...]:
    """The files that were read (DG1.bin), the pictures in them (DG2-1.jp2), and the first portrait made into a PNG.

    Of a data group that cannot be decoded there is the file alone.

    Raises:
        DecodeError: a file has a name that no elementary file has; nothing is written under it.
    """
    return tuple(_extract(evidence))


def _extract(evidence: Evidence) -> Iterator[Extracted]:
    for item in evidence.files:
        _require_known(item.name)
        if item.content is None:
            continue
        yield Extracted(f"{item.name}.bin", item.content)
        for number, picture in enumerate(_pictures(item.name, item.content), 1):
            yield Extracted(f"{item.name}-{number}.{_ending(picture)}", picture)
    portrait = decode_portrait(evidence)
    if portrait is not None:
        yield Extracted(PORTRAIT, portrait)


def _require_known(name: str) -> None:
    """A name comes from whoever wrote the evidence, and becomes that of a file."""
    try:
        by_name(name)
    except KeyError:
        raise DecodeError("a file has a name that no elementary file has", clause="docs/formats/evidence.md") from None


def _pictures(name: str, raw: bytes) -> tuple[bytes, ...]:
    read = _READERS.get(name)
    try:
        return () if read is None else read(raw)
    except DecodeError:
        return ()


def _faces(raw: bytes) -> tuple[bytes, ...]:
    return tuple(item.image for item in decode_dg2(raw).images)


def _fingers(raw: bytes) -> tuple[bytes, ...]:
    return tuple(item.image for instance in decode_dg3(raw).instances for item in instance.record.images)


def _irises(raw: bytes) -> tuple[bytes, ...]:
    records = (instance.record for instance in decode_dg4(raw).instances)
    return tuple(item.image for record in records if not isinstance(record, bytes) for item in record.images)


_READERS: Final[dict[str, Callable[[bytes], tuple[bytes, ...]]]] = {
    "DG2": _faces,
    "DG3": _fingers,
    "DG4": _irises,
    "DG5": lambda raw: decode_dg5(raw).images,
    "DG7": lambda raw: decode_dg7(raw).images,
}


def _ending(picture: bytes) -> str:
    return next((ending for start, ending in _ENDINGS if picture.startswith(start)), UNKNOWN)
