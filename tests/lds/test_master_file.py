from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.tlv import Tlv, encode_tlv
from eid.errors import DecodeError
from eid.lds.atr_info import AtrInfo, ExtendedLengthLimits, build_atr_info, decode_atr_info
from eid.lds.ef_dir import DirectoryEntry, EfDir, build_ef_dir, decode_ef_dir
from eid.lds.files import LDS1_AID
from tests.builders.sweep import examples

LIMITS = ExtendedLengthLimits(0xFFFF, 0x10000)
# Doc 9303-10 3.11.2: the LDS1 application, then the three of LDS2
AIDS = (LDS1_AID, *(bytes.fromhex(f"A0000002472{number:03X}") for number in (1, 2, 3)))


def test_ef_dir_layout() -> None:
    assert build_ef_dir([LDS1_AID]).encode() == bytes.fromhex("61094F07A0000002471001")
    assert decode_ef_dir(build_ef_dir(AIDS).encode()).aids == AIDS


def test_ef_dir_keeps_what_else_it_says() -> None:
    entry = DirectoryEntry(LDS1_AID, (Tlv(0x50, b"eMRTD"), Tlv(0x51, b"\x3f\0"), Tlv(0x73, b"x")))
    decoded = decode_ef_dir(EfDir((entry, DirectoryEntry(b"\xa0", (Tlv(0x50, b"\xff"),)))).encode())
    assert decoded.entries[0] == entry
    assert [item.label for item in decoded.entries] == ["eMRTD", None]
    bare = decode_ef_dir(encode_tlv(0x4F, LDS1_AID))
    assert bare == build_ef_dir([LDS1_AID])
    assert bare.entries[0].label is None


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "6100",
        "6103500141",
        "61024F00",
        "4F00",
        "4F11" + "00" * 17,
        "61064F01A04F01A0",
        "620341",
        "9000",
        "4F01A0" * 65,
    ],
)
def test_malformed_ef_dir_is_refused(raw: str) -> None:
    with pytest.raises(DecodeError):
        decode_ef_dir(bytes.fromhex(raw))


def test_atr_info_layout() -> None:
    built = build_atr_info(bytes.fromhex("F301E0"), ExtendedLengthLimits(1000, 65535))
    raw = bytes.fromhex("4703F301E0 7F6608 020203E8 0202FFFF")
    assert built.encode() == raw
    decoded = decode_atr_info(raw)
    assert decoded == built
    assert decoded.supports_extended_length
    assert decoded.supports_chaining
    assert decoded.card_capabilities == bytes.fromhex("F301E0")


def test_atr_info_round_trips_whatever_else_it_holds() -> None:
    value = AtrInfo((Tlv(0x43, b"\xb8"), *build_atr_info(b"\1\2\3", LIMITS).objects, Tlv(0x46, b"issuer")), LIMITS)
    assert decode_atr_info(value.encode()) == value
    assert not value.supports_extended_length
    silent = decode_atr_info(b"")
    assert silent == AtrInfo(())
    assert silent.card_capabilities is None
    assert not silent.supports_extended_length
    assert not build_atr_info(b"\xff").supports_extended_length
    assert not build_atr_info(b"\0\0\x40").supports_chaining


def test_a_limit_written_as_a_positive_integer_is_read_alike() -> None:
    decoded = decode_atr_info(bytes.fromhex("7F660A 020300FFFF 02030100 00".replace(" ", "")))
    assert decoded.extended_length_limits == ExtendedLengthLimits(65535, 65536)


@pytest.mark.parametrize(
    "raw",
    [
        "4700",
        "470401020304",
        "47010147",
        "470101470101",
        "7F6600",
        "7F6604020203E8",
        "7F660402020001",
        "7F6608020203E802020000",
        "7F6606020203E80200",
        "7F660B02050000000001020203E8",
        "7F6608020203E803020100",
    ],
)
def test_malformed_atr_info_is_refused(raw: str) -> None:
    with pytest.raises(DecodeError):
        decode_atr_info(bytes.fromhex(raw))


GOOD = (build_atr_info(b"\1\2\3", LIMITS).encode(), build_ef_dir(AIDS).encode())


@given(st.binary(max_size=120), st.data())
@settings(max_examples=examples(150))
def test_nothing_but_decode_error(junk: bytes, data: st.DataObject) -> None:
    decoders: tuple[Callable[[bytes], AtrInfo | EfDir], ...] = (decode_atr_info, decode_ef_dir)
    for good, decoder in zip(GOOD, decoders, strict=True):
        place = data.draw(st.integers(0, len(good) - 1))
        changed = good[:place] + bytes((data.draw(st.integers(0, 255)),)) + good[place + 1 :]
        for raw in (junk, encode_tlv(0x61, junk), encode_tlv(0x7F66, junk), changed, good[:place]):
            try:
                assert decoder(raw).raw == raw
            except DecodeError:
                pass
