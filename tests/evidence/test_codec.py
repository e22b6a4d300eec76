from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec import der
from eid.codec.cbor import Tagged, encode_cbor
from eid.errors import DecodeError
from eid.evidence import Evidence, Origin, ProtocolName, ProtocolOutcome, ProtocolTranscript, ReadFile
from eid.evidence.codec import (
    MAX_FILE,
    decode_evidence,
    decode_signed_evidence,
    encode_evidence,
    sign_evidence,
)
from eid.evidence.cose import decode_cose_sign1
from tests.builders.sweep import examples

VECTOR: Any = json.loads((Path(__file__).parents[1] / "vectors" / "cose-sign1.json").read_text(encoding="utf-8"))
KEY = ec.derive_private_key(0x1234567, ec.SECP256R1())
KEY_ID = hashlib.sha256(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).digest()

EVIDENCE = Evidence(
    origin=Origin.STATION,
    gathered_at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    challenge=bytes(range(8)),
    reader="Virtual PCD 00 00",
    policy="border",
    files=(ReadFile("EF.SOD", b"\x77\x00"), ReadFile("DG1", b"\x61\x00"), ReadFile("DG3", None, 0x6982)),
    transcripts=(
        ProtocolTranscript(ProtocolName.PACE, ProtocolOutcome.SUCCEEDED, {"password": "CAN", "oid": "0.4.0.127"}),
        ProtocolTranscript(
            ProtocolName.ACTIVE_AUTHENTICATION,
            ProtocolOutcome.SUCCEEDED,
            messages={"challenge": bytes(8), "signature": b"\x30\x00"},
        ),
    ),
)


def sign(message: bytes) -> bytes:
    return KEY.sign(message, ec.ECDSA(hashes.SHA256()))


def as_map() -> dict[str, Any]:
    decoded: dict[str, Any] = cbor2.loads(encode_evidence(EVIDENCE))
    return decoded


def test_round_trip() -> None:
    assert decode_evidence(encode_evidence(EVIDENCE)) == EVIDENCE
    bare = Evidence(Origin.UPLOAD, datetime(1999, 1, 1, tzinfo=UTC), None, "", "", ())
    assert decode_evidence(encode_evidence(bare)) == bare


def test_the_layout_is_the_documented_one() -> None:
    assert as_map() == {
        "format": "eid-evidence",
        "version": 1,
        "origin": "station",
        "gathered_at": "2026-03-04T05:06:07Z",
        "challenge": bytes(range(8)),
        "reader": "Virtual PCD 00 00",
        "policy": "border",
        "files": [
            {"name": "EF.SOD", "content": b"\x77\x00", "sw": 0x9000},
            {"name": "DG1", "content": b"\x61\x00", "sw": 0x9000},
            {"name": "DG3", "content": None, "sw": 0x6982},
        ],
        "transcripts": [
            {
                "protocol": "pace",
                "outcome": "succeeded",
                "parameters": {"password": "CAN", "oid": "0.4.0.127"},
                "messages": {},
            },
            {
                "protocol": "active_authentication",
                "outcome": "succeeded",
                "parameters": {},
                "messages": {"challenge": bytes(8), "signature": b"\x30\x00"},
            },
        ],
    }
    assert cbor2.dumps(as_map(), canonical=True) == encode_evidence(EVIDENCE)


def test_another_time_zone_is_written_as_utc() -> None:
    there = EVIDENCE.gathered_at.astimezone(timezone(timedelta(hours=5)))
    assert encode_evidence(replace(EVIDENCE, gathered_at=there)) == encode_evidence(EVIDENCE)
    with pytest.raises(ValueError, match="zone"):
        encode_evidence(replace(EVIDENCE, gathered_at=datetime(2026, 1, 1)))  # noqa: DTZ001


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(extra=1),
        lambda m: m.pop("policy"),
        lambda m: m.update(format="other"),
        lambda m: m.update(version=2),
        lambda m: m.update(version=True),
        lambda m: m.update(origin="police"),
        lambda m: m.update(origin=1),
        lambda m: m.update(gathered_at="2026-03-04 05:06:07Z"),
        lambda m: m.update(gathered_at="2026-02-30T05:06:07Z"),
        lambda m: m.update(gathered_at="2026-3-4T5:6:7Z"),
        lambda m: m.update(gathered_at=0),
        lambda m: m.update(challenge="text"),
        lambda m: m.update(challenge=bytes(65)),
        lambda m: m.update(reader="a\nb"),
        lambda m: m.update(reader="a" * 257),
        lambda m: m.update(files={}),
        lambda m: m.update(files=[0]),
        lambda m: m.update(files=m["files"] * 20),
        lambda m: m["files"].append(m["files"][0]),
        lambda m: m["files"][0].update(extra=1),
        lambda m: m["files"][0].update(sw=0x10000),
        lambda m: m["files"][0].update(sw=-1),
        lambda m: m["files"][0].update(sw=True),
        lambda m: m["files"][0].update(content="text"),
        lambda m: m["files"][0].update(content=bytes(MAX_FILE + 1)),
        lambda m: m.update(transcripts=m["transcripts"] * 10),
        lambda m: m["transcripts"][0].update(protocol="eac"),
        lambda m: m["transcripts"][0].update(outcome="maybe"),
        lambda m: m["transcripts"][0].update(parameters=[]),
        lambda m: m["transcripts"][0].update(parameters={1: "a"}),
        lambda m: m["transcripts"][0].update(parameters={"a": b"b"}),
        lambda m: m["transcripts"][0].update(parameters={str(n): "" for n in range(17)}),
        lambda m: m["transcripts"][0].update(messages={"a": "b"}),
        lambda m: m["transcripts"][0].update(messages={"a": bytes(65537)}),
    ],
)
def test_another_form_is_refused(change: Change) -> None:
    changed = as_map()
    change(changed)
    with pytest.raises(DecodeError):
        decode_evidence(cbor2.dumps(changed, canonical=True))


def test_what_breaks_the_limits_is_not_written() -> None:
    with pytest.raises(ValueError, match="twice"):
        encode_evidence(replace(EVIDENCE, files=(ReadFile("DG1", b""), ReadFile("DG1", b""))))


def test_the_rfc_9052_example_verifies() -> None:
    raw = bytes.fromhex(VECTOR["cose_sign1"])
    decoded = decode_cose_sign1(raw, max_octets=len(raw))
    assert decoded.encode() == raw
    assert decoded.payload == bytes.fromhex(VECTOR["payload"])
    assert decoded.protected_header == {1: -7}
    assert decoded.unprotected_header == {4: b"11"}
    public_key = ec.EllipticCurvePublicNumbers(int(VECTOR["x"], 16), int(VECTOR["y"], 16), ec.SECP256R1()).public_key()
    r, s = (int.from_bytes(part, "big") for part in (decoded.signature[:32], decoded.signature[32:]))
    public_key.verify(encode_dss_signature(r, s), decoded.to_be_signed, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public_key.verify(encode_dss_signature(r, s), decoded.to_be_signed + b"\0", ec.ECDSA(hashes.SHA256()))


def test_signed_evidence_round_trip_and_signature() -> None:
    raw = sign_evidence(EVIDENCE, sign, KEY_ID)
    decoded = decode_signed_evidence(raw)
    assert decoded.evidence == EVIDENCE
    assert decoded.payload == encode_evidence(EVIDENCE)
    assert decoded.key_id == KEY_ID
    KEY.public_key().verify(decoded.signature_der, decoded.to_be_signed, ec.ECDSA(hashes.SHA256()))
    # What is signed, by an implementation that is not ours (RFC 9052 4.4)
    outer = cbor2.loads(raw)
    assert outer.tag == 18
    protected, unprotected, payload, signature = outer.value
    assert cbor2.loads(protected) == {1: -7, 3: "application/eid-evidence+cbor", 4: KEY_ID}
    assert unprotected == {}
    assert decoded.to_be_signed == cbor2.dumps(["Signature1", protected, b"", payload])
    assert decoded.signature == signature


@settings(max_examples=examples(60))
@given(st.data())
def test_every_changed_octet_is_refused_or_breaks_the_signature(data: st.DataObject) -> None:
    raw = bytearray(sign_evidence(EVIDENCE, sign, KEY_ID))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        decoded = decode_signed_evidence(bytes(raw))
    except DecodeError:
        return
    if decoded.key_id != KEY_ID:
        return
    with pytest.raises(InvalidSignature):
        KEY.public_key().verify(decoded.signature_der, decoded.to_be_signed, ec.ECDSA(hashes.SHA256()))


def envelope(protected: Any, unprotected: Any, signature: bytes = bytes(64), tag: int = 18) -> bytes:
    inner = protected if isinstance(protected, bytes) else encode_cbor(protected)
    return encode_cbor(Tagged(tag, [inner, unprotected, encode_evidence(EVIDENCE), signature]))


HEADER = {1: -7, 3: "application/eid-evidence+cbor", 4: KEY_ID}


@pytest.mark.parametrize(
    "raw",
    [
        envelope({**HEADER, 1: -35}, {}),
        envelope({1: -7, 3: HEADER[3]}, {4: KEY_ID}),
        envelope(HEADER, {5: b"iv"}),
        envelope({**HEADER, 2: [99]}, {}),
        envelope({**HEADER, 4: b"short"}, {}),
        envelope({**HEADER, 4: "x" * 32}, {}),
        envelope(HEADER, {}, bytes(63)),
        envelope(HEADER, {}, tag=98),
        envelope(HEADER, {1: -7}),
        envelope([1], {}),
        envelope(b"", {}),
        encode_cbor([b"", {}, b"", b""]),
        encode_cbor(Tagged(18, [b"", {}, None, b""])),
        encode_evidence(EVIDENCE),
        envelope(HEADER, {}) + b"\0",
    ],
)
def test_another_envelope_is_refused(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_signed_evidence(raw)


def test_signing_refuses_a_short_key_identifier_and_another_curve() -> None:
    with pytest.raises(ValueError, match="32 octets"):
        sign_evidence(EVIDENCE, sign, b"short")
    p384 = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(DecodeError, match="curve"):
        sign_evidence(EVIDENCE, lambda message: p384.sign(message, ec.ECDSA(hashes.SHA256())), KEY_ID)
    with pytest.raises(DecodeError):
        sign_evidence(EVIDENCE, lambda _: der.encode_sequence(), KEY_ID)


@given(st.binary(max_size=100))
@settings(max_examples=examples(200))
def test_arbitrary_bytes(raw: bytes) -> None:
    for decoder in (decode_evidence, decode_signed_evidence):
        with pytest.raises(DecodeError):
            decoder(raw)
    with pytest.raises(DecodeError):
        decode_signed_evidence(encode_cbor(Tagged(18, [encode_cbor(HEADER), {}, raw, bytes(64)])))  # type: ignore[dict-item, list-item]  # a map of whatever types


def test_nothing_personal_in_the_repr() -> None:
    decoded = decode_signed_evidence(sign_evidence(EVIDENCE, sign, KEY_ID))
    assert "\\x61" not in repr(decoded)
    assert "payload" not in repr(decoded)
