from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.codec.toml import MAX_TOML, decode_toml
from eid.errors import DecodeError


def test_reads_a_table() -> None:
    assert decode_toml(b'a = 1\n[b]\nc = "\xc3\xa9"\n') == {"a": 1, "b": {"c": "é"}}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"a = = 1", "line 1"),
        (b"a = 1\nb = \xff", r"not UTF-8 \(at line 2\)"),
        (b"a." * 40_000 + b"a = 1", r"over 64 dots \(at line 1\)"),
        (b"a = " + b"[" * 100_000, "nested too deep"),
        (b"a = " + b"9" * 5000, "cannot be read"),
        (b"#" * (MAX_TOML + 1), "larger than"),
    ],
)
def test_refuses_within_bounds(raw: bytes, says: str) -> None:
    start = time.process_time()
    with pytest.raises(DecodeError, match=says):
        decode_toml(raw)
    assert time.process_time() - start < 1


@given(st.binary(max_size=64) | st.text(max_size=64).map(str.encode))
def test_any_octets(raw: bytes) -> None:
    try:
        assert isinstance(decode_toml(raw), dict)
    except DecodeError:
        pass
