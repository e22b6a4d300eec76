"""EF.CVCA: names of trust points, in 36 octets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.errors import DecodeError
from eid.lds.cvca import SIZE, decode_ef_cvca, encode_ef_cvca
from tests.builders.sweep import examples

FIRST, SECOND = "UTCVCASPEC00001", "UTCVCASPEC00002"


def test_layout_is_that_of_the_guideline() -> None:
    """TR-03110-1: [CAR i][CAR i-1] each under tag 42, then zeros up to 36 octets."""
    raw = encode_ef_cvca([SECOND, FIRST])
    assert raw == b"\x42\x0f" + SECOND.encode() + b"\x42\x0f" + FIRST.encode() + b"\x00\x00"
    assert len(raw) == SIZE == 36
    assert encode_ef_cvca([FIRST]) == (b"\x42\x0f" + FIRST.encode()).ljust(36, b"\x00")


@pytest.mark.parametrize("names", [(FIRST,), (SECOND, FIRST)])
def test_round_trip(names: tuple[str, ...]) -> None:
    assert decode_ef_cvca(encode_ef_cvca(names)) == names


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes(36),
        b"\x42\x03UTC".ljust(36, b"\x00"),
        b"\x42\x0f" + FIRST.encode() + b"\x00\x01",
        b"\x43\x0f" + FIRST.encode(),
        (b"\x42\x0b" + b"UTCVCA00001") * 3,
        b"\x42\x0futCVCASPEC00001",
    ],
)
def test_refused(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_ef_cvca(raw)


@settings(max_examples=examples(100))
@given(st.binary(max_size=60))
def test_anything_else_is_a_decode_error(raw: bytes) -> None:
    try:
        names = decode_ef_cvca(raw)
    except DecodeError:
        return
    assert 1 <= len(names) <= 2
