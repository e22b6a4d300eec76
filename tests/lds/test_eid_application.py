"""Data groups of the eID application: octets as cards have them, round trips, arbitrary octets."""

from __future__ import annotations

import zlib
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec import der
from eid.errors import DecodeError
from eid.lds.eid_application import EID_GROUPS, EidValue, decode_eid_group, eid_group, encode_eid_group
from eid.lds.eid_values import FreetextPlace, NoPlace, OptionalData, Place, Text
from eid.mrz import PartialDate
from tests.builders.sweep import examples

NUMBERS = [group.number for group in EID_GROUPS]
SALE = Place("Salé", "MAR", street="Rue de l'Exemple 7", zip_code="11000")

# [APPLICATION n] with explicit tags throughout, as TR-03110-4 2.2.3.1 says; invented values, SPECIMEN.
OCTETS: list[tuple[int, EidValue, str]] = [
    (1, "ID", "61 04 13 02 4944"),
    (2, "MAR", "62 05 13 03 4D4152"),
    (2, Place("Rabat", "MAR"), "62 12 30 10 AB 07 0C 05 5261626174 AD 05 13 03 4D4152"),
    (3, date(2035, 12, 31), "63 0A 12 08 3230333531323331"),
    (4, "ÉLA", "64 06 0C 04 C3894C41"),
    (5, "SPECIMEN", "65 0A 0C 08 53504543494D454E"),
    (6, "", "66 02 0C 00"),
    (7, "DR.", "67 05 0C 03 44522E"),
    (8, PartialDate(1985, 2, 14), "68 0A 12 08 3139383530323134"),
    (8, PartialDate(1985), "68 0A 12 08 3139383520202020"),
    (9, FreetextPlace("RABAT"), "69 09 A1 07 0C 05 5241424154"),
    (9, NoPlace("?"), "69 05 A2 03 0C 01 3F"),
    (10, "D", "6A 03 13 01 44"),
    (11, " ", "6B 03 13 01 20"),
    (12, (), "6C 02 31 00"),
    (12, (OptionalData("1.2.3", b"\x05\x00"),), "6C 0A 31 08 30 06 06 02 2A03 0500"),
    (13, "NÉE", "6D 06 0C 04 4EC38945"),
    (14, b"\xff\x4f", "6E 04 04 02 FF4F"),
    (15, date(2026, 1, 2), "6F 0A 12 08 3230323630313032"),
    (17, (FreetextPlace("A"),), "71 05 A1 03 0C 01 41"),
    (17, (FreetextPlace("A"), FreetextPlace("B")), "71 0C 31 0A A1 03 0C 01 41 A1 03 0C 01 42"),
    (18, bytes.fromhex("0504010203"), "72 07 04 05 0504010203"),
    (19, Text("x"), "73 05 A1 03 0C 01 78"),
    (20, Text(""), "74 04 A1 02 0C 00"),
    (21, "+212537000000", "75 0F 13 0D 2B323132353337303030303030"),
    (22, "a@example.org", "76 0F 16 0D 61406578616D706C652E6F7267"),
]


@pytest.mark.parametrize(("number", "value", "octets"), OCTETS)
def test_octets(number: int, value: EidValue, octets: str) -> None:
    raw = bytes.fromhex(octets)
    assert encode_eid_group(number, value) == raw
    assert decode_eid_group(number, raw) == value


def test_table() -> None:
    assert [*range(1, 16), *range(17, 23)] == NUMBERS
    assert {item[0] for item in OCTETS} == set(NUMBERS)
    file = eid_group(17).file
    assert (file.name, file.fid, file.sfi, file.tag) == ("DG17", 0x0111, 0x11, 0x71)
    assert len({group.name for group in EID_GROUPS}) == len(EID_GROUPS)


def test_a_place_with_all_parts() -> None:
    raw = encode_eid_group(17, (SALE,))
    assert raw[2:4] == b"\x30" + bytes((len(raw) - 4,))
    assert decode_eid_group(17, raw) == (SALE,)
    assert "Salé" not in repr(SALE)


def test_deflated_text() -> None:
    text = Text("Aufenthaltserlaubnis SPECIMEN " * 40, compressed=True)
    raw = encode_eid_group(19, text)
    assert len(raw) < 100
    assert decode_eid_group(19, raw) == text


def test_a_bomb_is_not_inflated() -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    content = deflate.compress(bytes(10 << 20)) + deflate.flush()
    assert len(content) < 1 << 14
    with pytest.raises(DecodeError, match="65536"):
        decode_eid_group(19, der.encode(0x73, der.encode_explicit(2, der.encode_octet_string(content))))


@pytest.mark.parametrize(
    ("number", "octets"),
    [
        (1, "61 04 13 02 6964"),  # small letters
        (1, "61 05 13 03 494458"),  # three of them
        (2, "62 04 13 02 4D41"),  # two letters are no ICAO code
        (3, "63 0A 12 08 3230333532323331"),  # month 22
        (3, "63 0A 12 08 3230333520202020"),  # an expiry date is whole
        (8, "68 0A 12 08 3139383520203134"),  # a day without a month
        (8, "68 0A 0C 08 3139383530323134"),  # a UTF8String
        (9, "69 07 0C 05 5241424154"),  # no choice
        (9, "69 09 30 07 AD 05 13 03 4D4152"),  # a country without a city
        (2, "62 12 30 10 AD 05 13 03 4D4152 AB 07 0C 05 5261626174"),  # out of order
        (2, "62 12 30 10 8B 07 0C 05 5261626174 AD 05 13 03 4D4152"),  # not explicit
        (11, "6B 03 13 01 58"),  # X is not of ICAOSex here
        (12, "6C 04 31 02 0500"),  # no OptionalData
        (12, "6C 0C 31 0A 30 08 06 02 2A03 0500 0500"),  # two elements
        (16, "70 02 0C 00"),  # reserved
        (17, "71 04 A3 02 0C 00"),
        (18, "72 05 04 02 0504 00"),  # something behind
        (19, "73 04 A2 02 0C 00"),
        (19, "73 05 A2 03 04 01 FF"),  # not deflated
        (21, "75 03 13 01 40"),  # @ is no PrintableString
        (5, "64 02 0C 00"),  # the tag of another group
        (0, ""),
        (23, "77 00"),
    ],
)
def test_what_is_refused(number: int, octets: str) -> None:
    with pytest.raises(DecodeError):
        decode_eid_group(number, bytes.fromhex(octets))


def test_callers_mistakes() -> None:
    for number, value in (
        (1, "id"),
        (1, "IDX"),
        (2, "MA"),
        (10, "mar"),
        (10, "MA"),
        (11, "X"),
        (21, "a@b"),
        (22, "é@a.org"),
    ):
        with pytest.raises(ValueError, match=r".*"):
            encode_eid_group(number, value)


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40)
letters = st.sampled_from(["D", "MAR", "UTO"])
places = st.one_of(
    st.builds(FreetextPlace, names),
    st.builds(NoPlace, names),
    st.builds(Place, names, letters, st.none() | names, st.none() | names, st.none() | st.just("11 000")),
)
partial_dates = st.dates(date(1900, 1, 1)).flatmap(
    lambda day: st.sampled_from(
        [PartialDate(day.year, day.month, day.day), PartialDate(day.year, day.month), PartialDate(day.year)]
    )
)
groups = st.one_of(
    st.tuples(st.sampled_from([4, 5, 6, 7, 13]), names),
    st.tuples(st.sampled_from([3, 15]), st.dates(date(1900, 1, 1))),
    st.tuples(st.just(8), partial_dates),
    st.tuples(st.just(9), places),
    st.tuples(st.just(17), places.map(lambda place: (place,))),
    st.tuples(st.sampled_from([14, 18]), st.binary(max_size=300)),
    st.tuples(st.sampled_from([19, 20]), st.builds(Text, names, st.booleans())),
)


@settings(max_examples=examples(120), deadline=None)
@given(groups)
def test_round_trip(item: tuple[int, EidValue]) -> None:
    number, value = item
    assert decode_eid_group(number, encode_eid_group(number, value)) == value


@settings(max_examples=examples(150), deadline=None)
@given(number=st.sampled_from(NUMBERS), content=st.binary(max_size=60), wrapped=st.booleans())
def test_arbitrary_octets(number: int, content: bytes, wrapped: bool) -> None:
    raw = der.encode(0x60 | number, content) if wrapped else content
    try:
        value = decode_eid_group(number, raw)
    except DecodeError:
        return
    again = encode_eid_group(number, value)
    assert decode_eid_group(number, again) == value


@settings(max_examples=examples(150), deadline=None)
@given(item=st.sampled_from(OCTETS), place=st.integers(0, 40), bit=st.integers(0, 7))
def test_a_flipped_bit(item: tuple[int, EidValue, str], place: int, bit: int) -> None:
    raw = bytearray(bytes.fromhex(item[2]))
    raw[place % len(raw)] ^= 1 << bit
    try:
        decode_eid_group(item[0], bytes(raw))
    except DecodeError:
        pass


def test_no_more_than_a_card_would_hold() -> None:
    many = tuple(FreetextPlace(str(number)) for number in range(17))
    with pytest.raises(DecodeError, match="16 places"):
        decode_eid_group(17, encode_eid_group(17, many))
    data = tuple(OptionalData(f"1.2.{number}") for number in range(65))
    with pytest.raises(DecodeError, match="too much"):
        decode_eid_group(12, encode_eid_group(12, data))
    with pytest.raises(DecodeError, match="no date"):
        decode_eid_group(8, bytes.fromhex("680A12083230323630323330"))  # 30 February
