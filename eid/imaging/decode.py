"""Decoding of untrusted images and papers, in a subprocess that is bounded in memory and time, and killed beyond."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from eid.codec.pdf import PdfInfo, inspect_pdf
from eid.errors import DecodeError
from eid.imaging.header import LIMITS, ImageFormat, ImageLimits, inspect_image

WORKER: Final = Path(__file__).with_name("worker.py")
PLAIN: Final = 1 << 16  # octets of a PDF without streams, which is looked at in this process
KEPT_ENVIRONMENT: Final = ("LD_LIBRARY_PATH", "SYSTEMROOT")


def decode_image(raw: bytes, limits: ImageLimits = LIMITS) -> bytes:
    """Decode JPEG, JPEG 2000 or PNG; the answer is a PNG of ours, 8 bits, grey or RGB, without metadata.

    The header is checked first; the pixels are decoded by another process, which is gone when this returns.

    Raises:
        DecodeError: the header breaks `limits`, or the decoder refused it, crashed, or ran out of memory or time.
    """
    announced = inspect_image(raw, limits)
    room = announced.width * announced.height * 3 + (1 << 16)
    png = _run_worker("image", raw, limits, room)
    result = inspect_image(png, ImageLimits(octets=room, pixels=limits.pixels))
    if result.format is not ImageFormat.PNG or (result.width, result.height) != (announced.width, announced.height):
        raise DecodeError("image decoded to another size than its header says")
    return png


def inspect_paper(raw: bytes, limits: ImageLimits = LIMITS) -> PdfInfo:
    """What a PDF is made of; anything in it is unpacked by another process, which is gone when this returns.

    Raises:
        DecodeError: it is none, is larger than `limits`, or its reader refused it or ran out of memory or time.
    """
    if len(raw) > limits.octets:
        raise DecodeError(f"PDF has over {limits.octets} octets")
    if len(raw) <= PLAIN and b"stream" not in raw:  # nothing in it can grow
        return inspect_pdf(raw)
    found = json.loads(_run_worker("pdf", raw, limits, 1 << 16))
    return PdfInfo(found["version"], found["pages"], found["is_encrypted"], frozenset(found["active"]))


def _run_worker(kind: str, raw: bytes, limits: ImageLimits, room: int) -> bytes:
    # Files, not pipes: the kernel bounds what the worker writes (RLIMIT_FSIZE), and nobody waits for a full pipe.
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as sink:
        source.write(raw)
        source.seek(0)
        bounds = [str(bound) for bound in (limits.memory, limits.cpu, room)]
        try:
            outcome = subprocess.run(
                [sys.executable, "-I", str(WORKER), *bounds, kind],
                stdin=source,
                stdout=sink,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
                timeout=limits.wall,
                check=False,
            )
        except subprocess.TimeoutExpired:  # run() has killed and reaped it
            raise DecodeError(f"{kind} takes too long to decode") from None
        except OSError as error:
            raise DecodeError(f"{kind} decoder cannot be started: {error.strerror}") from None
        if outcome.returncode != 0:
            raise DecodeError(f"{kind} cannot be decoded within its limits")
        sink.seek(0)
        return sink.read(room + 1)
