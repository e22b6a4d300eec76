from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec import oid
from eid.codec.defect import Defect, DefectCode
from eid.crypto.hashes import digest
from eid.errors import DecodeError
from eid.lds.card_access import decode_card_access
from eid.lds.card_security import MAX_CARD_SECURITY, CardSecurity, decode_card_security
from tests.builders.sweep import examples

VECTORS = Path(__file__).parents[1] / "vectors"
EXAMPLES = json.loads((VECTORS / "tr03110-certificates.json").read_text("utf-8"))


def find_examples(node: object) -> list[bytes]:
    """Every EF.CardSecurity of the BSI worked examples, wherever it stands in the file."""
    if isinstance(node, dict):
        own = [bytes.fromhex(value) for key, value in node.items() if key == "ef_cardsecurity"]
        return own + [found for value in node.values() for found in find_examples(value)]
    return []


RAW = find_examples(EXAMPLES)
ECDH = RAW[0]


def decode(raw: bytes) -> tuple[CardSecurity, list[Defect]]:
    defects: list[Defect] = []
    return decode_card_security(raw, defects), defects


@pytest.mark.parametrize("raw", RAW, ids=["ecdh", "dh"])
def test_the_worked_examples_announce_what_they_sign(raw: bytes) -> None:
    decoded, _ = decode(raw)
    assert decoded.raw == raw
    assert decoded.pace_infos
    assert decoded.public_keys
    assert len(decoded.certificates) == 1
    info = decoded.signed_data.signer_info
    attributes = info.signed_attributes
    assert attributes is not None
    name = oid.HASH_NAMES[info.digest_algorithm.oid]
    assert digest(name, decoded.signed_data.content) == attributes.message_digest


def test_the_chips_key_of_the_worked_example() -> None:
    example = json.loads((VECTORS / "tr03110-eac-worked-example-ecdh.json").read_text("utf-8"))
    decoded, _ = decode(ECDH)
    assert bytes.fromhex(example["ca_picc_pub_key"]) in decoded.public_keys[0].public_key_info
    announced = decode_card_access(bytes.fromhex(example["ef_cardaccess"]))
    assert set(announced.pace_infos) <= set(decoded.security_infos)


def test_another_content_type_is_refused() -> None:
    content_type = bytes.fromhex("060804007F0007030201")
    assert ECDH.count(content_type) == 2
    changed = ECDH.replace(content_type, bytes.fromhex("060804007F0007030202"))
    with pytest.raises(DecodeError, match="id-SecurityObject"):
        decode(changed)


def test_what_follows_and_what_is_too_long_is_refused() -> None:
    for raw in (ECDH + b"\0", ECDH[:-1], b"", bytes(MAX_CARD_SECURITY + 1)):
        with pytest.raises(DecodeError):
            decode(raw)


@given(st.binary(max_size=120), st.integers(0, len(ECDH) - 1), st.integers(0, 255))
@settings(max_examples=examples(150))
def test_nothing_but_decode_error(junk: bytes, place: int, octet: int) -> None:
    for raw in (junk, ECDH[:place] + bytes((octet,)) + ECDH[place + 1 :], ECDH[:place]):
        for defects in (None, list[Defect]()):
            try:
                decode_card_security(raw, defects)
            except DecodeError:
                pass


def test_defects_are_named() -> None:
    _, defects = decode(ECDH)
    assert {item.code for item in defects} <= set(DefectCode)
