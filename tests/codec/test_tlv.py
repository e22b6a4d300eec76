from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec import tlv
from eid.codec.tlv import (
    Limits,
    Tlv,
    decode_tlv,
    decode_tlvs,
    encode_tlv,
    encode_tlvs,
    find_tlv,
    find_value,
    require_tlv,
)
from eid.errors import DecodeError
from tests.builders.sweep import examples

TAGS = st.sampled_from([0x04, 0x30, 0x5C, 0x61, 0x77, 0x5F1F, 0x5F29, 0x7F21, 0x7F4E, 0xDF8101, 0xBF818101])
OBJECTS = st.lists(st.builds(Tlv, TAGS, st.binary(max_size=300)), max_size=6)
EF_COM = bytes.fromhex("60145F0104303130365F36063034303030305C026175")  # Doc 9303-11 D.4


SAMPLES = (
    bytes.fromhex("5F2B0431393835"),
    bytes.fromhex("5C025F2B"),
    bytes.fromhex("5F2B00"),
    bytes.fromhex("5F0E8101AA"),
    bytes.fromhex("7F490130"),
    bytes.fromhex("BF8A0100"),
    bytes.fromhex("5F2B82000130"),
)


def test_ef_com_of_doc_9303() -> None:
    outer = decode_tlv(EF_COM, 0x60)
    assert outer.is_constructed
    assert [(item.tag, item.value) for item in outer.children()] == [
        (0x5F01, b"0106"),
        (0x5F36, b"040000"),
        (0x5C, b"\x61\x75"),
    ]
    assert outer.encode() == EF_COM


@given(OBJECTS)
def test_round_trip(objects: list[Tlv]) -> None:
    assert list(decode_tlvs(encode_tlvs(objects))) == objects


@pytest.mark.parametrize("length", [0, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000])
def test_length_forms(length: int) -> None:
    raw = encode_tlv(0x53, bytes(length))
    assert tlv.read_header(raw) == (0x53, len(raw) - length, length)
    assert decode_tlv(raw).value == bytes(length)


def test_header_may_be_read_before_the_value_is_there() -> None:
    assert tlv.read_header(bytes.fromhex("7f218201667f")) == (0x7F21, 5, 0x166)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7f", "tag is cut"),
        ("7f81818101", "over four octets"),
        ("04", "length field is missing"),
        ("0480", "indefinite"),
        ("0482ff", "length field is cut"),
        ("04850000000001", "over four octets"),
        ("040201", "past the end"),
        ("0484ffffffff", "over 1048576"),
    ],
)
def test_malformed_objects(text: str, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        decode_tlvs(bytes.fromhex(text))


def test_lengths_need_not_be_minimal() -> None:
    assert decode_tlv(bytes.fromhex("048200020102")).value == b"\x01\x02"


def test_exactly_one_object_is_due() -> None:
    with pytest.raises(DecodeError, match="2 data objects"):
        decode_tlv(bytes.fromhex("04000400"))
    with pytest.raises(DecodeError, match="0 data objects"):
        decode_tlv(b"")
    with pytest.raises(DecodeError, match="tag 4 where 30"):
        decode_tlv(bytes.fromhex("0400"), 0x30)


def test_find_and_require() -> None:
    objects = decode_tlvs(bytes.fromhex("040101 300081017f 0400"))
    assert find_tlv(objects, 0x81) == Tlv(0x81, b"\x7f")
    assert find_tlv(objects, 0x99) is None
    assert require_tlv(objects, 0x30).value == b""
    with pytest.raises(DecodeError, match="99 is missing"):
        require_tlv(objects, 0x99)
    with pytest.raises(DecodeError, match="4 occurs 2 times"):
        find_tlv(objects, 0x04)


def test_constructed_bit_is_that_of_the_first_octet() -> None:
    assert [Tlv(tag, b"").is_constructed for tag in (0x30, 0x7F49, 0x7F2E, 0x5F29, 0x04, 0xBF8101)] == [
        True,
        True,
        True,
        False,
        False,
        True,
    ]


def nested(depth: int) -> bytes:
    raw = b""
    for _ in range(depth):
        raw = encode_tlv(0x30, raw)
    return raw


def test_limits() -> None:
    tlv.check_depth(nested(32))
    with pytest.raises(DecodeError, match="deeper than 32"):
        tlv.check_depth(nested(33))
    with pytest.raises(DecodeError, match="deeper than 32"):
        tlv.check_depth(nested(17_000))
    many = bytes.fromhex("0400") * 5
    with pytest.raises(DecodeError, match="more than 4"):
        decode_tlvs(many, Limits(count=4))
    with pytest.raises(DecodeError, match="more than 4"):
        tlv.check_depth(encode_tlv(0x30, many[:4]) * 2, Limits(count=4))
    with pytest.raises(DecodeError, match="over 3"):
        decode_tlvs(bytes.fromhex("040401020304"), Limits(length=3))


@settings(max_examples=examples(300))
@given(st.binary(max_size=80))
def test_any_octets_are_data_objects_or_refused(raw: bytes) -> None:
    try:
        objects = decode_tlvs(raw)
    except DecodeError:
        return
    assert list(decode_tlvs(encode_tlvs(objects))) == list(objects)
    try:
        tlv.check_depth(raw)
    except DecodeError:
        return


def test_value_stays_out_of_the_text() -> None:
    assert "secret" not in repr(Tlv(4, b"secret"))


@given(st.one_of(st.binary(max_size=40), st.lists(st.sampled_from(SAMPLES), max_size=6).map(b"".join)))
@settings(max_examples=examples(300))
def test_finding_one_value_is_decoding_all(raw: bytes) -> None:
    for tag in (0x5F2B, 0x5C, 0x7F49):
        try:
            item = find_tlv(decode_tlvs(raw), tag)
        except DecodeError:
            with pytest.raises(DecodeError):
                find_value(raw, tag)
        else:
            assert find_value(raw, tag) == (None if item is None else item.value)


def test_finding_keeps_the_limits() -> None:
    with pytest.raises(DecodeError):
        find_value(b"\x5c\x00" * (tlv.LIMITS.count + 1), 0x5F2B)
    with pytest.raises(DecodeError):
        find_value(encode_tlv(0x5C, bytes(tlv.LIMITS.length + 1)), 0x5F2B)
