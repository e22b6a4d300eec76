"""The state: round trip, and nothing but what was written is read."""

from __future__ import annotations

import hashlib

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eid.card import VirtualCard
from eid.card.state import decode_state, encode_state
from eid.errors import DecodeError, LifecycleError
from tests.builders.sweep import examples


def seal(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def reseal(raw: bytes, change) -> bytes:
    value = cbor2.loads(raw[:-32])
    return seal(cbor2.dumps(change(value), canonical=True))


def test_round_trip(issued, blank, opened):
    for bench in (issued, blank, opened):
        raw = bench.card.state()
        again = VirtualCard.from_state(raw)
        assert again.state() == raw
        assert again.atr == bench.card.atr
        assert encode_state(decode_state(raw)) == raw


def test_torn_and_altered_states_are_refused(issued):
    raw = issued.card.state()
    for length in (0, 1, 31, 32, 33, len(raw) // 2, len(raw) - 1):
        with pytest.raises(DecodeError):
            VirtualCard.from_state(raw[:length])
    for place in range(0, len(raw), 37):
        changed = bytearray(raw)
        changed[place] ^= 0x10
        with pytest.raises(DecodeError):
            VirtualCard.from_state(bytes(changed))
    with pytest.raises(DecodeError):
        VirtualCard.from_state(bytes(5 << 20))


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v | {"version": 2},
        lambda v: v | {"format": "other"},
        lambda v: v | {"surplus": 1},
        lambda v: v | {"life_cycle": 2},
        lambda v: v | {"life_cycle": True},
        lambda v: {k: x for k, x in v.items() if k != "chip"},
        lambda v: v | {"passwords": {9: [b"", None, None]}},
        lambda v: v | {"passwords": {2: [b"1", 3, None]}},
        lambda v: v | {"passwords": {2: [b"1", 3, 4]}},
        lambda v: v | {"passwords": {1: [b"\xff" * 24, None, None]}},
        lambda v: v | {"passwords": {2: [b"1", 3]}},
        lambda v: v | {"passwords": {2: [bytes(128), None, None]}},
        lambda v: v | {"pace": [b"0\0"]},
        lambda v: v | {"applications": [5]},
        lambda v: v | {"applications": v["applications"][::-1]},
        lambda v: v | {"domain": v["domain"] | {"kdd": b""}},
        lambda v: v | {"domain": v["domain"] | {"sequence": 1 << 24}},
        lambda v: v | {"domain": v["domain"] | {"keys": [1, b"", b"", b""]}},
        lambda v: v | {"master": v["master"] | {"files": {1: [31, b"", "always", "never"]}}},
        lambda v: v | {"master": v["master"] | {"files": {1: [1, b"", "perhaps", "never"]}}},
        lambda v: v | {"master": v["master"] | {"keys": {1: ["active-authentication", "ec", "P-256", "sha256", b"x"]}}},
        lambda v: [v],
    ],
)
def test_impossible_states_are_refused(issued, change):
    with pytest.raises(DecodeError):
        VirtualCard.from_state(reseal(issued.card.state(), change))


def test_what_is_not_canonical_is_refused(issued):
    value = cbor2.loads(issued.card.state()[:-32])
    backwards = dict(reversed(list(value.items())))
    with pytest.raises(DecodeError, match="canonical"):
        decode_state(seal(cbor2.dumps(backwards)))
    with pytest.raises(DecodeError, match="behind"):
        decode_state(seal(cbor2.dumps(value, canonical=True) + b"\0"))


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_refused(raw: bytes):
    for candidate in (raw, seal(raw)):
        with pytest.raises(DecodeError):
            decode_state(candidate)


def test_a_serial_number_has_ten_octets(chip):
    with pytest.raises(LifecycleError):
        VirtualCard.blank(chip, serial=b"short")
