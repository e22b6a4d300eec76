"""WSQ is known by its header and goes on the card octet by octet; nothing here decodes it. SPECIMEN."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.errors import DecodeError, RecordError
from eid.identity import Fingerprint
from eid.imaging.header import ImageLimits
from eid.imaging.wsq import WsqInfo, inspect_wsq, is_wsq
from eid.lds.dg3 import decode_dg3
from eid.lds.finger_image_data import FingerImageDataBlock, FingerImageFormat
from eid.lds.finger_record import Compression, FingerRecord
from eid.personalization.data_groups import build_groups
from eid.profile.loader import load_profile
from eid.testing.specimen import specimen_for

# Start of image; a comment; transform table of no filters; frame header of 500 x 400; start of block; end.
COMMENT = bytes.fromhex("FFA8 000A") + b"SPECIMEN"
TABLE = bytes.fromhex("FFA4 0004 0000")
FRAME = bytes.fromhex("FFA2 0011 00FF 01F4 0190 02 0000 02 0000 00 0000")
WSQ = bytes.fromhex("FFA0") + COMMENT + TABLE + FRAME + bytes.fromhex("FFA3 0003 00 AA55 FFA1")
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_size_from_the_frame_header() -> None:
    assert is_wsq(WSQ)
    assert inspect_wsq(WSQ) == WsqInfo(400, 500)
    assert not is_wsq(b"\xff\xd8\xff")


@pytest.mark.parametrize(
    "wrong",
    [
        b"\xff\xd8\xff\xe0",
        WSQ[:2],
        WSQ[:29],
        WSQ.replace(b"\xff\xa8", b"\x00\xa8"),
        WSQ.replace(b"\xff\xa8", b"\xff\xa3"),
        WSQ.replace(b"\x00\x0aSPEC", b"\x00\x01SPEC"),
        WSQ.replace(bytes.fromhex("FFA20011"), bytes.fromhex("FFA20010")),
        WSQ.replace(bytes.fromhex("01F40190"), bytes.fromhex("00000190")),
        WSQ.replace(bytes.fromhex("01F40190"), bytes.fromhex("FFFFFFFF")),
        WSQ + bytes(1 << 20),
    ],
)
def test_what_is_no_wsq_is_refused(wrong: bytes) -> None:
    with pytest.raises(DecodeError):
        inspect_wsq(wrong)


@given(st.binary(max_size=60))
def test_any_octets_are_read_or_refused(raw: bytes) -> None:
    try:
        assert inspect_wsq(b"\xff\xa0" + raw, ImageLimits(pixels=1 << 20)).width
    except DecodeError:
        pass


@pytest.mark.parametrize("biometrics", ["19794", "39794"])
def test_a_finger_in_wsq_is_carried_as_it_is(biometrics: str) -> None:
    profile = load_profile("full-lds").profile
    profile = profile.model_copy(
        update={"application": profile.application.model_copy(update={"biometrics": biometrics})}
    )
    finger = specimen_for(profile, NOW).fingerprints[0].finger
    record = replace(specimen_for(profile, NOW), fingerprints=(Fingerprint(finger, WSQ),))
    raw = build_groups(("DG3",), record, profile, None, {}, None, b"")["DG3"]  # type: ignore[arg-type]  # no MRZ in DG3
    group = decode_dg3(raw)
    assert [image.image for image in group.images] == [WSQ]
    built = group.instances[0].record
    if biometrics == "19794":
        assert isinstance(built, FingerRecord)
        assert (built.compression, built.images[0].width, built.images[0].height) == (Compression.WSQ, 400, 500)
    else:
        assert isinstance(built, FingerImageDataBlock)
        assert built.formats == (FingerImageFormat.WSQ,)
    broken = replace(record, fingerprints=(Fingerprint(finger, WSQ[:20]),))
    with pytest.raises(RecordError, match=r"fingerprints\.image"):
        build_groups(("DG3",), broken, profile, None, {}, None, b"")  # type: ignore[arg-type]  # nothing else is looked at
