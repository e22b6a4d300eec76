from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.tlv import encode_tlv
from eid.errors import DecodeError
from eid.lds.cbeff import BiometricHeader
from eid.lds.dg2 import DG2, FaceInstance, build_dg2, decode_dg2
from eid.lds.facial_record import (
    FacialImage,
    FacialRecord,
    ImageDataType,
    decode_facial_record,
    image_data_type,
)
from tests.builders.sweep import examples

JPEG = b"\xff\xd8\xff\xe0 not a real picture"
JP2 = b"\x00\x00\x00\x0cjP  \r\n\x87\n box"
CODESTREAM = b"\xff\x4f\xff\x51 bare"

RICH = FacialImage(
    CODESTREAM,
    ImageDataType.JPEG2000,
    width=413,
    height=531,
    gender=2,
    eye_colour=3,
    hair_colour=4,
    feature_mask=b"\1\2\3",
    expression=5,
    pose=b"\4\5\6",
    pose_uncertainty=b"\7\x08\x09",
    feature_points=bytes(range(16)),
    image_type=2,
    colour_space=3,
    source_type=2,
    device_type=77,
    quality=88,
)


def test_the_layout_is_iso_19794_5_in_cbeff() -> None:
    raw = build_dg2(JPEG, 413, 531, created=bytes.fromhex("20260102030405")).encode()
    record = (
        b"FAC\x00010\x00" + (14 + 20 + 12 + len(JPEG)).to_bytes(4, "big") + b"\x00\x01"  # 5.4 header
        + (20 + 12 + len(JPEG)).to_bytes(4, "big") + bytes(16)  # 5.5 facial information, no points
        + bytes.fromhex("01 00 019D 0213 01 00 0000 0000")  # 5.7 image information
        + JPEG
    )  # fmt: skip
    header = bytes.fromhex("80020101 810102 820100 830720260102030405 87020101 88020008")
    template = encode_tlv(0x7F60, encode_tlv(0xA1, header) + encode_tlv(0x5F2E, record))
    assert raw == encode_tlv(0x75, encode_tlv(0x7F61, bytes.fromhex("020101") + template))


def test_round_trip_of_several_records_with_several_images() -> None:
    bare = BiometricHeader(None, None, None, None, None, None, None, None)
    full = BiometricHeader(created=bytes(7), validity=bytes(8), creator=bytes(2))
    value = DG2((FaceInstance(FacialRecord((RICH, RICH)), bare), FaceInstance(FacialRecord((RICH,)), full)))
    decoded = decode_dg2(value.encode())
    assert decoded == value
    assert len(decoded.images) == 3
    assert decoded.defects == ()
    assert "bare" not in repr(decoded)


def test_image_types_are_told_by_their_first_octets() -> None:
    assert image_data_type(JPEG) is ImageDataType.JPEG
    assert image_data_type(JP2) is image_data_type(CODESTREAM) is ImageDataType.JPEG2000
    assert image_data_type(b"GIF89a") is None
    assert build_dg2(JP2, 1, 2).images[0].data_type == 1
    with pytest.raises(ValueError, match="JPEG"):
        build_dg2(b"GIF89a", 1, 2)


def with_record(record: bytes) -> bytes:
    template = encode_tlv(0x7F60, encode_tlv(0xA1, b"") + encode_tlv(0x7F2E, record))
    return encode_tlv(0x75, encode_tlv(0x7F61, bytes.fromhex("020101") + template))


def test_a_wrong_record_length_and_padding_are_read_and_told() -> None:
    record = FacialRecord((RICH,)).encode()
    short = record[:8] + (len(record) - 8).to_bytes(4, "big") + record[12:]  # as New Zealand writes it
    decoded = decode_dg2(with_record(short))
    assert decoded.images == (RICH,)
    assert decoded.defects == (f"record length states {len(record) - 8} octets of {len(record)}",)
    padded = decode_facial_record(record + b"\0\0")
    assert padded.images == (RICH,)
    assert padded.defects[-1] == "2 octets follow the last image"


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"FAC\x00",
        b"FIR" + FacialRecord((RICH,)).encode()[3:],
        FacialRecord((RICH,)).encode().replace(b"010\0", b"020\0"),
        FacialRecord(()).encode(),
        FacialRecord((RICH,) * 17).encode(),
        FacialRecord((RICH,)).encode()[:30],
        FacialRecord((RICH,)).encode()[:-1],
        FacialRecord((RICH,)).encode()[:18] + b"\xff\xff" + FacialRecord((RICH,)).encode()[20:],
    ],
)
def test_malformed_records_are_refused(record: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_dg2(with_record(record))


@pytest.mark.parametrize("group", ["", "020101", "020100", "020101C00100", "0201017F60025F2E", "0201017F6002A100"])
def test_malformed_groups_are_refused(group: str) -> None:
    with pytest.raises(DecodeError):
        decode_dg2(encode_tlv(0x75, encode_tlv(0x7F61, bytes.fromhex(group))))


def test_half_a_feature_point_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="eight octets"):
        FacialRecord((FacialImage(JPEG, 0, feature_points=b"1234567"),)).encode()


@given(st.binary(max_size=120), st.data())
@settings(max_examples=examples(200))
def test_nothing_but_decode_error(junk: bytes, data: st.DataObject) -> None:
    good = DG2((FaceInstance(FacialRecord((RICH,))),)).encode()
    place = data.draw(st.integers(0, len(good) - 1))
    changed = good[:place] + bytes((data.draw(st.integers(0, 255)),)) + good[place + 1 :]
    for raw in (junk, encode_tlv(0x75, junk), with_record(junk), with_record(b"FAC\x00010\x00" + junk), changed):
        try:
            decode_dg2(raw)
        except DecodeError:
            pass
