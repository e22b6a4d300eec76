"""The identity record: limits at their places, what is missing, what rules refuse, what differs from the register."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.enrolment.faults import FAULTS, OWN, fault_of
from eid.enrolment.person import (
    Fault,
    FaultyRecordError,
    PersonRecord,
    TwoScripts,
    decode_person,
    encode_name,
    encode_person,
    find_divergences,
    find_faults,
    find_missing,
)
from eid.enrolment.rules import EnrolmentRules, load_rules
from eid.errors import RecordError
from eid.locale import LANGUAGES, texts
from tests.builders.applicants import DOCUMENT, GUARDIAN, applicant_record
from tests.builders.sweep import examples

RULES = load_rules("morocco").rules
RAW = (files("eid.enrolment") / "rules" / "morocco.toml").read_text("utf-8")
DAY = date(2026, 11, 22)
LETTERS = st.text(st.characters(codec="utf-8"), max_size=140)


def faults_of(**changes: Any) -> set[tuple[str, str]]:
    with pytest.raises(FaultyRecordError) as refused:
        decode_person({**DOCUMENT, **changes})
    return {(fault.pointer, fault.code) for fault in refused.value.faults}


def decode_or_faults(document: Any) -> tuple[PersonRecord | None, tuple[Fault, ...]]:
    try:
        return decode_person(document), ()
    except FaultyRecordError as refused:
        return None, refused.faults


def test_round_trip_and_nothing_shows() -> None:
    record = applicant_record(guardian=GUARDIAN)
    assert encode_person(record).keys() == {*DOCUMENT, "guardian"}
    assert decode_person(json.loads(json.dumps(encode_person(record)))) == record
    assert repr(record) == str(record) == "PersonRecord(...)"
    assert "SPECIMEN" not in repr(record.family_name) + repr(record.contact)
    assert encode_name(record) == {name: DOCUMENT[name] for name in ("family_name", "given_names")}
    assert record.family_name is not None
    assert record.family_name.bilingual("arabic").latin == "SPECIMEN"
    assert record.address is not None
    assert record.address.lines.bilingual("arabic").latin == "12 RUE DU MODELE\nRABAT"


def test_scripts_are_the_countrys() -> None:
    """A draft may lack one that is wanted; one that the country's names are not written in is refused at its place."""
    record = applicant_record(family_name={"arabic": "عينة"}, guardian={**GUARDIAN, "name": {"latin": "KHADIJA"}})
    assert {"/family_name/latin", "/guardian/name/arabic"} <= find_missing(record, RULES, DAY)
    assert find_faults(applicant_record(), RULES, DAY, abroad=False) == ()
    with pytest.raises(RecordError, match="every script"):
        TwoScripts(latin="SPECIMEN").bilingual("arabic")
    assert TwoScripts(latin="SPECIMEN").bilingual("").parts == ("SPECIMEN",)
    cousin = applicant_record(partner={"relation": "cousin", "name": DOCUMENT["father"]})
    assert find_faults(cousin, RULES, DAY, abroad=False) == (Fault("/partner/relation", "choice"),)
    taken = applicant_record(family_name={**DOCUMENT["family_name"], "tifinagh": "ⴰⵎⴰⵣⵉⵖ"})
    foreign = applicant_record(family_name={**DOCUMENT["family_name"], "greek": "ΔΕΙΓΜΑ"})
    assert find_faults(taken, RULES, DAY, abroad=False) == ()
    assert find_faults(foreign, RULES, DAY, abroad=False) == (Fault("/family_name/greek", "other-script"),)
    assert faults_of(family_name={"greek": "ОБРАЗЕЦ", "runic": "ᚠ"}) == {
        ("/family_name/greek", "other-script"),
        ("/family_name/?", "unknown-member"),
    }


def test_decomposed_letters_are_composed() -> None:
    record = applicant_record(family_name={"arabic": "عينة", "latin": "BENOI\u0302T"})
    assert record.family_name is not None
    assert record.family_name.latin == "BENOÎT"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"family_name": {"arabic": "LATIN", "latin": "X"}}, ("/family_name/arabic", "other-script")),
        ({"family_name": {"arabic": "عينة", "latin": "عينة"}}, ("/family_name/latin", "other-script")),
        ({"family_name": {"arabic": "عينة", "latin": "X", "tifinagh": "A"}}, ("/family_name/tifinagh", "other-script")),
        ({"family_name": {"arabic": "عينة", "latin": " X"}}, ("/family_name/latin", "blank")),
        ({"family_name": {"arabic": "عينة", "latin": ""}}, ("/family_name/latin", "blank")),
        ({"family_name": {"arabic": "عينة", "latin": "X" * 121}}, ("/family_name/latin", "too-long")),
        ({"family_name": {"arabic": "عينة", "latin": "X\nY"}}, ("/family_name/latin", "too-long")),
        ({"family_name": {"arabic": "عينة", "latin": "X\u202eY"}}, ("/family_name/latin", "hidden-character")),
        ({"family_name": {"arabic": "عينة", "latin": 7}}, ("/family_name/latin", "text")),
        ({"sex": "female"}, ("/sex", "choice")),
        ({"date_of_birth": "14.2.1985"}, ("/date_of_birth", "partial-date")),
        ({"date_of_birth": "1985-02-30"}, ("/date_of_birth", "partial-date")),
        ({"nationality": "Maroc"}, ("/nationality", "country-form")),
        ({"personal_number": "zz-1"}, ("/personal_number", "personal-number-form")),
        ({"contact": {"phone": "0600000001"}}, ("/contact/phone", "phone-form")),
        ({"contact": {"email": "a@b"}}, ("/contact/email", "email-form")),
        ({"contact": {"consents": ["all"]}}, ("/contact/consents/0", "choice")),
        ({"civil_status": {"number": "a"}}, ("/civil_status/number", "civil-status-form")),
        ({"civil_status": {"number": "1", "year": 17}}, ("/civil_status/year", "number")),
        ({"address": {**DOCUMENT["address"], "postal_code": "?"}}, ("/address/postal_code", "postal-code-form")),
        ({"address": {**DOCUMENT["address"], "commune": "x"}}, ("/address/commune", "area-form")),
        ({"address": {**DOCUMENT["address"], "since": "soon"}}, ("/address/since", "date")),
        ({"password": "hunter2"}, ("/?", "unknown-member")),
    ],
)
def test_each_limit_is_told_at_its_place(changes: dict[str, Any], fault: tuple[str, str]) -> None:
    assert faults_of(**changes) == {fault}
    assert fault[1] in FAULTS


def test_every_fault_is_told_at_once() -> None:
    assert len(faults_of(sex="?", nationality="?", date_of_birth="?")) == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fault_has_a_sentence(language: str) -> None:
    assert FAULTS - texts(language)["fault"].keys() == set()
    assert {fault_of(code) for code in OWN} == OWN
    assert fault_of("never-heard-of") == "other"


@settings(max_examples=examples(60))
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | LETTERS,
        lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(sorted(DOCUMENT)), part, max_size=4),
        max_leaves=12,
    )
)
def test_anything_else_is_refused_or_kept_as_it_is(document: Any) -> None:
    record, faults = decode_or_faults(document)
    assert (record is None) == bool(faults)
    assert all(fault.code in FAULTS for fault in faults)
    if record is not None:
        assert decode_person(encode_person(record)) == record


@given(LETTERS)
def test_a_name_is_refused_or_printable(text: str) -> None:
    record, faults = decode_or_faults({"family_name": {"arabic": "عينة", "latin": text}})
    assert {fault.pointer for fault in faults} <= {"/family_name/latin"}
    if record is not None:
        assert record.family_name is not None
        assert record.family_name.latin.strip() == record.family_name.latin != ""


def test_missing_fields() -> None:
    assert find_missing(applicant_record(), RULES, DAY) == frozenset()
    assert find_missing(decode_person({}), RULES, DAY) == {
        f"/{name}" for name in DOCUMENT.keys() - {"specimen", "country_of_birth", "personal_number"}
    }
    assert find_missing(applicant_record(contact={}), RULES, DAY) == {"/contact/phone"}
    child = applicant_record(date_of_birth="2009")
    assert find_missing(child, RULES, DAY) == {"/guardian"}
    assert find_missing(applicant_record(date_of_birth="2008"), RULES, DAY) == frozenset()  # reckoned from 1 January


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"date_of_birth": "2026-11-23"}, Fault("/date_of_birth", "in-the-future")),
        ({"date_of_birth": "1890-01-01"}, Fault("/date_of_birth", "too-long-ago")),
        ({"guardian": GUARDIAN}, Fault("/guardian", "guardian-not-due")),
        (
            {"date_of_birth": "2015-01-01", "guardian": {**GUARDIAN, "valid_until": "2026-01-01"}},
            Fault("/guardian/valid_until", "guardian-expired"),
        ),
        (
            {"date_of_birth": "2015-01-01", "guardian": {**GUARDIAN, "personal_number": "ZZ123456"}},
            Fault("/guardian/personal_number", "own-guardian"),
        ),
        ({"personal_number": "ABC1"}, Fault("/personal_number", "personal-number-form")),
        ({"contact": {"phone": "+33612345678"}}, Fault("/contact/phone", "phone-form")),
        ({"address": {**DOCUMENT["address"], "since": "2027-01-01"}}, Fault("/address/since", "in-the-future")),
    ],
)
def test_each_rule_refuses(changes: dict[str, Any], fault: Fault) -> None:
    assert find_faults(applicant_record(**changes), RULES, DAY, abroad=False) == (fault,)


def test_abroad_any_telephone_will_do() -> None:
    record = applicant_record(contact={"phone": "+33612345678"})
    assert find_faults(record, RULES, DAY, abroad=True) == ()


def test_differences_from_the_register() -> None:
    registered = applicant_record()
    compared = RULES.record.compared
    assert find_divergences(registered, decode_person({}), compared) == frozenset()
    other = applicant_record(sex="M", date_of_birth="1985-02", address=None)
    assert find_divergences(registered, other, compared) == {"sex", "date_of_birth"}
    assert find_divergences(registered, other, ("sex", "mother")) == {"sex"}


def own_rules(**changes: Any) -> EnrolmentRules:
    """The Morocco model with another [record], by way of its decoder."""
    stated = tomllib.loads(RAW)
    stated["record"] |= changes
    return EnrolmentRules.model_validate(stated)


def test_which_fields_are_stated_is_the_countrys() -> None:
    fields = ("family_name", "date_of_birth", "sex", "nationality")
    few = own_rules(required=[*fields, "personal_number"], optional=["contact"])
    stated = decode_person({name: DOCUMENT[name] for name in (*fields, "personal_number")})
    assert find_missing(stated, few, DAY) == frozenset()
    assert find_missing(decode_person({"contact": {}}), few, DAY) == {
        *(f"/{name}" for name in (*fields, "personal_number")),
        "/contact/phone",
    }
    assert {(fault.pointer, fault.code) for fault in find_faults(applicant_record(), few, DAY, abroad=False)} == {
        (f"/{name}", "not-taken") for name in DOCUMENT.keys() - {*fields, "personal_number", "contact", "specimen"}
    }


def test_forms_lengths_and_choices_are_the_countrys() -> None:
    rules = own_rules(
        sexes=["M", "F"],
        limits={"family_name": 7, "address": 20},
        forms={"civil_status": "[0-9]+", "postal_code": "[0-9]{5}", "commune": "[A-Z]{2}"},
    )
    address = {**DOCUMENT["address"], "postal_code": "1234", "commune": "12"}
    record = applicant_record(sex="X", address=address)
    assert {(fault.pointer, fault.code) for fault in find_faults(record, rules, DAY, abroad=False)} == {
        ("/sex", "choice"),
        ("/family_name/latin", "too-long"),
        ("/address/lines/latin", "too-long"),
        ("/address/lines/arabic", "too-long"),
        ("/civil_status/number", "civil-status-form"),
        ("/address/postal_code", "postal-code-form"),
        ("/address/commune", "area-form"),
    }


def test_fields_of_the_countrys_own() -> None:
    titles = {"fr": "Groupe", "ar": "فصيلة", "en": "Blood group"}
    own = [
        {"code": "blood_group", "title": titles, "form": "(A|B|AB|0)[+-]", "required": True},
        {"code": "tribe", "title": titles, "script": "arabic"},
    ]
    rules = own_rules(detail=own)
    assert find_missing(applicant_record(), rules, DAY) == {"/details/blood_group"}
    good = applicant_record(details={"blood_group": "AB-", "tribe": "عينة"})
    assert (find_missing(good, rules, DAY), find_faults(good, rules, DAY, abroad=False)) == (frozenset(), ())
    assert decode_person(json.loads(json.dumps(encode_person(good)))) == good
    assert find_faults(good, RULES, DAY, abroad=False) == (Fault("/details/?", "unknown-member"),) * 2
    odd = applicant_record(details={"blood_group": "blue", "tribe": "SPECIMEN"})
    assert find_faults(odd, rules, DAY, abroad=False) == (
        Fault("/details/blood_group", "form"),
        Fault("/details/tribe", "other-script"),
    )
    assert faults_of(details={"blood_group": " "}) == {("/details/?", "blank")}
    assert {code for _, code in faults_of(details={"Blood Group": "AB-"})} == {"unknown-member"}


def test_as_what_somebody_applies_for_a_minor_is_the_countrys() -> None:
    def child(capacity: str, **more: str) -> PersonRecord:
        return applicant_record(date_of_birth="2015", guardian={**GUARDIAN, "capacity": capacity, **more})

    for known in ("father", "mother", "guardian", "kafil"):
        assert find_faults(child(known), RULES, DAY, abroad=False) == ()
    assert find_faults(child("uncle"), RULES, DAY, abroad=False) == (Fault("/guardian/capacity", "choice"),)
    assert RULES.papers_for("age-12", abroad=False, minor=True, capacity="kafil")[-2:] == (
        "guardian-card",
        "kafala-order",
    )
    assert RULES.papers_for("age-12", abroad=False, minor=False, capacity="kafil")[-1:] == ("old-card",)
    stated = tomllib.loads(RAW)
    stated["minors"]["capacity"][3]["has_end"] = True
    rules = EnrolmentRules.model_validate(stated)
    assert find_missing(child("kafil"), rules, DAY) == {"/guardian/valid_until"}
    assert find_missing(child("kafil", valid_until="2027-01-01"), rules, DAY) == frozenset()
