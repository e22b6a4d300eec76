"""File control parameters: round trip, both forms of the access rule, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.card.fcp import DirectoryParameters, FileParameters, decode_fcp
from eid.codec.tlv import encode_tlv
from eid.errors import DecodeError
from eid.profile.card_image import AccessCondition
from tests.builders.sweep import examples

CONDITIONS = st.sampled_from(AccessCondition)
FIDS = st.integers(1, 0xFFFE).filter(lambda fid: fid not in (0x3F00, 0x3FFF))
FILES = st.builds(
    FileParameters, FIDS, st.integers(0, (1 << 32) - 1), st.none() | st.integers(1, 30), CONDITIONS, CONDITIONS
)
DIRECTORIES = st.builds(DirectoryParameters, st.binary(min_size=5, max_size=16), st.none() | FIDS, st.booleans())


@given(st.one_of(FILES, DIRECTORIES))
def test_round_trip(parameters: FileParameters | DirectoryParameters):
    assert decode_fcp(parameters.encode()) == parameters


def fcp(text: str) -> bytes:
    return encode_tlv(0x62, bytes.fromhex(text))


def test_expanded_rule_and_size_with_81():
    rule = encode_tlv(0xAB, bytes.fromhex("800101 9000 800102 9700"))
    decoded = decode_fcp(encode_tlv(0x62, bytes.fromhex("81020010 820101 83020101 880108") + rule))
    assert decoded == FileParameters(0x0101, 16, 1, AccessCondition.ALWAYS, AccessCondition.NEVER)
    rule = encode_tlv(0xAB, bytes.fromhex("800102 9E0141 800101 9E0140"))
    decoded = decode_fcp(encode_tlv(0x62, bytes.fromhex("80020010 820101 83020101") + rule))
    assert decoded == FileParameters(0x0101, 16, None, AccessCondition.BAC_OR_PACE, AccessCondition.PACE)


def test_a_file_without_a_rule_is_closed():
    decoded = decode_fcp(fcp("80020010 820101 83020101 8800"))
    assert decoded == FileParameters(0x0101, 16, None, AccessCondition.BAC_OR_PACE, AccessCondition.NEVER)


@pytest.mark.parametrize(
    "text",
    [
        "820102",
        "820138",
        "820138 8404A0000000",
        "820138 8411" + "A0" * 17,
        "820138 8405A000000001 8A0105",
        "820138 8405A000000001 A503800102",
        "820138 8405A000000001 A5020000",
        "820138 8405A000000001 83023F00",
        "820138 8405A000000001 80020010",
        "820101 83020101",
        "820101 83020101 8000",
        "820101 83020101 80050000000000",
        "820101 830101 80020010",
        "820101 8302FFFF 80020010",
        "820101 83020101 80020010 8801F8",
        "820101 83020101 80020010 880109",
        "820101 83020101 80020010 8C020140",
        "820101 83020101 80020010 8C03034041 AB00",
        "820101 83020101 80020010 8C03034255",
        "820101 83020101 80020010 8C03074040",
        "820101 83020101 80020010 AB00",
        "820101 83020101 80020010 AB0A 800101 9000 800101 9000",
        "820101 83020101 80020010 AB0A 800101 9000 800102 9800",
        "820101 83020101 80020010 AB0B 800101 9000 800102 9E0133",
        "820101 83020101 80020010 A500",
        "820101 820101 83020101 80020010",
    ],
)
def test_what_is_refused(text: str):
    with pytest.raises(DecodeError):
        decode_fcp(fcp(text))


@settings(max_examples=examples(200))
@given(st.binary(max_size=60))
def test_arbitrary_bytes(raw: bytes):
    for candidate in (raw, encode_tlv(0x62, raw), encode_tlv(0x62, bytes.fromhex("820101") + raw)):
        try:
            decoded = decode_fcp(candidate)
        except DecodeError:
            continue
        assert decode_fcp(decoded.encode()) == decoded
