"""PDF files: whole ones are counted, damaged ones refused, and what acts by itself is found wherever it hides."""

from __future__ import annotations

import zlib
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.codec.pdf import ACTIVE, MAX_EXPANDED, MAX_STREAMS, inspect_pdf
from eid.errors import DecodeError
from tests.builders.applicants import build_pdf, object_stream


def test_a_whole_file() -> None:
    info = inspect_pdf(build_pdf(pages=3))
    assert (info.version, info.pages, info.is_encrypted, info.active) == ("1.7", 3, False, frozenset())


def test_pages_in_an_object_stream_count() -> None:
    body = object_stream(b"9 0 <</Type /Page /Parent 2 0 R>> <</Type/Pages>>")
    assert inspect_pdf(build_pdf(body, pages=1)).pages == 2


@pytest.mark.parametrize("name", sorted(ACTIVE))
def test_what_acts_by_itself_is_found(name: str) -> None:
    raw = name.encode()
    escaped = raw[:1] + b"#%02X" % raw[1] + raw[2:]
    for hidden in (
        build_pdf(catalogue=b"/X<</S/" + raw + b">>"),
        build_pdf(catalogue=b"/X<</S/" + escaped + b">>"),
        build_pdf(object_stream(b"9 0 <</S /" + raw + b">>")),
        build_pdf(object_stream(b"9 0 <</S /" + escaped + b">>", name=b"/Obj#53tm")),
        build_pdf(b"30 0 obj\n<</Type/ObjStm/N 1/First 5>>\nstream\n9 0 <</S/" + raw + b">>\nendstream\nendobj\n"),
        build_pdf(b"30 0 obj\n<</Length 20>>\nstream\n/" + raw + b" \nendstream\nendobj\n"),  # in what looks like data
    ):
        assert inspect_pdf(hidden).active == {name}


def test_an_encrypted_file_is_said_to_be() -> None:
    assert inspect_pdf(build_pdf(trailer=b"/Encrypt 9 0 R")).is_encrypted


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "header"),
        (b"\xff\xd8\xff" + build_pdf(), "header"),
        (build_pdf()[:-10], "end"),
        (build_pdf() + b"PK\x03\x04 another file behind it", "end"),
        (build_pdf().replace(b"startxref\n", b"startxref\n9"), "cross-reference"),
        (build_pdf(pages=0), "no page"),
        (build_pdf(b"30 0 obj\n<</Type/ObjStm/Filter/LZWDecode>>\nstream\nxx\nendstream\nendobj\n"), "unknown filter"),
        (build_pdf(object_stream(b"x", name=b"/ObjStm /DecodeParms 9 0 R")), "not looked into"),
        (
            build_pdf(b"30 0 obj\n<</Type/ObjStm/Filter/FlateDecode>>\nstream\n" + zlib.compress(b"x" * 99)[:5]),
            "cut|unk",
        ),
    ],
)
def test_what_is_no_whole_pdf(raw: bytes, what: str) -> None:
    with pytest.raises(DecodeError, match=what):
        inspect_pdf(raw)


def test_a_small_file_cannot_grow_without_bound() -> None:
    bomb = zlib.compress(bytes(MAX_EXPANDED + 1), 9)
    body = b"30 0 obj\n<</Type /ObjStm /First 5 /Filter /FlateDecode>>\nstream\n" + bomb + b"\nendstream\nendobj\n"
    with pytest.raises(DecodeError, match="expand"):
        inspect_pdf(build_pdf(body))


@given(st.binary(max_size=300), st.integers(0, 300), st.binary(max_size=8))
def test_octets_are_refused_or_told(body: bytes, place: int, junk: bytes) -> None:
    whole = build_pdf(body)
    for raw in (body, whole, whole[:place] + junk + whole[place + len(junk) :]):
        try:
            info = inspect_pdf(raw)
        except DecodeError:
            continue
        assert info.pages or info.is_encrypted


def test_many_streams_cost_little_and_too_many_are_refused() -> None:
    """What lies behind a stream is not copied for each of them: seconds for a file of five megabytes, before."""
    small = build_pdf(b"".join(object_stream(b"1 0 <<>>", number) for number in range(30, 500)) + b"%" + bytes(1 << 21))
    before = process_time()
    assert inspect_pdf(small).pages == 1
    assert process_time() - before < 0.5
    with pytest.raises(DecodeError, match="too many streams"):
        inspect_pdf(build_pdf(b"stream\n" * (MAX_STREAMS + 1)))
