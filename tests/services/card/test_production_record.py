"""What of a registered person goes to the card's maker: by the country's rules, and by the holder's own consents."""

from __future__ import annotations

import tomllib
from datetime import date
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import pytest

from eid.enrolment.rules import EnrolmentRules
from eid.errors import RecordError
from eid.identity import Detail, EmergencyContact, IdentityRecord
from eid.services.application.enrolment import CARD_PORTRAIT
from eid.services.card.production_record import build_identity_record
from tests.builders.applicants import DOCUMENT, applicant_record

RULES = tomllib.loads((files("eid.enrolment") / "rules" / "morocco.toml").read_text("utf-8"))
ORDER: Any = SimpleNamespace(document_number="SP000001", issued_on=date(2026, 11, 23), expires_on=date(2036, 11, 22))
NOBODY: Any = SimpleNamespace(fingers=())
IMAGES = {CARD_PORTRAIT: b"\xff\xd8\xff of nobody"}


def build(record: dict[str, Any], **rules: Any) -> IdentityRecord:
    stated = EnrolmentRules.model_validate({**RULES, "record": {**RULES["record"], **rules}})
    return build_identity_record(applicant_record(**record), ORDER, NOBODY, IMAGES, stated)


def test_how_somebody_is_reached_goes_along_only_where_he_wants_it() -> None:
    emergency = [{"name": "OTTO SPECIMEN", "phone": "+212600000009", "address": "1 RUE"}]
    contact = {**DOCUMENT["contact"], "emergency": emergency}
    silent = build({"contact": contact})
    assert (silent.telephone, silent.email, silent.persons_to_notify) == (None, None, ())
    told = build({"contact": {**contact, "consents": ["phone-on-chip", "email-on-chip", "emergency-on-chip"]}})
    assert (told.telephone, told.email) == ("+212600000001", "fatima@specimen.invalid")
    assert told.persons_to_notify == (EmergencyContact("OTTO SPECIMEN", "+212600000009", "1 RUE"),)


def test_a_countrys_own_values_go_along_where_its_rules_say() -> None:
    titles = {"fr": "-", "ar": "-", "en": "-"}
    own = [
        {"code": "blood_group", "title": titles, "required": True, "on_card": True},
        {"code": "height", "title": titles, "on_card": True},
        {"code": "parish", "title": titles},
    ]
    stated = {"parish": "RABAT", "blood_group": "AB-"}
    assert build({"details": stated}, detail=own).details == (Detail("blood_group", "AB-"),)
    with pytest.raises(RecordError, match=r"details\.blood_group is missing"):
        build({"details": {"parish": "RABAT"}}, detail=own)


def test_what_the_country_requires_is_insisted_on() -> None:
    with pytest.raises(RecordError, match="mother is missing"):
        build({"mother": None})
    required = [name for name in RULES["record"]["required"] if name not in ("mother", "address")]
    made = build({"mother": None, "address": None}, required=required)
    assert (made.mother, made.address, made.father is None) == (None, None, False)
