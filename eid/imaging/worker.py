"""Decodes one untrusted file, alone in a process that the kernel bounds. Run by `eid.imaging.decode`, never imported.

`python -I worker.py MEMORY CPU OUTPUT image`: image on standard input, PNG on standard output, exit 0; `pdf` in its
place: a PDF, and what it is made of as JSON. Any other exit means that the file could not be decoded.
"""

from __future__ import annotations

import ctypes
import json
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path

PR_SET_PDEATHSIG = 1


def confine(memory: int, cpu: int, output: int) -> None:
    """Bound this process for good: address space, CPU seconds, octets written, no core, no further process."""
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, output),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(limit, (value, value))


def die_with_parent() -> None:
    """Ask Linux to kill this process when the one that started it ends; elsewhere the time-out alone must do."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def decode_picture() -> None:
    """The image as a PNG of ours."""
    from PIL import Image, ImageFile

    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with Image.open(sys.stdin.buffer, formats=("JPEG", "JPEG2000", "PNG")) as image:
        image.load()
        picture = image.convert("L" if image.mode in ("1", "L", "LA", "I;16", "I") else "RGB")
    picture.info.clear()
    picture.save(sys.stdout.buffer, "PNG", compress_level=1)


def look_into_pdf() -> None:
    """What the PDF is made of; this package's own reader, found beside this file, for -I leaves no import path."""
    sys.path.append(str(Path(__file__).parents[2]))
    from eid.codec.pdf import inspect_pdf

    found = asdict(inspect_pdf(sys.stdin.buffer.read()))
    sys.stdout.write(json.dumps({**found, "active": sorted(found["active"])}))


def main() -> int:
    """Confine first, then import the decoder, then look at the bytes."""
    memory, cpu, output = (int(argument) for argument in sys.argv[1:4])
    die_with_parent()
    confine(memory, cpu, output)
    {"image": decode_picture, "pdf": look_into_pdf}[sys.argv[4]]()
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
