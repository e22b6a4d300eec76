from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec import der
from eid.codec.tlv import Tlv, encode_tlv
from eid.errors import DecodeError
from eid.lds.com import EfCom, decode_ef_com
from eid.lds.dg1 import DG1, build_dg1, decode_dg1
from eid.lds.dg7 import DG7, decode_dg7
from eid.lds.dg11 import DG11, decode_dg11
from eid.lds.dg12 import DG12, decode_dg12
from eid.lds.dg13 import DG13, PersonName, StatusListReference, decode_dg13
from eid.lds.dg15 import DG15, decode_dg15
from eid.lds.tag_list import MAX_TAGS, decode_tag_list
from tests.builders.sweep import examples

# Doc 9303-5 Appendix B, Doc 9303-6 Appendix B, Doc 9303-4 Appendix B: the specimen of Utopia
TD1 = "I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6ERIKSSON<<ANNA<MARIA<<<<<<<<<<"
TD2 = "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<D231458907UTO7408122F1204159<<<<<<<6"
TD3 = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<L898902C36UTO7408122F1204159ZE184226B<<<<<10"

ARABIC = "سلمى النموذجي"
FULL_DG11 = DG11(
    full_name="النموذجي<<سلمى",
    other_names=("SPECIMEN<<SALMA", "NAMOUDAJI<<S"),
    personal_number="ZZ000001",
    full_date_of_birth="19900100",
    place_of_birth=("الرباط", "RABAT"),
    permanent_address=("1 RUE DU SPECIMEN", "RABAT"),
    telephone="",
    profession="SPECIMEN",
    title="",
    personal_summary="S",
    proof_of_citizenship=b"\xff\xd8\xff\x00",
    other_document_numbers=("SP0000001",),
    custody_information="",
)
FULL_DG12 = DG12(
    issuing_authority="SPECIMEN AUTHORITY",
    date_of_issue="20260102",
    other_persons=("SPECIMEN<<A",),
    endorsements="NONE",
    tax_or_exit_requirements="",
    image_of_front=b"front",
    image_of_rear=b"rear",
    time_of_personalization="20260102030405",
    personalization_system="0001",
    other=(Tlv(0x5F58, b""), Tlv(0xC0, b"x"), Tlv(0x7F8101, b"y")),
)
FULL_DG13 = DG13(
    father=PersonName("الأب النموذجي", "SPECIMEN FATHER"),
    mother=PersonName("الأم النموذجية", "SPECIMEN MOTHER"),
    partner=PersonName("الزوج", "SPECIMEN PARTNER"),
    civil_status_number="123/1990",
    status_list=StatusListReference("https://status.example/lists/1", 70_000),
)


def test_ef_com_of_doc_9303_11_d4(vectors: Any) -> None:
    vector = vectors["ef_com"]
    decoded = decode_ef_com(bytes.fromhex(vector["raw"]))
    assert decoded.lds_version == vector["lds_version"]
    assert decoded.unicode_version == vector["unicode_version"]
    assert list(decoded.data_groups) == vector["data_groups"]
    assert decoded.encode().hex().upper() == vector["raw"]


def test_ef_com_passes_over_unknown_tags() -> None:
    decoded = decode_ef_com(EfCom(tags=(0x61, 0x7F61, 0x6F)).encode())
    assert decoded.tags == (0x61, 0x7F61, 0x6F)
    assert decoded.data_groups == (1, 15)


@pytest.mark.parametrize(
    "raw",
    [
        "600A5F0104303130375C0161",  # no Unicode version
        "60145F0104303130415F36063034303030305C026175",  # LDS version is no number
        "60135F01033031305F36063034303030305C026175",
        "60145F0104303130365F36063034303030305C027F",
        "61145F0104303130365F36063034303030305C026175",
        "",
    ],
)
def test_malformed_ef_com_is_refused(raw: str) -> None:
    with pytest.raises(DecodeError):
        decode_ef_com(bytes.fromhex(raw))


def test_tag_lists_are_bounded() -> None:
    assert decode_tag_list(b"\x61" * MAX_TAGS) == (0x61,) * MAX_TAGS
    assert decode_tag_list(bytes.fromhex("61 5F0E 7F8101 7F818101 C0")) == (0x61, 0x5F0E, 0x7F8101, 0x7F818101, 0xC0)
    for raw in (b"\x61" * (MAX_TAGS + 1), b"\x5f", b"\x5f\x8f", bytes.fromhex("7F81818101")):
        with pytest.raises(DecodeError):
            decode_tag_list(raw)


@pytest.mark.parametrize(("text", "lengths"), [(TD1, [30] * 3), (TD2, [36] * 2), (TD3, [44] * 2)])
def test_dg1_of_each_format(text: str, lengths: list[int]) -> None:
    decoded = decode_dg1(DG1(text).encode())
    assert decoded == DG1(text)
    assert [len(line) for line in decoded.lines] == lengths
    mrz = decoded.mrz()
    assert (mrz.issuing_state, mrz.primary_identifier, mrz.secondary_identifier) == ("UTO", "ERIKSSON", "ANNA MARIA")
    assert build_dg1(mrz) == decoded
    assert "ERIKSSON" not in repr(decoded)


def test_dg1_leaves_the_check_digits_to_the_mrz() -> None:
    wrong = decode_dg1(DG1(TD3.replace("L898902C36", "L898902C37")).encode())
    with pytest.raises(DecodeError):
        wrong.mrz()


@pytest.mark.parametrize("value", [b"", b"A" * 89, "é".encode() * 45])
def test_malformed_dg1_is_refused(value: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_dg1(encode_tlv(0x61, encode_tlv(0x5F1F, value)))


def test_dg7_round_trip_and_count() -> None:
    for images in ((b"one",), (b"one", b"two")):
        assert decode_dg7(DG7(images).encode()) == DG7(images)
    one = encode_tlv(0x5F43, b"x")
    for content in (one, encode_tlv(2, b"\2") + one, encode_tlv(2, b"\1") + one * 2, encode_tlv(2, b"\0")):
        with pytest.raises(DecodeError):
            decode_dg7(encode_tlv(0x67, content))


def test_dg11_of_doc_9303_10_a5(vectors: Any) -> None:
    raw = bytes.fromhex(vectors["dg11"]["raw"])
    decoded = decode_dg11(raw)
    assert decoded == DG11(
        full_name="SMITH<<JOHN<J",
        place_of_birth=("ANYTOWN", "MN"),
        permanent_address=("123 MAPLE RD", "ANYTOWN", "MN"),
        telephone="16125551212",
        profession="TRAVEL<AGENT",
    )
    assert decoded.defects == ()
    assert decoded.encode() == raw


def test_dg11_with_every_element_round_trips_and_says_nothing() -> None:
    decoded = decode_dg11(FULL_DG11.encode())
    assert decoded == FULL_DG11
    assert decoded.defects == ()
    assert repr(decoded) == "DG11(defects=())"


def test_dg12_with_every_element_round_trips() -> None:
    decoded = decode_dg12(FULL_DG12.encode())
    assert decoded == FULL_DG12
    assert decoded.defects == ()


def test_names_stand_in_template_a0_with_their_number() -> None:
    content = bytes.fromhex("A00B") + bytes.fromhex("0201025F0F01415F0F0142")
    assert encode_tlv(0xA0, bytes.fromhex("0201025F0F01415F0F0142")) in DG11(other_names=("A", "B")).encode()
    decoded = decode_dg11(encode_tlv(0x6B, bytes.fromhex("5C01A0") + content))
    assert decoded.other_names == ("A", "B")
    assert decoded.defects == ()
    wrong = encode_tlv(0x6B, bytes.fromhex("5C01A0A00B0201035F0F01415F0F0142"))
    with pytest.raises(DecodeError):
        decode_dg11(wrong)


def dg11(content: str) -> DG11:
    return decode_dg11(encode_tlv(0x6B, bytes.fromhex(content)))


def test_deviations_of_dg11_are_read_and_told() -> None:
    assert dg11("5C025F0F5F0F0141").defects == ("data object 5F0F outside template A0",)
    assert dg11("5C025F0F5F0F0141").other_names == ("A",)
    assert dg11("5F0E0141").defects == ("tag list is missing",)
    assert dg11("5C025F115F0E0141").defects == ("tag list does not match the elements",)
    latin_1 = dg11("5C025F0E5F0E02C941")
    assert latin_1.full_name == "ÉA"
    assert latin_1.defects == ("data object 5F0E is not UTF-8",)
    assert dg11("5C025F125F1200").telephone == ""
    assert dg11("5C025F2B5F2B00").full_date_of_birth == ""


def test_dates_are_digits_or_packed_bcd() -> None:
    assert dg11("5C025F2B5F2B083139393030313032").full_date_of_birth == "19900102"
    assert dg11("5C025F2B5F2B0419900102").full_date_of_birth == "19900102"
    time = decode_dg12(encode_tlv(0x6C, bytes.fromhex("5C025F555F550720260102030405")))
    assert time.time_of_personalization == "20260102030405"
    for content in ("5C025F2B5F2B0319900102", "5C025F2B5F2B041990010A", "5C025F2B5F2B083139393030313041"):
        with pytest.raises(DecodeError):
            dg11(content)


def test_unknown_elements_are_kept() -> None:
    decoded = dg11("5C01C0C0020102")
    assert decoded.other == (Tlv(0xC0, b"\1\2"),)
    assert decode_dg11(decoded.encode()) == decoded


def test_an_element_twice_is_refused() -> None:
    with pytest.raises(DecodeError):
        dg11("5C025F0E5F0E01415F0E0142")


@pytest.mark.parametrize(
    "value",
    [DG11(place_of_birth=("A<B",)), DG11(full_date_of_birth="1990"), DG12(time_of_personalization="2026010203040X")],
)
def test_what_cannot_be_written_is_refused(value: DG11 | DG12) -> None:
    with pytest.raises(ValueError, match=r"filler|digits"):
        value.encode()


def test_dg13_round_trip_and_layout() -> None:
    assert decode_dg13(FULL_DG13.encode()) == FULL_DG13
    assert decode_dg13(DG13().encode()) == DG13()
    small = DG13(
        mother=PersonName("أ", "A"), civil_status_number="7", status_list=StatusListReference("urn:x", 0)
    ).encode()
    assert small.hex().upper() == "6D1B800101A2078002D8A3810141830137A40A800575726E3A78810100"
    assert "SPECIMEN" not in repr(FULL_DG13)
    own = DG13(details=(("blood_group", "AB+"), ("parish", "ΛΙΜΑΝΙ")))
    assert decode_dg13(own.encode()) == own
    assert DG13(details=(("a", "B"),)).encode().hex().upper() == "6D0D800101A608A006800161810142"
    assert "AB+" not in repr(own)


@pytest.mark.parametrize(
    "content",
    [
        "",  # another state's
        "800102",
        "800101A103800141",  # no Latin name
        "8001018301FF",
        "800101A605A003800161",  # a code without a text
        "800101A603800161",  # not in a template of its own
        "800101A608A0068001618101FF",
        "800101A40A800575726E3A78810100A40A800575726E3A78810100",
        "800101A405800178810100"[:-2],
        "800101A40480017881000"[:-1],
        "800101A409800575726E3A788100",
        "800101A40B800575726E3A7881020001",
        "800101A40A800575726E2078810100",
        "800101A40A8005C3A9723A78810100",
        "800101838204" + "00" + "41" * 1024,
    ],
)
def test_malformed_dg13_is_refused(content: str) -> None:
    with pytest.raises(DecodeError):
        decode_dg13(encode_tlv(0x6D, bytes.fromhex(content)))


def test_dg13_passes_over_what_a_later_version_adds() -> None:
    assert decode_dg13(encode_tlv(0x6D, bytes.fromhex("800101C90141"))) == DG13()


def test_dg15_round_trip() -> None:
    info = der.encode_sequence(der.encode_null())
    decoded = decode_dg15(DG15(info).encode())
    assert decoded.public_key_info == info
    for value in (b"", der.encode_null(), info + b"\0"):
        with pytest.raises(DecodeError):
            decode_dg15(encode_tlv(0x6F, value))


DECODERS: list[tuple[int, Callable[[bytes], object], bytes]] = [
    (0x60, decode_ef_com, EfCom((0x61, 0x75)).encode()),
    (0x61, decode_dg1, DG1(TD1).encode()),
    (0x67, decode_dg7, DG7((b"one", b"two")).encode()),
    (0x6B, decode_dg11, FULL_DG11.encode()),
    (0x6C, decode_dg12, FULL_DG12.encode()),
    (0x6D, decode_dg13, FULL_DG13.encode()),
    (0x6F, decode_dg15, DG15(der.encode_sequence(der.encode_null())).encode()),
]


@pytest.mark.parametrize(("tag", "decoder", "good"), DECODERS)
def test_nothing_but_decode_error(tag: int, decoder: Callable[[bytes], object], good: bytes) -> None:
    @given(st.binary(max_size=120), st.integers(0, len(good) - 1), st.integers(0, 255))
    @settings(max_examples=examples(150))
    def check(junk: bytes, place: int, octet: int) -> None:
        changed = good[:place] + bytes((octet,)) + good[place + 1 :]
        for data in (junk, encode_tlv(tag, junk), changed, good[:place]):
            try:
                decoder(data)
            except DecodeError:
                pass

    check()
    assert getattr(decoder(good), "raw") == good  # noqa: B009
