from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid import identity
from eid.errors import RecordError
from eid.identity import (
    BilingualText,
    Detail,
    EmergencyContact,
    Fingerprint,
    IdentityRecord,
    Iris,
    PartnerMention,
    decode_identity_record,
    encode_identity_record,
    find_script_warnings,
    specimen_record,
)
from eid.mrz import PartialDate
from tests.builders.sweep import examples

NOW = date(2026, 11, 22)
PORTRAIT = b"\xff\xd8\xff\xe0 a JPEG begins like this"
WSQ = b"\xff\xa0\xff\xa8"
SCHEMA = json.loads((Path(__file__).parents[1] / "docs/formats/identity-record.schema.json").read_text())
OPTIONAL = {
    *identity.OF_THE_COUNTRY, "details", "telephone", "email",
    "signature_image", "partner", "fingerprints", "irises", "persons_to_notify",
}  # fmt: skip
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture
def record() -> IdentityRecord:
    return specimen_record(NOW, PORTRAIT)


@pytest.fixture
def document(record: IdentityRecord) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(encode_identity_record(record))
    return parsed


def full(record: IdentityRecord) -> IdentityRecord:
    return replace(
        record,
        telephone="+212 600 00",
        email="somebody@specimen.invalid",
        details=(Detail("blood_group", "AB+"), Detail("profession", "أستاذة")),
        signature_image=PORTRAIT,
        partner=PartnerMention("wife", BilingualText("عمر المثال", "OMAR EL MITHAL")),
        date_of_birth=PartialDate(1985),
        fingerprints=(Fingerprint("right-index", PORTRAIT), Fingerprint("left-thumb", PORTRAIT)),
        irises=(Iris("right", PORTRAIT), Iris("left", PORTRAIT)),
        persons_to_notify=(EmergencyContact("SPECIMEN<<OTTO", "+212 5 00", "1 RUE\nRABAT"),),
    )


def bare(record: IdentityRecord) -> IdentityRecord:
    """With nothing that a document need not have."""
    return replace(record, **dict.fromkeys(identity.OF_THE_COUNTRY))


def test_round_trip(record: IdentityRecord) -> None:
    for value in (record, full(record), bare(record)):
        assert decode_identity_record(encode_identity_record(value)) == value
    assert full(record).detail("profession") == "أستاذة"
    assert bare(record).detail("profession") is None


def test_the_specimen_is_marked_and_hidden(record: IdentityRecord) -> None:
    assert record.specimen
    assert record.family_name.latin == "SPECIMEN"
    assert repr(record) == "IdentityRecord(specimen=True)"
    assert repr(record.family_name) == "BilingualText()"
    assert repr(full(record).fingerprints[0]) == "Fingerprint()"
    assert repr(full(record).irises[0]) == "Iris()"
    assert repr(full(record).details[0]) == "Detail(code='blood_group')"
    assert repr(full(record).persons_to_notify[0]) == "EmergencyContact()"
    assert find_script_warnings(record) == ()


def test_ten_years_from_a_leap_day() -> None:
    assert specimen_record(date(2028, 2, 29), PORTRAIT).expires_on == date(2038, 2, 28)


def test_schema_accepts_what_the_code_writes(record: IdentityRecord) -> None:
    VALIDATOR.check_schema(SCHEMA)
    for value in (record, full(record), bare(record)):
        VALIDATOR.validate(json.loads(encode_identity_record(value)))


def test_schema_and_code_have_the_same_fields_and_limits() -> None:
    names = [name.name for name in fields(IdentityRecord)]
    assert set(SCHEMA["properties"]) == {"format", "version", *names}
    assert set(SCHEMA["properties"]) - set(SCHEMA["required"]) == OPTIONAL
    assert SCHEMA["properties"]["format"]["const"] == identity.FORMAT
    assert SCHEMA["properties"]["version"]["const"] == identity.VERSION
    for name, pattern in identity.CODE_PATTERNS.items():
        assert SCHEMA["properties"][name]["pattern"] == pattern
    for name in ("text", "lines"):
        assert SCHEMA["$defs"][name]["maxLength"] == identity.TEXT_LIMIT
    assert SCHEMA["$defs"]["image"]["maxLength"] == len(b64encode(bytes(identity.PORTRAIT_LIMIT)))


def put(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *path, last = name.split(".")
        for part in path:
            document = document[part]
        document[last] = value

    return change


BROKEN = [
    ("format", "other", "format"),
    ("version", 2, "version"),
    ("version", True, "version"),
    ("nickname", "x", "unknown key"),
    ("father.nick", "x", "unknown key in father"),
    ("specimen", 1, "specimen"),
    ("family_name", "SPECIMEN", "family_name is not an object"),
    ("family_name", {"arabic": "عينة"}, "latin is missing in family_name"),
    ("family_name.latin", "", "family_name.latin has not 1"),
    ("family_name.latin", "A" * 121, "family_name.latin has not 1"),
    ("family_name.latin", 5, "family_name.latin is not a text"),
    ("family_name.latin", "e\u0301", "normalization"),
    ("family_name.latin", "A\nB", "over 1 lines"),
    ("family_name.latin", " A", "spaces"),
    ("family_name.latin", "A\u202eB", "control, formatting"),
    ("address.latin", "A\nB\nC\nD", "over 3 lines"),
    ("address.latin", "A\n\nC", "address.latin is empty"),
    ("date_of_birth", "1985-02-30", "date_of_birth"),
    ("date_of_birth", "2026-11-23", "date_of_birth lies after"),
    ("sex", "Q", "sex"),
    ("sex", ["M"], "sex"),
    ("nationality", "mar", "nationality"),
    ("nationality", "MAR\n", "nationality"),
    ("personal_number", "ZZ-1", "personal_number"),
    ("document_number", "", "document_number"),
    ("civil_status_number", "é", "civil_status_number"),
    ("telephone", "call me", "telephone does not match"),
    ("email", "somebody", "email does not match"),
    ("details", [], "details is not an object"),
    ("details", {"Blood Group": "AB+"}, "a code of details does not match"),
    ("details", {f"code_{number}": "A" for number in range(33)}, "details are over 32"),
    ("details", {"blood_group": 5}, "details.blood_group is not a text"),
    ("details", {"blood_group": " A"}, "details.blood_group is empty, or has spaces"),
    ("details", {"blood_group": "A\nB"}, "details.blood_group has over 1 lines"),
    ("issued_on", "2026-11", "issued_on is not a whole date"),
    ("expires_on", "2026-11-22", "expires_on"),
    ("portrait", "****", "portrait is not base64"),
    ("portrait", "é", "portrait is not base64"),
    ("portrait", b64encode(b"GIF89a").decode(), "portrait is neither"),
    ("portrait", b64encode(PORTRAIT + bytes(200_000)).decode(), "portrait has over"),
    ("signature_image", b64encode(b"GIF89a").decode(), "signature_image is neither"),
    ("partner", {"relation": "COUSIN", "name": {"arabic": "ا", "latin": "A"}}, "partner.relation"),
    ("partner", {"relation": "wife", "name": {"arabic": "ا", "latin": " "}}, "partner.name.latin"),
    ("partner", None, "partner is not an object"),
    ("fingerprints", {}, "fingerprints is not a list"),
    ("fingerprints", [{"finger": "toe", "image": b64encode(PORTRAIT).decode()}], "fingerprints.finger"),
    ("fingerprints", [{"finger": "left-index", "image": b64encode(PORTRAIT).decode()}] * 2, "fingerprints.finger"),
    ("fingerprints", [{"finger": "left-index", "image": b64encode(b"GIF89a").decode()}], "fingerprints.image"),
    ("fingerprints", [{"finger": "left-index"}], "image is missing in fingerprints"),
    ("irises", [{"eye": "third", "image": b64encode(PORTRAIT).decode()}], "irises.eye"),
    ("irises", [{"eye": "left", "image": b64encode(PORTRAIT).decode()}] * 2, "irises.eye"),
    ("irises", [{"eye": "left", "image": b64encode(WSQ).decode()}], "irises.image"),
    ("persons_to_notify", [{"name": "", "telephone": "123", "address": "A"}], "persons_to_notify.name"),
    ("persons_to_notify", [{"name": "A", "telephone": "call", "address": "A"}], "persons_to_notify.telephone"),
    ("persons_to_notify", [{"name": "A", "telephone": "123", "address": "A\nB\nC\nD"}], "over 3 lines"),
    ("persons_to_notify", [{"name": "A", "telephone": "123", "address": "A"}] * 16, "over 15"),
]


@pytest.mark.parametrize(("name", "value", "message"), BROKEN, ids=lambda value: str(value)[:24])
def test_a_broken_field_is_named(document: dict[str, Any], name: str, value: object, message: str) -> None:
    put(name, value)(document)
    with pytest.raises(RecordError, match=message):
        decode_identity_record(json.dumps(document).encode())


def test_a_missing_field_is_named(document: dict[str, Any]) -> None:
    del document["nationality"]
    with pytest.raises(RecordError, match="nationality is missing"):
        decode_identity_record(json.dumps(document).encode())


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"\xff", b'{"a":1,"a":1}', b"[" * 100_000, b'{"version":NaN}', b"1" * 10_000, b" " * 600_000],
    ids=range(8),
)
def test_other_documents_are_refused(raw: bytes) -> None:
    with pytest.raises(RecordError):
        decode_identity_record(raw)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(max_examples=examples(100))
def test_junk_raises_record_error_only(junk: bytes) -> None:
    with pytest.raises(RecordError):
        decode_identity_record(junk)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("arabic", "latin", "x")), inner),
    max_leaves=5,
)


@given(st.sampled_from(sorted(SCHEMA["properties"])), JSON)
@settings(max_examples=examples(100))
def test_any_value_in_any_field_raises_record_error_only(name: str, value: object) -> None:
    document = json.loads(encode_identity_record(specimen_record(NOW, PORTRAIT)))
    document[name] = value
    try:
        record = decode_identity_record(json.dumps(document).encode())
    except RecordError:
        return
    assert VALIDATOR.is_valid(json.loads(encode_identity_record(record)))


def test_wrong_scripts_are_warned_about_without_the_text(record: IdentityRecord) -> None:
    mixed = replace(
        record,
        family_name=BilingualText("SPECIMEN", "عينة"),
        place_of_birth=BilingualText("12", "RABAT"),
        partner=PartnerMention("widow", BilingualText("عمر", "ОМАР")),
    )
    assert find_script_warnings(mixed) == (
        "family_name.arabic has letters that are not Arabic",
        "family_name.latin has letters that are not Latin",
        "place_of_birth.arabic has no letters",
        "partner.name.latin has letters that are not Latin",
    )
