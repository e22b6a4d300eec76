"""Decodes one untrusted image, alone in a process that the kernel bounds. Run by `eid.imaging.decode`, never imported.

`python -I worker.py MEMORY CPU OUTPUT`: image on standard input, PNG on standard output, exit 0; any other exit means
that the image could not be decoded. It imports nothing of this package, so that it needs no import path.
"""

from __future__ import annotations

import ctypes
import resource
import signal
import sys

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


def main() -> int:
    """Confine first, then import the decoder, then look at the bytes."""
    memory, cpu, output = (int(argument) for argument in sys.argv[1:4])
    die_with_parent()
    confine(memory, cpu, output)
    from PIL import Image, ImageFile

    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with Image.open(sys.stdin.buffer, formats=("JPEG", "JPEG2000", "PNG")) as image:
        image.load()
        picture = image.convert("L" if image.mode in ("1", "L", "LA", "I;16", "I") else "RGB")
    picture.info.clear()
    picture.save(sys.stdout.buffer, "PNG", compress_level=1)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
