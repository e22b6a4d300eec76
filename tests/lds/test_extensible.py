from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.tlv import encode_tlv
from eid.errors import DecodeError
from eid.lds.dg2 import DG2, build_dg2, build_extensible_dg2, decode_dg2
from eid.lds.dg3 import build_dg3, decode_dg3
from eid.lds.face_image_data import JPEG2000_LOSSLESS, build_face_image_data, decode_face_image_data
from eid.lds.facial_record import FacialImage, ImageDataType
from eid.lds.finger_image_data import FingerImageFormat, build_finger_image_data, decode_finger_image_data
from eid.lds.finger_record import FingerImage, FingerPosition
from tests.builders.sweep import examples

PORTRAIT = b"\xff\xd8\xff\xe0 SPECIMEN"
CODESTREAM = b"\xff\x4f\xff\x51 SPECIMEN"
VERSION = bytes.fromhex("A007 800103 810207E3")


def wrap(tag: int, blocks: bytes) -> bytes:
    return encode_tlv(0xA1, encode_tlv(tag, VERSION + encode_tlv(0xA1, blocks)))


def face(information: bytes, image: bytes = encode_tlv(0x80, PORTRAIT)) -> bytes:
    block = encode_tlv(0xA0, encode_tlv(0xA0, image + encode_tlv(0xA1, information)))
    return encode_tlv(0x30, bytes.fromhex("800100") + encode_tlv(0xA1, block))


FORMAT = bytes.fromhex("A003 800102")
SIZE = bytes.fromhex("A708 8002019D 81020213")


def test_the_layout_of_a_face_is_iso_39794_5_in_cbeff() -> None:
    raw = build_extensible_dg2(PORTRAIT, 413, 531, bytes.fromhex("20260102030405")).encode()
    header = bytes.fromhex("80020101 810102 820100 830720260102030405 87020101 8802002A")
    block = encode_tlv(0x7F2E, wrap(0x65, face(FORMAT + SIZE)))
    template = encode_tlv(0x7F60, encode_tlv(0xA1, header) + block)
    assert raw == encode_tlv(0x75, encode_tlv(0x7F61, bytes.fromhex("020101") + template))


def test_a_face_is_read_back() -> None:
    for image, data_type in ((PORTRAIT, ImageDataType.JPEG), (CODESTREAM, ImageDataType.JPEG2000)):
        built = build_extensible_dg2(image, 413, 531)
        decoded = decode_dg2(built.encode())
        assert decoded == built
        assert decoded.images == (FacialImage(image, data_type, 413, 531, image_type=0, colour_space=0),)
        assert decoded.encode() == decoded.raw
        assert decoded.defects == ()
        assert "SPECIMEN" not in repr(decoded)
    with pytest.raises(ValueError, match="JPEG"):
        build_extensible_dg2(b"GIF89a", 1, 2)


def test_both_formats_may_stand_in_one_file() -> None:
    both = DG2((*build_dg2(PORTRAIT, 1, 2).instances, *build_extensible_dg2(PORTRAIT, 1, 2).instances))
    decoded = decode_dg2(both.encode())
    assert decoded == both
    assert [image.image for image in decoded.images] == [PORTRAIT, PORTRAIT]


def test_what_is_optional_may_be_absent_and_what_is_unknown_is_passed_over() -> None:
    bare = decode_face_image_data(wrap(0x65, face(FORMAT)))
    assert (bare.images[0].width, bare.images[0].height) == (0, 0)
    later = decode_face_image_data(wrap(0x65, face(FORMAT + SIZE + bytes.fromhex("BE0100 9F8101 00".replace(" ", "")))))
    assert replace(later, block=b"") == replace(build_face_image_data(PORTRAIT, 2, 413, 531), block=b"")
    assert build_face_image_data(CODESTREAM, JPEG2000_LOSSLESS, 1, 1).images[0].data_type == ImageDataType.JPEG2000


def test_a_code_may_stand_as_the_fallback_of_an_extension() -> None:
    extended = decode_face_image_data(wrap(0x65, face(bytes.fromhex("A005 A103 800103"))))
    assert extended.images[0].data_type == ImageDataType.JPEG2000


def test_the_layout_of_a_finger_is_iso_39794_4() -> None:
    record = build_finger_image_data(b"wsq", FingerPosition.LEFT_THUMB, FingerImageFormat.WSQ)
    codes = bytes.fromhex("A003 800106 A103 800100 A203 800101 8303") + b"wsq"
    assert record.encode() == wrap(0x64, encode_tlv(0x30, codes))
    dg3 = build_dg3([record])
    decoded = decode_dg3(dg3.encode())
    assert decoded == dg3
    assert decoded.images == (FingerImage(b"wsq", FingerPosition.LEFT_THUMB, 0, 0),)
    assert decoded.defects == ()
    assert record.formats == (FingerImageFormat.WSQ,)
    assert encode_tlv(0x7F2E, record.block) in decoded.raw
    assert bytes.fromhex("820106") in decoded.raw
    assert bytes.fromhex("88020028") in decoded.raw


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xa1\x00",
        wrap(0x65, b""),
        wrap(0x65, face(FORMAT) * 17),
        wrap(0x65, encode_tlv(0x31, b"")),
        wrap(0x64, face(FORMAT)),
        wrap(0x65, face(b"")),
        wrap(0x65, face(bytes.fromhex("A003800105"))),  # PNG
        wrap(0x65, face(bytes.fromhex("A003800182"))),
        wrap(0x65, face(bytes.fromhex("A0028000"))),
        wrap(0x65, face(bytes.fromhex("A002A100"))),
        wrap(0x65, face(FORMAT + bytes.fromhex("A703800101"))),
        wrap(0x65, face(FORMAT, b"")),
        wrap(0x65, face(FORMAT)).replace(VERSION, bytes.fromhex("AA07") + VERSION[2:]),
    ],
)
def test_malformed_blocks_are_refused(data: bytes) -> None:
    for decoder in (decode_face_image_data, decode_finger_image_data):
        with pytest.raises(DecodeError):
            decoder(data)


@given(st.binary(max_size=80), st.data())
@settings(max_examples=examples(150))
def test_nothing_but_decode_error(junk: bytes, data: st.DataObject) -> None:
    good = wrap(0x65, face(FORMAT + SIZE))
    place = data.draw(st.integers(0, len(good) - 1))
    changed = good[:place] + bytes((data.draw(st.integers(0, 255)),)) + good[place + 1 :]
    for raw in (junk, wrap(0x65, junk), wrap(0x64, encode_tlv(0x30, junk)), wrap(0x65, face(junk)), changed):
        for decoder in (decode_face_image_data, decode_finger_image_data):
            try:
                decoder(raw)
            except DecodeError:
                pass
