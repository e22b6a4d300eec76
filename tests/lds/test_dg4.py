from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.tlv import encode_tlv
from eid.errors import DecodeError
from eid.lds.cbeff import DATA_BLOCK_CONSTRUCTED, BiometricHeader
from eid.lds.dg4 import DG4, IRIS, IrisInstance, build_dg4, decode_dg4
from eid.lds.iris_record import Eye, IrisImage, IrisImageFormat, IrisRecord, decode_iris_record
from tests.builders.sweep import examples

JPEG = b"\xff\xd8\xff SPECIMEN"
RIGHT = IrisImage(JPEG, Eye.RIGHT)
LEFT = tuple(IrisImage(JPEG + bytes((number,)), Eye.LEFT, number, 80, 0x1234, 0x5678) for number in (1, 2))
PLAIN = IrisRecord((RIGHT,), IrisImageFormat.MONO_JPEG, 640, 480)
RICH = IrisRecord((RIGHT, *LEFT), IrisImageFormat.RGB_JPEG2000, 641, 481, 12, 0x02FF, 200, 1, 77, b"D" + bytes(15))


def test_the_layout_is_iso_19794_6_in_cbeff() -> None:
    raw = build_dg4([PLAIN], created=bytes.fromhex("20260102030405")).encode()
    record = (
        b"IIR\x00010\x00" + (45 + 3 + 11 + len(JPEG)).to_bytes(4, "big")
        + bytes.fromhex("0000 01 002D 0015 0000 0006 0280 01E0 08 00") + bytes(16)  # general header
        + bytes.fromhex("01 0001")  # right eye, one image
        + bytes.fromhex("0001 FE FFFF FFFF") + len(JPEG).to_bytes(4, "big")  # image header
        + JPEG
    )  # fmt: skip
    header = bytes.fromhex("80020101 810110 820101 830720260102030405 87020101 88020009")
    template = encode_tlv(0x7F60, encode_tlv(0xA1, header) + encode_tlv(0x5F2E, record))
    assert raw == encode_tlv(0x76, encode_tlv(0x7F61, bytes.fromhex("020101") + template))


def test_round_trip_of_both_eyes_in_every_form() -> None:
    left = IrisRecord(LEFT, IrisImageFormat.MONO_RAW, 1, 2)
    bare = BiometricHeader(None, None, None, None, None, None, None, None)
    value = DG4((*build_dg4([PLAIN, left]).instances, IrisInstance(RICH, bare)))
    decoded = decode_dg4(value.encode())
    assert decoded == value
    assert decoded.raw == value.encode()
    assert [item.header.subtype for item in decoded.instances] == [b"\x01", b"\x02", None]
    assert decoded.images == (RIGHT, *LEFT, RIGHT, *LEFT)
    assert decoded.defects == ()
    assert "SPECIMEN" not in repr(decoded)


def test_a_record_of_another_format_is_kept_as_it_stands() -> None:
    later = BiometricHeader(biometric_type=IRIS, format_type=bytes.fromhex("002C"))
    value = DG4(tuple(IrisInstance(b"\x65\x00", later, tag) for tag in (0x5F2E, DATA_BLOCK_CONSTRUCTED)))
    decoded = decode_dg4(value.encode())
    assert decoded == value
    assert (decoded.images, decoded.defects) == ((), ())


@pytest.mark.parametrize("records", [(), (IrisRecord((), 6, 1, 1),), (RICH,)])
def test_each_template_holds_one_eye(records: tuple[IrisRecord, ...]) -> None:
    with pytest.raises(ValueError, match=r"iris|eye"):
        build_dg4(records)


def with_record(record: bytes) -> bytes:
    template = encode_tlv(0x7F60, encode_tlv(0xA1, b"") + encode_tlv(0x5F2E, record))
    return encode_tlv(0x76, encode_tlv(0x7F61, bytes.fromhex("020101") + template))


def test_a_wrong_record_length_and_padding_are_read_and_told() -> None:
    record = RICH.encode()
    decoded = decode_dg4(with_record(record[:8] + bytes(4) + record[12:] + b"\0\0"))
    assert decoded.images == RICH.images
    assert decoded.defects == (
        f"record length states 0 octets of {len(record) + 2}",
        "2 octets follow the last image",
    )


ONE = PLAIN.encode()


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"", "header is cut"),
        (ONE[:44], "header is cut"),
        (b"FIR" + ONE[3:], "not an iris record"),
        (ONE.replace(b"010\0", b"020\0"), "not an iris record"),
        (ONE[:14] + b"\0" + ONE[15:], "0 eyes"),
        (ONE[:14] + b"\3" + ONE[15:], "3 eyes"),
        (ONE[:14] + b"\2" + ONE[15:], "subtype header is cut"),
        (ONE[:15] + b"\0\x2e" + ONE[17:], "header of 46 octets"),
        (ONE[:46] + b"\0\0" + ONE[48:], "0 images"),
        (ONE[:46] + b"\0\x41" + ONE[48:], "65 images"),
        (ONE[:46] + b"\0\2" + ONE[48:], "image header is cut"),
        (ONE[:-1], "image is cut"),
        (ONE[:55] + b"\xff" + ONE[56:], "image is cut"),
    ],
)
def test_malformed_records_are_refused(record: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        decode_iris_record(record)
    with pytest.raises(DecodeError, match=message):
        decode_dg4(with_record(record))


@given(st.binary(max_size=120), st.data())
@settings(max_examples=examples(100))
def test_nothing_but_decode_error(junk: bytes, data: st.DataObject) -> None:
    good = DG4((IrisInstance(RICH),)).encode()
    place = data.draw(st.integers(0, len(good) - 1))
    changed = good[:place] + bytes((data.draw(st.integers(0, 255)),)) + good[place + 1 :]
    for raw in (junk, encode_tlv(0x76, junk), with_record(junk), with_record(b"IIR\x00010\x00" + junk), changed):
        try:
            decode_dg4(raw)
        except DecodeError:
            pass
