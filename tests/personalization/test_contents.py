"""What of a record a product wants, and where it stands on the chip: rules of the profile, none of the code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eid.errors import RecordError
from eid.identity import BilingualText, Detail, IdentityRecord
from eid.lds.dg1 import decode_dg1
from eid.lds.dg11 import DG11, decode_dg11
from eid.lds.dg12 import decode_dg12
from eid.lds.dg13 import DG13, decode_dg13
from eid.personalization.build import build_card_mrz, verify_record
from eid.personalization.data_groups import build_groups
from eid.profile.loader import check_profile, load_profile
from eid.profile.schema import CardProfile
from tests.builders.issuance import STATUS, record_for

PLAIN = load_profile("full-lds").profile  # wants nothing of a record that a document need not have
NOTHING: dict[str, Any] = dict.fromkeys(
    ("given_names", "place_of_birth", "address", "father", "mother", "civil_status_number")
)


def stating(contents: dict[str, Any], profile: CardProfile = PLAIN, **document: Any) -> CardProfile:
    """The profile with other contents, by way of its decoder."""
    stated = profile.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    stated["application"]["contents"] = contents
    stated["document"] |= document
    return CardProfile.model_validate(stated)


def groups_of(record: IdentityRecord, profile: CardProfile) -> tuple[DG11, DG13]:
    mrz = build_card_mrz(record, profile)
    found = build_groups(("DG1", "DG11", "DG12", "DG13"), record, profile, mrz, {}, STATUS, b"")
    assert decode_dg1(found["DG1"]).mrz() == mrz
    assert decode_dg12(found["DG12"]).date_of_issue is not None
    return decode_dg11(found["DG11"]), decode_dg13(found["DG13"])


def test_what_a_record_lacks_is_left_out() -> None:
    record = replace(record_for(PLAIN), **NOTHING)
    dg11, dg13 = groups_of(record, PLAIN)
    assert (dg11.place_of_birth, dg11.permanent_address, dg11.telephone) == (None, None, None)
    assert dg11.full_name == record.family_name.native.replace(" ", "<")  # no secondary identifier, no fillers
    assert (dg13.father, dg13.mother, dg13.civil_status_number, dg13.details) == (None, None, None, ())
    assert dg13.status_list == STATUS
    mrz = build_card_mrz(record, PLAIN)
    assert (mrz.primary_identifier, mrz.secondary_identifier) == ("SPECIMEN", "")


@pytest.mark.parametrize("name", sorted(NOTHING))
def test_what_a_product_requires_is_insisted_on(name: str) -> None:
    profile = load_profile("ma-cnie").profile
    assert name in profile.record.required
    with pytest.raises(RecordError, match=f"{name} is missing"):
        verify_record(replace(record_for(profile), **{name: None}), profile)


def test_a_countrys_own_values_stand_where_the_profile_says() -> None:
    details = (Detail("blood_group", "AB+"), Detail("profession", "TEACHER"), Detail("parish", "LIMANI"))
    record = replace(record_for(PLAIN), details=details)
    profile = stating(
        {
            "DG11": {"profession": "details.profession", "telephone": "details.telephone", "full_name": "",
                     "full_date_of_birth": "", "permanent_address": "address.latin", "custody_information": "father",
                     "personal_summary": "address.latin", "other_names": "partner", "personal_number": ""},
            "DG13": ["mother", "details.blood_group", "details.height"],
        }
    )  # fmt: skip
    dg11, dg13 = groups_of(record, profile)
    assert record.address is not None
    assert record.father is not None
    assert (dg11.profession, dg11.telephone, dg11.full_name, dg11.full_date_of_birth) == ("TEACHER", None, None, None)
    assert dg11.permanent_address == tuple(record.address.latin.split("\n"))
    assert dg11.personal_summary == record.address.latin.replace("\n", ", ")
    assert dg11.custody_information == record.father.native  # of two spellings the first
    assert (dg11.other_names, dg11.personal_number) == ((), None)
    assert (dg13.details, dg13.father, dg13.mother is None) == ((("blood_group", "AB+"),), None, False)


def test_how_somebody_is_reached_stands_where_the_profile_says() -> None:
    profile = load_profile("ma-cnie").profile
    usual = groups_of(record_for(profile), profile)
    assert (usual[0].telephone, usual[1].details) == (None, ())
    record = replace(record_for(profile), telephone="+212 600000001", email="a@specimen.invalid")
    dg11, dg13 = groups_of(record, profile)
    assert (dg11.telephone, dg13.details) == ("+212 600000001", (("email", "a@specimen.invalid"),))


def test_which_name_comes_first_is_the_states() -> None:
    """Doc 9303-3 4.6: the issuing state decides which part of the name is the primary identifier."""
    profile = stating({}, primary_identifier=["given_names"], secondary_identifier=["father", "family_name"])
    record = replace(
        record_for(PLAIN),
        given_names=BilingualText("", "JON"),
        father=BilingualText("", "PALL"),
        family_name=BilingualText("", "SPECIMEN"),
    )
    mrz = build_card_mrz(record, profile)
    assert (mrz.primary_identifier, mrz.secondary_identifier) == ("JON", "PALL SPECIMEN")
    assert groups_of(record, profile)[0].full_name == "JON<<PALL<SPECIMEN"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('DG13 = ["father",', 'DG13 = ["uncle",', "application.contents.DG13[0]"),
        ('full_name = "name"', 'full_name = "nickname"', "application.contents.DG11.full_name"),
        ('permanent_address = "address"', 'permanent_address = "address.greek"', "DG11.permanent_address"),
        ('permanent_address = "address"', 'home = "address"', "application.contents.DG11.home"),
        ('required = ["given_names",', 'required = ["portrait",', "record.required[0]"),
        ('primary_identifier = ["family_name"]', 'primary_identifier = ["given_names"]', "each name once"),
        ('primary_identifier = ["family_name"]', "primary_identifier = []", "document.primary_identifier"),
        ('"DG12", "DG13", "DG14", "DG15"]', '"DG12", "DG14", "DG15"]\ncontents.DG13 = []', "contents"),
    ],
)
def test_faulty_contents_are_told_by_key(old: str, new: str, told: str) -> None:
    from importlib.resources import files

    text = (files("card_profiles") / "ma-cnie.toml").read_text("utf-8")
    assert text.count(old) == 1
    profile, problems = check_profile(text.replace(old, new).encode())
    assert profile is None
    assert any(told in str(problem) for problem in problems)
