from __future__ import annotations

import io
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from eid.errors import DecodeError
from eid.imaging import ImageFormat, ImageInfo, ImageLimits, inspect_image
from tests.builders.sweep import examples

KINDS: dict[ImageFormat, dict[str, object]] = {
    ImageFormat.JPEG: {"format": "JPEG"},
    ImageFormat.JPEG2000: {"format": "JPEG2000"},
    ImageFormat.JPEG2000_CODESTREAM: {"format": "JPEG2000", "no_jp2": True},
    ImageFormat.PNG: {"format": "PNG"},
}


def image(kind: ImageFormat, size: tuple[int, int] = (37, 21), mode: str = "RGB", **how: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, 90).save(out, **KINDS[kind], **how)  # type: ignore[arg-type]  # by name, as the caller has them
    return out.getvalue()


@pytest.mark.parametrize("kind", list(ImageFormat))
@pytest.mark.parametrize(("mode", "components"), [("RGB", 3), ("L", 1)])
def test_size_of_what_pillow_writes(kind: ImageFormat, mode: str, components: int) -> None:
    assert inspect_image(image(kind, mode=mode)) == ImageInfo(kind, 37, 21, components)


def test_progressive_jpeg_with_fill_bytes_and_comment() -> None:
    raw = image(ImageFormat.JPEG, progressive=True, comment=b"note")
    assert inspect_image(raw[:2] + b"\xff\xff" + raw[2:]).width == 37


def siz(
    width: int, height: int, *, tile: int | None = None, step: int = 1, components: int = 3, origin: int = 0
) -> bytes:
    tile = tile or max(width, height)
    return (
        struct.pack(
            ">4sHHIIIIIIIIH",
            b"\xff\x4f\xff\x51",
            38 + 3 * components,
            0,
            width,
            height,
            origin,
            origin,
            tile,
            tile,
            0,
            0,
            components,
        )
        + bytes((7, step, step)) * components
    )


def jp2(codestream: bytes, width: int, height: int, components: int = 3) -> bytes:
    def box(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), name) + content

    header = box(b"ihdr", struct.pack(">IIHBBBB", height, width, components, 7, 7, 0, 0))
    return (
        box(b"jP  ", b"\r\n\x87\n")
        + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + box(b"jp2h", header)
        + box(b"jp2c", codestream)
    )


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBB", 13, b"IHDR", width, height, 8, 2)


def jpeg(width: int, height: int) -> bytes:
    return b"\xff\xd8" + struct.pack(">HHBHHB", 0xFFC0, 17, 8, height, width, 3) + bytes(9) + b"\xff\xda"


@pytest.mark.parametrize(
    "bomb",
    [
        jp2(siz(12_000, 12_000), 12_000, 12_000),
        siz(12_000, 12_000),
        siz(12_000, 12_000, origin=11_990),
        png(12_000, 12_000),
        jpeg(12_000, 12_000),
        siz(2**32 - 1, 2**32 - 1),
    ],
    ids=["jp2", "codestream", "codestream-with-offset", "png", "jpeg", "largest"],
)
def test_bombs_are_refused_by_their_header_without_memory(bomb: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(DecodeError, match="pixels"):
        inspect_image(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not JPEG"),
        (b"GIF89a", "not JPEG"),
        (bytes(2 << 20), "octets"),
        (png(0, 5), "no pixels"),
        (png(5, 5)[:20], "cut"),
        (png(5, 5).replace(b"IHDR", b"IDAT"), "IHDR"),
        (jpeg(5, 5)[:-2], "cut"),
        (jpeg(0, 5), "no pixels"),
        (b"\xff\xd8\xff\xd9", "exactly one frame"),
        (b"\xff\xd8" + jpeg(5, 5)[2:-2] + jpeg(6, 6)[2:], "exactly one frame"),
        (b"\xff\xd8\xff\xe0\x00\x01", "shorter"),
        (b"\xff\xd8\xff\xe0\x00\x02\x00", "no marker"),
        (b"\xff\xd8\xff\xd0" + jpeg(5, 5)[2:].replace(b"\x00\x11\x08", b"\x00\x11\x0c"), "malformed"),
        (siz(5, 5, step=2), "subsampled"),
        (siz(1000, 1000, tile=10), "tiles"),
        (siz(5, 5, components=5), "components"),
        (siz(5, 5, origin=5), "impossible"),
        (siz(5, 5).replace(b"\xff\x51\x00\x2f", b"\xff\x51\x00\x30"), "SIZ"),
        (jp2(siz(5, 5), 5, 6), "disagree"),
        (jp2(siz(5, 5), 5, 5).replace(b"ihdr", b"colr"), "image header"),
        (jp2(siz(5, 5), 5, 5).replace(b"jp2h", b"free"), "no codestream"),
        (jp2(siz(5, 5), 5, 5).replace(b"jp2c", b"free"), "no codestream"),
        (jp2(siz(5, 5), 5, 5)[:-1], "does not fit"),
        (jp2(siz(5, 5), 5, 5)[:20], "does not fit"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_malformed_headers(raw: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        inspect_image(raw)


def test_boxes_may_have_long_or_open_lengths() -> None:
    raw = jp2(siz(5, 5), 5, 5)
    at = raw.index(b"jp2c") - 4
    stream = raw[at + 8 :]
    open_ended = raw[:at] + b"\0\0\0\0jp2c" + stream
    long_form = raw[:at] + b"\0\0\0\1jp2c" + struct.pack(">Q", 16 + len(stream)) + stream
    assert inspect_image(open_ended) == inspect_image(long_form) == ImageInfo(ImageFormat.JPEG2000, 5, 5, 3)


def test_limits_are_the_callers() -> None:
    with pytest.raises(DecodeError, match="over 100 pixels"):
        inspect_image(png(11, 10), ImageLimits(pixels=100))


@given(st.sampled_from(list(ImageFormat)), st.integers(0, 120), st.integers(0, 255), st.integers(0, 200))
@settings(max_examples=examples(150))
def test_changed_headers_raise_decode_error_only(kind: ImageFormat, position: int, value: int, cut: int) -> None:
    raw = bytearray(image(kind))
    raw[position % len(raw)] = value
    for variant in (bytes(raw), bytes(raw[:cut])):
        try:
            inspect_image(variant)
        except DecodeError:
            pass


@given(
    st.sampled_from((b"", b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x0cjP  \r\n\x87\n")),
    st.binary(max_size=80),
)
@settings(max_examples=examples(150))
def test_junk_raises_decode_error_only(head: bytes, junk: bytes) -> None:
    try:
        inspect_image(head + junk)
    except DecodeError:
        pass
