from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.cbor import MAX_DEPTH, CborValue, Tagged, decode_cbor, encode_cbor
from eid.errors import DecodeError
from tests.builders.sweep import examples

VECTORS: Any = json.loads((Path(__file__).parents[1] / "vectors" / "cbor.json").read_text(encoding="utf-8"))
LIMIT = 1 << 20

# The tags are of a range in which none has a meaning for cbor2.
scalars = st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=40) | st.booleans() | st.none()
values: st.SearchStrategy[CborValue] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.integers(-500, 500) | st.text(max_size=30), inner, max_size=5)
        | st.builds(Tagged, st.integers(44_000, 50_000), inner)
    ),
    max_leaves=15,
)


@pytest.mark.parametrize(("value", "encoded"), VECTORS["pairs"])
def test_examples_of_rfc_8949(value: CborValue, encoded: str) -> None:
    assert encode_cbor(value).hex() == encoded
    assert decode_cbor(bytes.fromhex(encoded), max_octets=LIMIT) == value


@pytest.mark.parametrize("name", VECTORS["refused"])
def test_what_is_not_deterministic_is_refused(name: str) -> None:
    with pytest.raises(DecodeError):
        decode_cbor(bytes.fromhex(VECTORS["refused"][name]), max_octets=LIMIT)


def test_limits() -> None:
    with pytest.raises(DecodeError, match="is over 3"):
        decode_cbor(b"\x83\1\2\3", max_octets=3)
    deep = b"\x81" * (MAX_DEPTH - 1) + b"\1"
    assert decode_cbor(deep, max_octets=LIMIT)
    with pytest.raises(DecodeError, match="nested"):
        decode_cbor(b"\x81" + deep, max_octets=LIMIT)
    with pytest.raises(DecodeError, match="nested"):
        decode_cbor(b"\xc1" * 100_000, max_octets=LIMIT)
    with pytest.raises(DecodeError, match="too many"):
        decode_cbor(b"\x9a\x00\x01\x00\x01" + b"\0" * 65_537, max_octets=LIMIT)
    with pytest.raises(ValueError, match="64 bits"):
        encode_cbor(2**64)


def as_cbor2(value: CborValue) -> Any:
    if isinstance(value, Tagged):
        return cbor2.CBORTag(value.tag, as_cbor2(value.value))
    if isinstance(value, list):
        return [as_cbor2(item) for item in value]
    if isinstance(value, dict):
        return {key: as_cbor2(item) for key, item in value.items()}
    return value


def as_lists(value: Any) -> Any:
    """What cbor2 gives, arrays inside tags as lists too: it makes tuples of them."""
    if isinstance(value, cbor2.CBORTag):
        return cbor2.CBORTag(value.tag, as_lists(value.value))
    if isinstance(value, list | tuple):
        return [as_lists(item) for item in value]
    if isinstance(value, Mapping):
        return {key: as_lists(item) for key, item in value.items()}
    return value


@given(values)
@settings(max_examples=examples(200))
def test_round_trip_and_agreement_with_cbor2(value: CborValue) -> None:
    encoded = encode_cbor(value)
    assert decode_cbor(encoded, max_octets=LIMIT) == value
    assert as_lists(cbor2.loads(encoded)) == as_cbor2(value)


@given(st.binary(max_size=60))
@settings(max_examples=examples(500))
def test_what_is_accepted_is_what_is_written(raw: bytes) -> None:
    try:
        value = decode_cbor(raw, max_octets=LIMIT)
    except DecodeError:
        return
    assert encode_cbor(value) == raw
