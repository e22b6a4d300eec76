from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec import der
from eid.codec.ber import MAX_ELEMENTS, convert_ber, split_ber
from eid.codec.cms import decode_signed_data
from eid.errors import DecodeError
from tests.builders import issuer
from tests.builders.sweep import examples

if TYPE_CHECKING:
    from tests.codec.conftest import Chain


@pytest.mark.parametrize(
    ("ber", "expected"),
    [
        ("30800000", "3000"),
        ("3080020105 0000", "3003020105"),
        ("3081030201 05", "3003020105"),
        ("2480 0401aa 0402bbcc 0000", "0403aabbcc"),
        ("2405 0403aabbcc", "0403aabbcc"),
        ("2480 2480 0401aa 0000 0401bb 0000", "0402aabb"),
        ("2c80 0c0161 0c0162 0000", "0c026162"),
        ("2c80 040161 040162 0000", "0c026162"),
        ("2380 030200aa 030204b0 0000", "030304aab0"),
        ("010101", "0101ff"),
        ("010100", "010100"),
        ("a080 3080 0500 0000 0000", "a00430020500"),
        ("bf8101 80 0500 0000", "bf8101020500"),
        ("0484000000 01aa", "0401aa"),
        ("0485000000 0001aa", "0401aa"),
        ("3180 0202ff01 020101 0000", "31070202ff01020101"),
    ],
)
def test_conversions(ber: str, expected: str) -> None:
    assert convert_ber(bytes.fromhex(ber)).hex() == expected


def indefinite(raw: bytes, split_octets: bool) -> bytes:
    """Write DER again with indefinite lengths everywhere, and octet strings in segments."""
    out = b""
    for _, tag, start, stop in der.split(raw, 0, len(raw), "x"):
        content = raw[start:stop]
        if tag & 0x20:
            out += bytes((tag, 0x80)) + indefinite(content, split_octets) + b"\x00\x00"
        elif tag == der.OCTET_STRING and split_octets and len(content) > 40:
            segments = (der.encode_octet_string(content[at : at + 40]) for at in range(0, len(content), 40))
            out += b"\x24\x80" + b"".join(segments) + b"\x00\x00"
        else:
            out += der.encode(tag, content)
    return out


def test_a_sod_written_in_ber_becomes_the_same_der(chain: Chain) -> None:
    raw = issuer.signed_data(chain.ds_key, chain.ds, b"content" * 20, content_type="1.2.3")
    loose = indefinite(raw, True)
    with pytest.raises(DecodeError, match="indefinite"):
        decode_signed_data(loose)
    assert convert_ber(loose) == raw


@given(st.binary(max_size=60))
def test_any_octets(raw: bytes) -> None:
    for data in (
        raw,
        b"\x30\x80" + raw + b"\x00\x00",
        b"\x24\x80" + raw + b"\x00\x00",
        b"\x23\x80" + raw + b"\x00\x00",
    ):
        try:
            converted = convert_ber(data)
        except DecodeError:
            continue
        assert convert_ber(converted) == converted


VALUES = st.recursive(
    st.builds(der.encode, st.sampled_from([2, 4, 5, 6, 12, 0x80, 0x9E]), st.binary(max_size=50)),
    lambda inner: st.builds(
        lambda tag, items: der.encode(tag, b"".join(items)),
        st.sampled_from([0x30, 0x31, 0xA0]),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=examples(80))
@given(VALUES, st.booleans())
def test_der_comes_back_from_any_ber(raw: bytes, split_octets: bool) -> None:
    assert convert_ber(raw) == raw
    assert convert_ber(indefinite(raw, split_octets)) == raw


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "tag is missing"),
        ("0000", "tag is missing"),
        ("30", "length is missing"),
        ("1f8181818101", "over four octets"),
        ("1f81", "tag is cut"),
        ("0480aa0000", "indefinite length"),
        ("3080 0500", "end-of-contents"),
        ("3003 0500", "past the end"),
        ("30ff", "past the end"),
        ("2480 020105 0000", "another type"),
        ("2380 0500 0000", "malformed segment"),
        ("2380 0300 0000", "malformed segment"),
        ("2380 030108 0000", "malformed segment"),
        ("2380 030204b0 030200aa 0000", "malformed segment"),
        ("0500 00", "follow"),
        ("3002 3080 0000", "end-of-contents"),
    ],
)
def test_malformed_ber(text: str, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        convert_ber(bytes.fromhex(text))


def test_bounds() -> None:
    assert convert_ber(b"\x30\x80" * 32 + b"\x00\x00" * 32)
    for raw in (b"\x30\x80" * 33 + b"\x00\x00" * 33, b"\x30\x80" * 17_000, b"\x24\x80" * 17_000):
        with pytest.raises(DecodeError, match="nested too deep"):
            convert_ber(raw)
    with pytest.raises(DecodeError, match="too many elements"):
        convert_ber(b"\x30\x80" + b"\x05\x00" * MAX_ELEMENTS + b"\x00\x00")
    with pytest.raises(DecodeError, match="over 10"):
        convert_ber(bytes(11), limit=10)
    with pytest.raises(DecodeError, match="past the end"):
        convert_ber(bytes.fromhex("3084ffffffff"))


@pytest.mark.parametrize(
    ("raw", "places"),
    [
        (bytes.fromhex("3006020101020102"), [(2, 5), (5, 8)]),
        (bytes.fromhex("30800201010201020000"), [(2, 5), (5, 8)]),
        (bytes.fromhex("30820003020101"), [(4, 7)]),
        (bytes.fromhex("3000"), []),
    ],
)
def test_the_elements_of_one(raw: bytes, places: list[tuple[int, int]]) -> None:
    assert split_ber(raw, 0, len(raw)) == places


@given(st.binary(max_size=120))
@settings(max_examples=examples(60))
def test_the_elements_of_anything(raw: bytes) -> None:
    try:
        split_ber(raw, 0, len(raw))
    except DecodeError:
        return
