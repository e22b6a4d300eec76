from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from asn1crypto import core
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec import der
from eid.errors import DecodeError
from tests.builders.sweep import examples

Reader = Callable[[bytes, int, int, str], tuple[Any, int]]
READERS: tuple[Reader, ...] = (
    der.read_boolean,
    der.read_integer,
    der.read_unsigned,
    der.read_small,
    der.read_oid,
    der.read_octet_string,
    der.read_bit_string,
    der.read_named_bits,
    der.read_string,
    der.read_time,
)


def read(reader: Reader, text: str) -> Any:
    raw = bytes.fromhex(text)
    value, stop = reader(raw, 0, len(raw), "value")
    assert stop == len(raw)
    return value


# --- headers


@pytest.mark.parametrize("length", [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000])
def test_header_round_trip_at_every_length_form(length: int) -> None:
    raw = der.encode(der.OCTET_STRING, bytes(length))
    start, stop = der.enter(raw, 0, len(raw), der.OCTET_STRING, "value")
    assert (stop - start, stop) == (length, len(raw))
    assert der.read_any(raw, 0, len(raw), "value") == (der.OCTET_STRING, start, stop)
    assert core.OctetString(bytes(length)).dump() == raw


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "missing"),
        ("02", "length field is cut"),
        ("0401", "tag 04 where 02"),
        ("0281", "length field is cut"),
        ("028100", "not minimal"),
        ("02817f" + "00" * 127, "not minimal"),
        ("02820001" + "00", "not minimal"),
        ("028200ff" + "00" * 255, "not minimal"),
        ("028300ffff" + "00" * 65535, "not minimal"),
        ("0280000000", "indefinite"),
        ("028401000000", "more than four octets"),
        ("02ff", "more than four octets"),
        ("0202 00", "past the end"),
        ("0283 ff", "cut"),
    ],
)
def test_malformed_headers_are_refused_with_their_place(text: str, message: str) -> None:
    raw = b"\x30" + bytes.fromhex(text)
    with pytest.raises(DecodeError, match=message) as caught:
        der.enter(raw, 1, len(raw), der.INTEGER, "value")
    assert caught.value.offset == 1


def test_nothing_is_read_beyond_the_enclosing_element() -> None:
    raw = bytes.fromhex("0203010203")
    with pytest.raises(DecodeError, match="past the end"):
        der.enter(raw, 0, 4, der.INTEGER, "value")
    with pytest.raises(DecodeError, match="cut"):
        der.enter(raw, 0, 1, der.INTEGER, "value")
    with pytest.raises(DecodeError, match="past the end"):
        der.read_small(bytes.fromhex("02010302"), 0, 2, "value")


@pytest.mark.parametrize("text", ["1f810100", "bf8101", "3f"])
def test_tags_of_several_octets_are_refused(text: str) -> None:
    raw = bytes.fromhex(text)
    with pytest.raises(DecodeError, match="tag of more than one octet"):
        der.read_any(raw, 0, len(raw), "value")


def test_split_walks_over_all_elements() -> None:
    raw = bytes.fromhex("020101 0500 0402aabb")
    assert [(tag, raw[start:stop].hex()) for _, tag, start, stop in der.split(raw, 0, len(raw), "x")] == [
        (2, "01"),
        (5, ""),
        (4, "aabb"),
    ]
    with pytest.raises(DecodeError, match="past the end"):
        list(der.split(raw, 0, len(raw) - 1, "x"))


def test_sequence_must_fill_the_input() -> None:
    assert der.read_sequence(bytes.fromhex("3000"), "x") == (2, 2)
    with pytest.raises(DecodeError, match="1 octets follow"):
        der.read_sequence(bytes.fromhex("300000"), "x")
    with pytest.raises(DecodeError, match="over 2"):
        der.read_sequence(bytes.fromhex("300100"), "x", limit=2)


# --- primitive types, with asn1crypto as the second opinion


@given(st.integers(-(2**200), 2**200) | st.integers(-300, 300))
def test_integer(value: int) -> None:
    raw = der.encode_integer(value)
    assert raw == core.Integer(value).dump()
    assert read(der.read_integer, raw.hex()) == value
    for reader, good in ((der.read_unsigned, value >= 0), (der.read_small, 0 <= value < 128)):
        if good:
            assert read(reader, raw.hex()) == value
        else:
            with pytest.raises(DecodeError):
                read(reader, raw.hex())


@pytest.mark.parametrize("text", ["0200", "02020001", "0202007f", "0202ff80", "0202ffff"])
def test_integer_that_is_not_minimal(text: str) -> None:
    for reader in (der.read_integer, der.read_unsigned, der.read_small):
        with pytest.raises(DecodeError):
            read(reader, text)


def test_boolean() -> None:
    assert read(der.read_boolean, der.encode_boolean(True).hex()) is True
    assert read(der.read_boolean, der.encode_boolean(False).hex()) is False
    for text in ("010101", "01017f", "0100", "0102ffff"):
        with pytest.raises(DecodeError, match="neither 00 nor FF"):
            read(der.read_boolean, text)


def test_null() -> None:
    assert der.read_null(der.encode_null(), 0, 2, "x") == 2
    with pytest.raises(DecodeError, match="NULL with content"):
        der.read_null(bytes.fromhex("050100"), 0, 3, "x")


@given(st.binary(max_size=300))
def test_octet_and_bit_string(content: bytes) -> None:
    assert read(der.read_octet_string, der.encode_octet_string(content).hex()) == content
    assert read(der.read_bit_string, der.encode_bit_string(content).hex()) == content


@pytest.mark.parametrize("text", ["0300", "030101", "030207aa", "0302ff00"])
def test_bit_string_with_unused_bits(text: str) -> None:
    with pytest.raises(DecodeError, match="whole octets"):
        read(der.read_bit_string, text)


@pytest.mark.parametrize(
    ("bits", "text"),
    [(0, "030100"), (1, "03020780"), (0b1100000, "03020106"), (1 << 8, "0303070080"), (0xFFFFFFFF, "030500ffffffff")],
)
def test_named_bits(bits: int, text: str) -> None:
    assert der.encode_named_bits(bits).hex() == text
    assert read(der.read_named_bits, text) == bits


@given(st.integers(0, 2**32 - 1))
def test_named_bits_round_trip(bits: int) -> None:
    assert read(der.read_named_bits, der.encode_named_bits(bits).hex()) == bits


@pytest.mark.parametrize("text", ["0300", "030101", "03020880", "030207c0", "03020600", "03020680", "0306000000000001"])
def test_malformed_named_bits(text: str) -> None:
    with pytest.raises(DecodeError):
        read(der.read_named_bits, text)


@pytest.mark.parametrize(
    ("tag", "text", "content"),
    [
        (der.UTF8_STRING, "المغرب", "d8a7d984d985d8bad8b1d8a8"),
        (der.PRINTABLE_STRING, "MA", "4d41"),
        (der.IA5_STRING, "a@b", "614062"),
        (der.NUMERIC_STRING, "0 1", "302031"),
        (der.VISIBLE_STRING, "x~", "787e"),
        (der.T61_STRING, "é", "e9"),
        (der.BMP_STRING, "é", "00e9"),
        (der.UNIVERSAL_STRING, "é", "000000e9"),
    ],
)
def test_strings(tag: int, text: str, content: str) -> None:
    raw = der.encode_string(tag, text)
    assert raw[2:].hex() == content
    assert read(der.read_string, raw.hex()) == text


@pytest.mark.parametrize(
    "text", ["0c01ff", "130140", "160180", "1e0100", "1e02d800", "1c0400110000", "120141", "020101"]
)
def test_characters_outside_the_type(text: str) -> None:
    with pytest.raises(DecodeError):
        read(der.read_string, text)


def test_encoder_refuses_characters_outside_the_type() -> None:
    with pytest.raises(ValueError, match="repertoire"):
        der.encode_string(der.PRINTABLE_STRING, "@")


# --- times


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("1950-01-01T00:00:00Z", der.UTC_TIME),
        ("2049-12-31T23:59:59Z", der.UTC_TIME),
        ("2050-01-01T00:00:00Z", der.GENERALIZED_TIME),
        ("1949-12-31T23:59:59Z", der.GENERALIZED_TIME),
        ("2026-11-22T04:05:06Z", der.UTC_TIME),
    ],
)
def test_time_takes_the_form_of_its_year(text: str, tag: int) -> None:
    time = datetime.fromisoformat(text)
    raw = der.encode_time(time)
    assert raw[0] == tag
    assert read(der.read_time, raw.hex()) == time


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_time_round_trip(time: datetime) -> None:
    assert read(der.read_time, der.encode_time(time).hex()) == time.replace(microsecond=0)


def test_time_is_written_in_utc() -> None:
    local = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert der.encode_time(local)[2:] == b"251231233000Z"
    with pytest.raises(ValueError, match="zone"):
        der.encode_time(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("tag", "content"),
    [
        (der.UTC_TIME, b"2601010000Z"),
        (der.UTC_TIME, b"20260101000000Z"),
        (der.UTC_TIME, b"260101000000+0000"),
        (der.UTC_TIME, b"260230000000Z"),
        (der.UTC_TIME, b"260101240000Z"),
        (der.UTC_TIME, b"260101000060Z"),
        (der.UTC_TIME, b"26010100000 Z"),
        (der.UTC_TIME, "26010100000١Z".encode()),
        (der.UTC_TIME, b"2601010000000"),
        (der.GENERALIZED_TIME, b"260101000000Z"),
        (der.GENERALIZED_TIME, b"20510101000000.5Z"),
        (der.GENERALIZED_TIME, b"20260101000000Z"),
        (der.GENERALIZED_TIME, b"00000101000000Z"),
        (der.IA5_STRING, b"260101000000Z"),
        (der.UTC_TIME, b""),
    ],
)
def test_other_times_are_refused(tag: int, content: bytes) -> None:
    with pytest.raises(DecodeError):
        read(der.read_time, der.encode(tag, content).hex())


# --- any input


@settings(max_examples=examples(300))
@given(st.binary(max_size=64), st.integers(0, 70), st.integers(0, 70))
def test_any_octets_raise_decode_error_only(raw: bytes, offset: int, end: int) -> None:
    end = min(end, len(raw))
    for reader in READERS:
        try:
            _, stop = reader(raw, offset, end, "value")
        except DecodeError:
            continue
        assert offset < stop <= end


@settings(max_examples=examples(300))
@given(st.sampled_from([1, 2, 3, 4, 5, 6, 12, 19, 22, 23, 24]), st.binary(max_size=24))
def test_what_is_accepted_has_one_encoding(tag: int, content: bytes) -> None:
    raw = der.encode(tag, content)
    pairs: tuple[tuple[int, Reader, Callable[[Any], bytes]], ...] = (
        (1, der.read_boolean, der.encode_boolean),
        (2, der.read_integer, der.encode_integer),
        (6, der.read_oid, der.encode_oid),
        (12, der.read_string, lambda text: der.encode_string(der.UTF8_STRING, text)),
        (19, der.read_string, lambda text: der.encode_string(der.PRINTABLE_STRING, text)),
        (23, der.read_time, der.encode_time),
        (24, der.read_time, der.encode_time),
    )
    for due, reader, encode in pairs:
        if due == tag:
            try:
                value, _ = reader(raw, 0, len(raw), "value")
            except DecodeError:
                continue
            assert encode(value) == raw
