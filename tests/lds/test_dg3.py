from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.tlv import encode_tlv
from eid.errors import DecodeError
from eid.lds.cbeff import BiometricHeader
from eid.lds.dg3 import DG3, SUBTYPES, FingerInstance, build_dg3, build_empty_dg3, decode_dg3
from eid.lds.dg4 import build_empty_dg4, decode_dg4
from eid.lds.finger_record import Compression, FingerImage, FingerPosition, FingerRecord, decode_finger_record
from tests.builders.sweep import examples

WSQ = b"\xff\xa0 SPECIMEN"
INDEX = FingerImage(WSQ, FingerPosition.RIGHT_INDEX, 300, 400)
THUMBS = tuple(FingerImage(WSQ, FingerPosition.LEFT_THUMB, 300, 400, view, 80, 1) for view in (1, 2))
RICH = FingerRecord((INDEX, *THUMBS), Compression.PNG, 77, 30, 2, (197, 198), (199, 200), 4)


def test_the_layout_is_iso_19794_4_in_cbeff() -> None:
    raw = build_dg3([FingerRecord((INDEX,))], created=bytes.fromhex("20260102030405")).encode()
    record = (
        b"FIR\x00010\x00" + (32 + 14 + len(WSQ)).to_bytes(6, "big")
        + bytes.fromhex("0000 001F 01 01 01F4 01F4 01F4 01F4 08 02 0000")  # 7.1 general header
        + (14 + len(WSQ)).to_bytes(4, "big") + bytes.fromhex("02 01 01 FE 00 012C 0190 00")  # 7.2 finger image header
        + WSQ
    )  # fmt: skip
    header = bytes.fromhex("80020101 810108 820109 830720260102030405 87020101 88020007")
    template = encode_tlv(0x7F60, encode_tlv(0xA1, header) + encode_tlv(0x5F2E, record))
    assert raw == encode_tlv(0x63, encode_tlv(0x7F61, bytes.fromhex("020101") + template))


def test_subtypes_are_those_of_iso_7816_11() -> None:
    assert [SUBTYPES[FingerPosition(number)] for number in range(1, 11)] == [5, 9, 13, 17, 21, 6, 10, 14, 18, 22]


def test_round_trip_of_several_fingers_with_several_views() -> None:
    bare = BiometricHeader(None, None, None, None, None, None, None, None)
    value = DG3((FingerInstance(RICH, bare), *build_dg3([FingerRecord((INDEX,)), FingerRecord(THUMBS)]).instances))
    decoded = decode_dg3(value.encode())
    assert decoded == value
    assert decoded.raw == value.encode()
    assert decoded.images == (INDEX, *THUMBS, INDEX, *THUMBS)
    assert decoded.defects == ()
    assert "SPECIMEN" not in repr(decoded)


def test_an_empty_dg3_and_dg4_hold_a_random_number() -> None:
    empty = build_empty_dg3(lambda count: b"\xab" * count)
    assert empty.encode() == bytes.fromhex("6318 7F6103020100 5310" + "AB" * 16)
    assert decode_dg3(empty.encode()) == empty
    assert decode_dg3(empty.encode()).images == ()
    assert build_empty_dg3().encode() != build_empty_dg3().encode()
    assert build_empty_dg4(lambda count: b"\xab" * count).encode() == b"\x76" + empty.encode()[1:]
    assert decode_dg3(bytes.fromhex("63067F6103020100")) == DG3()


@pytest.mark.parametrize("records", [(), (FingerRecord(()),), (RICH,)])
def test_each_template_holds_one_finger(records: tuple[FingerRecord, ...]) -> None:
    with pytest.raises(ValueError, match="finger"):
        build_dg3(records)


def with_record(record: bytes) -> bytes:
    template = encode_tlv(0x7F60, encode_tlv(0xA1, b"") + encode_tlv(0x5F2E, record))
    return encode_tlv(0x63, encode_tlv(0x7F61, bytes.fromhex("020101") + template))


def test_a_wrong_record_length_and_padding_are_read_and_told() -> None:
    record = RICH.encode()
    decoded = decode_dg3(with_record(record[:8] + bytes(6) + record[14:] + b"\0\0"))
    assert decoded.images == RICH.images
    assert decoded.defects == (
        f"record length states 0 octets of {len(record) + 2}",
        "2 octets follow the last image",
    )


ONE = FingerRecord((INDEX,)).encode()


@pytest.mark.parametrize(
    "record",
    [
        b"",
        ONE[:31],
        b"FAC" + ONE[3:],
        ONE.replace(b"010\0", b"020\0"),
        ONE[:18] + b"\0" + ONE[19:],
        ONE[:18] + b"\2" + ONE[19:],
        ONE[:-1],
        ONE[:40],
        ONE[:32] + bytes.fromhex("0000000D") + ONE[36:],
        FingerRecord((INDEX,) * 65).encode(),
    ],
)
def test_malformed_records_are_refused(record: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_finger_record(record)
    with pytest.raises(DecodeError):
        decode_dg3(with_record(record))


@pytest.mark.parametrize(
    "content", ["", "5300", "7F6100", "7F6103020101", "7F6103020100C000", "7F61030201005300" + "5300"]
)
def test_malformed_groups_are_refused(content: str) -> None:
    for tag, decoder in ((0x63, decode_dg3), (0x76, decode_dg4)):
        with pytest.raises(DecodeError):
            decoder(encode_tlv(tag, bytes.fromhex(content)))


@given(st.binary(max_size=120), st.data())
@settings(max_examples=examples(150))
def test_nothing_but_decode_error(junk: bytes, data: st.DataObject) -> None:
    good = DG3((FingerInstance(RICH, BiometricHeader()),)).encode()
    place = data.draw(st.integers(0, len(good) - 1))
    changed = good[:place] + bytes((data.draw(st.integers(0, 255)),)) + good[place + 1 :]
    for raw in (junk, encode_tlv(0x63, junk), with_record(junk), with_record(b"FIR\x00010\x00" + junk), changed):
        try:
            decode_dg3(raw)
        except DecodeError:
            pass
