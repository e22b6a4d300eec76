from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from eid.errors import DecodeError, RecordError
from eid.imaging import ImageFormat, ImageLimits, decode, decode_image, inspect_image
from eid.imaging.decode import inspect_paper
from eid.imaging.encode import encode_portrait
from eid.imaging.portrait import PortraitVariant, draw_specimen_portrait
from tests.builders.applicants import build_pdf, object_stream

LOSSY = [kind for kind in ImageFormat if kind is not ImageFormat.PNG]


@pytest.fixture(scope="module")
def portrait() -> bytes:
    return draw_specimen_portrait()


def children() -> set[str]:
    """Processes that this one started, those included that nobody has waited for."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text().rpartition(")")[2].split()[1]  # proc_pid_stat(5): state, ppid
        except OSError:
            continue
        found |= {path.parent.name} if parent == str(os.getpid()) else set()
    return found


@pytest.fixture(autouse=True)
def no_child_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


def mean_difference(one: bytes, other: bytes) -> float:
    with Image.open(io.BytesIO(one)) as a, Image.open(io.BytesIO(other)) as b:
        first, second = a.convert("L").tobytes(), b.convert("L").tobytes()
    return sum(abs(x - y) for x, y in zip(first, second, strict=True)) / len(first)


@pytest.mark.parametrize("kind", LOSSY)
def test_portrait_survives_compression_to_its_size(portrait: bytes, kind: ImageFormat) -> None:
    encoded = encode_portrait(portrait, kind, 18_000)
    assert 15_000 <= len(encoded) <= 18_000
    info = inspect_image(encoded)
    assert (info.format, info.width, info.height, info.components) == (kind, 413, 531, 3)
    assert mean_difference(decode_image(encoded), portrait) < 3


def test_decoding_strips_metadata_and_keeps_grey() -> None:
    out = io.BytesIO()
    Image.new("L", (9, 7), 77).save(out, "JPEG", comment=b"secret note")
    png = decode_image(out.getvalue())
    assert b"secret" not in png
    assert inspect_image(png).components == 1


@pytest.mark.parametrize(
    "limits",
    [
        ImageLimits(memory=24 << 20),
        ImageLimits(wall=0.001),
        ImageLimits(cpu=0),
    ],
    ids=["memory", "wall", "cpu"],
)
def test_a_decoder_over_its_limits_is_killed_and_leaves_no_child(portrait: bytes, limits: ImageLimits) -> None:
    with pytest.raises(DecodeError):
        decode_image(portrait, limits)


def test_damaged_pixels_are_a_decode_error(portrait: bytes) -> None:
    for raw in (encode_portrait(portrait, ImageFormat.JPEG, 18_000)[:6000], portrait[:3000]):
        with pytest.raises(DecodeError, match="cannot be decoded"):
            decode_image(raw)


def test_a_decoder_that_answers_something_else_is_not_believed(
    portrait: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for body in ("print('no PNG')", "import time; time.sleep(60)", "raise SystemExit(3)"):
        worker = tmp_path / "worker.py"
        worker.write_text(body)
        monkeypatch.setattr(decode, "WORKER", worker)
        with pytest.raises(DecodeError):
            decode_image(portrait, ImageLimits(wall=1.0))
    other = draw_specimen_portrait(width=35, height=45)
    worker.write_text(f"import sys; sys.stdout.buffer.write({other!r})")
    with pytest.raises(DecodeError, match="another size"):
        decode_image(portrait)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(DecodeError, match="cannot be started"):
        decode_image(portrait)


def test_a_pdf_is_unpacked_by_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = build_pdf(object_stream(b"1 0 <</S /JavaScript>>"), pages=2)
    found = inspect_paper(packed)
    assert (found.pages, found.active, found.version) == (2, {"JavaScript"}, "1.7")
    plain = build_pdf()
    with pytest.raises(DecodeError, match="pdf cannot be decoded within its limits"):
        inspect_paper(packed, ImageLimits(cpu=0))
    with pytest.raises(DecodeError, match="pdf cannot be decoded"):
        inspect_paper(packed.replace(b"%%EOF", b"%%EOT"))
    with pytest.raises(DecodeError, match="octets"):
        inspect_paper(plain, ImageLimits(octets=10))
    monkeypatch.setattr(decode, "WORKER", Path("/nowhere"))
    assert inspect_paper(plain).pages == 1  # there is nothing in it to unpack


def test_a_portrait_too_large_for_its_limit_is_refused(portrait: bytes) -> None:
    with pytest.raises(RecordError, match="to 500 octets"):
        encode_portrait(portrait, ImageFormat.JPEG, 500)
    with pytest.raises(RecordError, match="JPEG or JPEG 2000"):
        encode_portrait(portrait, ImageFormat.PNG, 500)
    with pytest.raises(DecodeError, match="is a PNG"):
        encode_portrait(encode_portrait(portrait, ImageFormat.JPEG, 20_000), ImageFormat.JPEG, 20_000)


def test_portraits_are_drawn_alike_each_time_and_differ_by_variant(portrait: bytes) -> None:
    assert draw_specimen_portrait() == portrait
    other = draw_specimen_portrait(PortraitVariant.SHORT_HAIR)
    assert mean_difference(other, portrait) > 10
    assert inspect_image(other).width == 413


@pytest.mark.parametrize("size", [(0, 10), (10, -1), (4000, 4000)])
def test_impossible_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="pixels"):
        draw_specimen_portrait(width=size[0], height=size[1])
