"""The capture record: its form, what it refuses, the officer's signature, what its quality is judged by."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.cbor import decode_cbor, encode_cbor
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import verify_signature
from eid.enrolment.capture import (
    MAX_RECORD,
    NAMES,
    CapturedItem,
    CaptureRecord,
    ItemFormat,
    Presence,
    QualityFormat,
    decode_capture,
    decode_signed_capture,
    digest_item,
    encode_capture,
    find_differences,
    sign_capture,
)
from eid.enrolment.quality import Measured, QualityCode, are_fingers_settled, assess_quality, is_accepted
from eid.enrolment.rules import load_rules
from eid.errors import DecodeError
from eid.identity import FINGERS
from eid.services.application.enrolment import ES256
from tests.builders.issuance import signer
from tests.builders.sweep import examples

RULES = load_rules("morocco").rules.capture
KEY_ID = bytes(range(32))
PORTRAIT = CapturedItem("portrait", ItemFormat.JPEG, digest_item(b"portrait"))
FINGER = CapturedItem("right-index", ItemFormat.ISO_19794_2, digest_item(b"finger"), 70, QualityFormat.NFIQ2)
OTHER = replace(FINGER, name="left-index")
RECORD = CaptureRecord(
    uuid.UUID("0197f2a4-0000-7000-8000-000000000001"),
    "officer-1",
    "rabat-1",
    "station-1",
    datetime(2026, 11, 22, 13, 0, tzinfo=UTC),
    (PORTRAIT, FINGER),
    (("left-index", Presence.BANDAGED),),
)
GOOD = Measured(413, 531, 244, 7.5)


def test_the_written_form_is_the_documented_one() -> None:
    assert decode_cbor(encode_capture(RECORD), max_octets=MAX_RECORD) == {
        "format": "eid-capture-record",
        "version": 1,
        "application": "0197f2a4-0000-7000-8000-000000000001",
        "officer": "officer-1",
        "site": "rabat-1",
        "device": "station-1",
        "captured_at": "2026-11-22T13:00:00Z",
        "items": [
            {
                "name": "portrait",
                "format": "JPEG",
                "digest": digest_item(b"portrait"),
                "quality": 0,
                "quality_format": "NONE",
                "attempts": 1,
            },
            {
                "name": "right-index",
                "format": "ISO_19794_2",
                "digest": digest_item(b"finger"),
                "quality": 70,
                "quality_format": "NFIQ2",
                "attempts": 1,
            },
        ],
        "missing": [{"finger": "left-index", "presence": "BANDAGED"}],
    }


names = st.lists(st.sampled_from(NAMES), unique=True, max_size=len(NAMES))
texts = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=64)


@settings(max_examples=examples(40))
@given(names, texts, st.integers(0, 255), st.integers(1, 20), st.data())
def test_round_trip(taken: list[str], text: str, quality: int, attempts: int, data: st.DataObject) -> None:
    items = tuple(
        CapturedItem(name, ItemFormat.PNG, digest_item(name.encode()), quality, QualityFormat.NFIQ, attempts)
        for name in taken
    )
    left = [name for name in FINGERS if name not in taken]
    gone = data.draw(st.lists(st.sampled_from(left), unique=True)) if left else []
    missing = tuple((name, Presence.AMPUTATED) for name in gone)
    record = replace(RECORD, officer=text, items=items, missing=missing)
    assert decode_capture(encode_capture(record)) == record


@settings(max_examples=examples(60))
@given(st.binary(max_size=300))
def test_arbitrary_octets(raw: bytes) -> None:
    for decode in (decode_capture, decode_signed_capture):
        with pytest.raises(DecodeError):
            decode(raw)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "eid-evidence"),
        (("version",), 2),
        (("version",), True),
        (("application",), "0197F2A4-0000-7000-8000-000000000001"),
        (("application",), 7),
        (("officer",), ""),
        (("site",), "a\nb"),
        (("device",), "x" * 65),
        (("captured_at",), "2026-11-22 13:00:00"),
        (("captured_at",), "2026-13-22T13:00:00Z"),
        (("items",), {}),
        (("items", 0, "name"), "nose"),
        (("items", 0, "format"), "ISO_19794_2"),
        (("items", 0, "digest"), b"short"),
        (("items", 0, "quality"), 256),
        (("items", 0, "quality"), True),
        (("items", 0, "attempts"), 0),
        (("items", 1, "quality_format"), "GOOD"),
        (("items", 1, "name"), "portrait"),
        (("missing", 0, "finger"), "right-index"),
        (("missing", 0, "finger"), "portrait"),
        (("missing", 0, "presence"), "LOST"),
    ],
)
def test_malformed_records(path: tuple[str | int, ...], value: object) -> None:
    document = decode_cbor(encode_capture(RECORD), max_octets=MAX_RECORD)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(DecodeError):
        decode_capture(encode_cbor(document))
    document["more"] = 1
    with pytest.raises(DecodeError):
        decode_capture(encode_cbor(document))


def test_who_writes_a_malformed_record_is_told() -> None:
    for record in (
        replace(RECORD, officer=""),
        replace(RECORD, items=(PORTRAIT, PORTRAIT)),
        replace(RECORD, captured_at=RECORD.captured_at.replace(tzinfo=None)),
    ):
        with pytest.raises(ValueError, match=r"officer|twice|zone"):
            encode_capture(record)


def test_the_officers_signature() -> None:
    key = signer("officer", "P-256", "sha256")
    signed = decode_signed_capture(sign_capture(RECORD, key.sign, KEY_ID))
    assert (signed.record, signed.key_id) == (RECORD, KEY_ID)
    envelope = signed.envelope
    verify_signature(load_public_key(key.public_key_info), ES256, envelope.to_be_signed, envelope.signature)
    with pytest.raises(ValueError, match="32 octets"):
        sign_capture(RECORD, key.sign, b"short")
    with pytest.raises(DecodeError):
        sign_capture(RECORD, signer("large", "P-384", "sha384").sign, KEY_ID)


def test_what_was_sent_otherwise_than_signed() -> None:
    items = {"portrait": b"portrait", "right-index": b"finger"}
    assert find_differences(RECORD, items) == ()
    assert find_differences(RECORD, {**items, "signature": b"x", "right-index": b"another"}) == (
        "right-index",
        "signature",
    )
    assert find_differences(RECORD, {}) == ("portrait", "right-index")


@pytest.mark.parametrize(
    ("measured", "codes"),
    [
        (GOOD, set()),
        (replace(GOOD, width=299), {QualityCode.PORTRAIT_TOO_SMALL, QualityCode.PORTRAIT_PROPORTIONS}),
        (replace(GOOD, width=531), {QualityCode.PORTRAIT_PROPORTIONS}),
        (replace(GOOD, grey_levels=127), {QualityCode.PORTRAIT_FLAT}),
        (replace(GOOD, sharpness=2.8), {QualityCode.PORTRAIT_BLURRED}),
    ],
)
def test_portraits(measured: Measured, codes: set[QualityCode]) -> None:
    found = assess_quality(RECORD, {"portrait": measured}, RULES, with_fingers=True)
    assert {item.code for item in found} == codes
    assert is_accepted(found) == (codes <= {QualityCode.PORTRAIT_BLURRED})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quality": 30}, None),
        ({"quality": 29}, QualityCode.FINGER_QUALITY_LOW),
        ({"quality": 29, "attempts": 3}, None),
        ({"quality": 101}, QualityCode.FINGER_QUALITY_LOW),
        ({"quality": 3, "quality_format": QualityFormat.NFIQ}, None),
        ({"quality": 4, "quality_format": QualityFormat.NFIQ}, QualityCode.FINGER_QUALITY_LOW),
        ({"quality": 0, "quality_format": QualityFormat.NFIQ}, QualityCode.FINGER_QUALITY_LOW),
        ({"quality_format": QualityFormat.NONE}, QualityCode.FINGER_QUALITY_UNKNOWN),
    ],
)
def test_fingers(changes: dict[str, object], code: QualityCode | None) -> None:
    record = replace(RECORD, items=(PORTRAIT, replace(FINGER, **changes), OTHER), missing=())
    found = assess_quality(record, {}, RULES, with_fingers=True)
    assert [item.code for item in found] == ([] if code is None else [code])
    assert {item.item for item in found} <= {"right-index"}


def test_fingers_that_nobody_accounts_for_or_wants() -> None:
    bare = replace(RECORD, items=(PORTRAIT, FINGER), missing=())
    assert not are_fingers_settled(bare, RULES)
    (found,) = assess_quality(bare, {}, RULES, with_fingers=True)
    assert (found.item, found.code) == ("left-index", QualityCode.FINGER_UNACCOUNTED)
    (unwanted,) = assess_quality(bare, {}, RULES, with_fingers=False)
    assert (unwanted.item, unwanted.code) == ("right-index", QualityCode.FINGER_NOT_WANTED)
    assert are_fingers_settled(RECORD, RULES)
