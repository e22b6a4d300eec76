from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.tlv import Tlv, encode_tlv
from eid.errors import DecodeError
from eid.lds.dg5 import DG5, decode_dg5
from eid.lds.dg16 import DG16, PersonToNotify, decode_dg16
from eid.lds.features import DG8, DG9, DG10, decode_dg8, decode_dg9, decode_dg10
from tests.builders.sweep import examples

PERSON = PersonToNotify("20020101", "SPECIMEN<<CHARLES<R", "19525551212", ("123 MAPLE RD", "ANYTOWN", "MN", "55100"))
FEATURES = (Tlv(0x02, b"\1"), Tlv(0x80, b"issuer's own"))


def test_dg5_layout_and_count() -> None:
    assert DG5((b"jpeg",)).encode() == bytes.fromhex("65 0A 020101 5F4004") + b"jpeg"
    for images in ((b"one",), (b"one", b"two")):
        decoded = decode_dg5(DG5(images).encode())
        assert decoded == DG5(images)
        assert "one" not in repr(decoded)
    one = encode_tlv(0x5F40, b"x")
    for content in (one, encode_tlv(2, b"\2") + one, encode_tlv(2, b"\1") + one * 2, encode_tlv(2, b"\0")):
        with pytest.raises(DecodeError):
            decode_dg5(encode_tlv(0x65, content))


@pytest.mark.parametrize(
    ("kind", "decoder", "tag"), [(DG8, decode_dg8, 0x68), (DG9, decode_dg9, 0x69), (DG10, decode_dg10, 0x6A)]
)
def test_features_are_kept_as_they_are(kind: Any, decoder: Callable[[bytes], Any], tag: int) -> None:
    raw = encode_tlv(tag, bytes.fromhex("020101 800C") + b"issuer's own")
    assert decoder(raw) == kind(FEATURES)
    assert decoder(raw).raw == kind(FEATURES).encode() == raw
    for bad in (b"", encode_tlv(tag + 8, b""), encode_tlv(tag, b"\x80\x05x")):
        with pytest.raises(DecodeError):
            decoder(bad)


def test_dg16_layout() -> None:
    person = bytes.fromhex("5F50083230303230313031") + encode_tlv(0x5F51, b"SPECIMEN<<CHARLES<R")
    person += encode_tlv(0x5F52, b"19525551212") + encode_tlv(0x5F53, b"123 MAPLE RD<ANYTOWN<MN<55100")
    name = encode_tlv(0xA2, encode_tlv(0x5F51, b"X"))
    raw = encode_tlv(0x70, bytes.fromhex("020102") + encode_tlv(0xA1, person) + name)
    decoded = decode_dg16(raw)
    assert decoded == DG16((PERSON, PersonToNotify(name="X")))
    assert decoded.encode() == decoded.raw == raw
    assert decoded.defects == ()
    assert "SPECIMEN" not in repr(decoded)


def test_dg16_with_fifteen_persons_and_nothing_known_of_them() -> None:
    value = DG16((PersonToNotify(), PersonToNotify(date_recorded="", address=("أ",))) + (PERSON,) * 13)
    assert decode_dg16(value.encode()) == value
    for persons in ((), (PERSON,) * 16):
        with pytest.raises(ValueError, match="fifteen"):
            DG16(persons).encode()


def test_deviations_of_dg16_are_read_and_told() -> None:
    decoded = decode_dg16(encode_tlv(0x70, bytes.fromhex("020101A109 5F5102C941 C0025858".replace(" ", ""))))
    assert decoded.persons == (PersonToNotify(name="ÉA"),)
    assert decoded.defects == ("data object 5F51 is not UTF-8",)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "A100",  # no count
        "020102A100",
        "020101A200",  # does not start with A1
        "020102A200A100",
        "020102A100A100",
        "020101A1005000",
        "020101A1065F5000" + "5F5000",
        "020101A1075F50043139393A",
        "020110" + "".join(f"{tag:02X}00" for tag in range(0xA1, 0xB1)),
    ],
)
def test_malformed_dg16_is_refused(content: str) -> None:
    with pytest.raises(DecodeError):
        decode_dg16(encode_tlv(0x70, bytes.fromhex(content)))


DECODERS: list[tuple[int, Callable[[bytes], object], bytes]] = [
    (0x65, decode_dg5, DG5((b"one", b"two")).encode()),
    (0x68, decode_dg8, DG8(FEATURES).encode()),
    (0x69, decode_dg9, DG9(FEATURES).encode()),
    (0x6A, decode_dg10, DG10(FEATURES).encode()),
    (0x70, decode_dg16, DG16((PERSON, PERSON)).encode()),
]


@pytest.mark.parametrize(("tag", "decoder", "good"), DECODERS)
def test_nothing_but_decode_error(tag: int, decoder: Callable[[bytes], object], good: bytes) -> None:
    @given(st.binary(max_size=120), st.integers(0, len(good) - 1), st.integers(0, 255))
    @settings(max_examples=examples(100))
    def check(junk: bytes, place: int, octet: int) -> None:
        changed = good[:place] + bytes((octet,)) + good[place + 1 :]
        for data in (junk, encode_tlv(tag, junk), changed, good[:place]):
            try:
                decoder(data)
            except DecodeError:
                pass

    check()
